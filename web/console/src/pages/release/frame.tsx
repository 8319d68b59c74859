// What every page of one release begins with: which release, where it stands, what a
// person can do, and the way to its other page.
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { ApiError } from '../../api/client'
import { useMay, useRelease } from '../../api/hooks'
import type { Release } from '../../api/types'
import { useT, word } from '../../i18n'
import { stageNow } from '../../journey/journey'
import { Icon } from '../../ui/icons'
import { Copy, Empty, Failure, Loading, Note, Sha } from '../../ui/parts'
import { PhaseStatus } from '../../ui/status'
import { Age } from '../../ui/time'
import { useTitle } from '../../ui/title'
import { Actions } from './actions'
import '../../styles/release.css'

export function Frame({ id, about, children }: { id: string; about?: string; children: (r: Release) => ReactNode }) {
  const t = useT()
  const release = useRelease(id)
  const title = release.data ? `${release.data.service} ${release.data.commit.slice(0, 8)} ${word(t.phase, release.data.phase)}` : id
  useTitle(about ? `${about} · ${title}` : title)
  if (release.error instanceof ApiError && release.error.status === 404) {
    return <Empty title={t.release.gone} hint={t.release.goneHint} icon="compass" page><Link to="/releases" className="button">{t.nav.releases}</Link></Empty>
  }
  if (release.isPending) return <div className="panel"><Loading lines={10} /></div>
  if (!release.data) return <Failure error={release.error} retry={() => void release.refetch()} />
  const r = release.data
  return (
    <>
      <Head r={r} />
      <nav className="pages" aria-label={t.release.pages}>
        <Link to="/releases/$id" params={{ id: r.id }} activeOptions={{ exact: true }}>{t.release.journey}</Link>
        <Link to="/releases/$id/build" params={{ id: r.id }} search={{}} activeOptions={{ includeSearch: false, includeHash: false }}>{t.build.title}</Link>
      </nav>
      {release.error && <Note tone="wait" icon="nosignal">{t.common.stale}</Note>}
      {children(r)}
    </>
  )
}

function Head({ r }: { r: Release }) {
  const t = useT()
  const may = useMay()
  const stage = stageNow(r)
  const place = r.phase === 'Done' || !stage || ['Building', 'Signing', 'Checking'].includes(r.phase) ? '' : stage.env
  return (
    <div className="page-head release-head">
      <div className="grow stack tight">
        <p className="row tight small">
          <Link to="/releases" search={{ service: r.service }}>{t.release.back}</Link><Icon name="right" size={11} /><span>{r.service}</span>
        </p>
        <h1 className="break">{r.message || r.id}</h1>
        <p className="row tight small">
          <Sha commit={r.commit} /><Copy text={r.commit} label={`${t.common.copy} ${t.common.commit}`} />
          <span>{r.author}</span>
          {r.pull
            ? <span>· {t.release.pull(r.pull.number, r.pull.author)} → {r.pull.base}{r.pull.fork && ` · ${t.release.fork}`}</span>
            : <>{r.pusher && <span>· {t.release.pushedBy(r.pusher)}</span>}<span>· {r.ref.replace('refs/heads/', '')}</span></>}
          <span>· <Age at={r.created} /></span>
          {r.origin === 'desired-state' && <span>· {t.release.desired}</span>}
        </p>
      </div>
      <div className="release-state">
        <div className="row"><PhaseStatus phase={r.phase} held={r.hold !== undefined} big />{place && <span className="tag">{place}</span>}{r.attempt > 1 && <span className="small quiet">{t.release.attempt(r.attempt)}</span>}</div>
        <p className="visually-hidden" aria-live="polite">{t.release.announce(`${word(t.phase, r.phase)}${place ? ` ${place}` : ''}${r.step ? ` ${t.step[r.step]}` : ''}`)}</p>
        {may && <Actions r={r} />}
      </div>
    </div>
  )
}
