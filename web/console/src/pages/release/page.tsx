// One release: where it stands, why, on what evidence, and what a person can do.
import { useParams } from '@tanstack/react-router'
import type { Release } from '../../api/types'
import { useT, word } from '../../i18n'
import { stoppedAt } from '../../journey/journey'
import type { IconName } from '../../ui/icons'
import { Note } from '../../ui/parts'
import { toneOf } from '../../ui/status'
import { Age, known, Until } from '../../ui/time'
import { ArtifactPanel } from './artifact'
import { Frame } from './frame'
import { Journey } from './journey'
import { LogPanel } from './log'
import { Targets } from './targets'
import { Timeline } from './timeline'
import { Verdicts } from './verdicts'

export function ReleasePage() {
  const { id } = useParams({ from: '/shell/releases/$id' })
  const t = useT()
  return (
    <Frame id={id}>
      {(r) => (
        <>
          <Why r={r} />
          <Journey r={r} />
          <div className="release-grid">
            <div className="stack release-main">
              <Targets r={r} />
              <Verdicts r={r} />
              <LogPanel key={r.id} r={r} />
            </div>
            <aside className="stack release-side" aria-label={t.release.artifact}>
              <ArtifactPanel r={r} />
              <Timeline r={r} />
            </aside>
          </div>
        </>
      )}
    </Frame>
  )
}

/** Why puts the reason and the next step where nobody can miss them. */
function Why({ r }: { r: Release }) {
  const t = useT()
  const held = r.hold
  const waits = r.phase === 'Approving' || r.tries > 0
  const stopped = stoppedAt(r)
  if (!r.reason && !held) return null
  if (stopped === null && !held && !waits) {
    return <p className="release-now"><span className="label">{t.release.stateNow}</span> {r.reason}{known(r.due) && <Looks due={r.due} />}</p>
  }
  const tone = held && !stopped ? 'held' : stopped ? toneOf(r.phase) : 'wait'
  const icons: Record<string, IconName> = { bad: 'cross', back: 'back', held: 'pause', wait: 'clock', idle: 'ring' }
  const title = stopped ? word(t.release.why, r.phase) : held ? t.release.held(held.by) : t.release.waiting
  const where = stopped && r.phase !== 'Superseded' ? [word(t.place, stopped.phase), stopped.env, stopped.wave, stopped.step ? t.step[stopped.step] : ''].filter(Boolean).join(' · ') : ''
  // Of a release that a person stopped on its way, the person's reason comes first.
  const reason = (held && !stopped ? held.reason : (r.reason ?? held?.reason)) ?? ''
  const other = held && !stopped && r.reason !== held.reason ? r.reason : undefined
  return (
    <Note tone={tone} icon={icons[tone]}>
      <span className="row tight"><strong>{r.phase !== 'Superseded' ? title : r.pull ? word(t.phase, r.phase) : t.release.superseded}</strong>{where && <span className="quiet">{where}</span>}{r.tries > 0 && <span className="quiet">{t.release.tries(r.tries)}</span>}{!stopped && !held && known(r.due) && <Looks due={r.due} />}</span>
      <p className="release-reason break">{reason}</p>
      {other && <p className="quiet">{other}</p>}
      {held && stopped && held.reason !== reason && <p>{t.release.held(held.by)}: {held.reason} <span className="quiet">(<Age at={held.at} />)</span></p>}
      {r.hint && <p><span className="label">{t.common.hint}{t.common.colon}</span>{r.hint}</p>}
    </Note>
  )
}

function Looks({ due }: { due: string | undefined }) {
  const t = useT()
  return <span className="quiet small"> · <Until at={due} soon={t.time.due}>{t.release.looking}</Until></span>
}
