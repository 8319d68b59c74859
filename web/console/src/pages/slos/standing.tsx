// How an objective is doing on a cluster: its state with the reason, and its budget as a bar.
import type { Standing } from '../../api/types'
import { useT, word } from '../../i18n'
import { share } from '../../journey/budget'
import { Status, type Tone } from '../../ui/status'
import { span } from '../../ui/time'

const tones: Record<string, Tone> = { ok: 'good', ticket: 'wait', breach: 'bad', nodata: 'idle', unasked: 'wait' }

export function StandingStatus({ c }: { c: Standing }) {
  const t = useT()
  const why = word(t.slos.code, c.code)
  return (
    <div className="stack tight standing">
      <Status tone={tones[c.state] ?? 'idle'} icon={c.state === 'nodata' ? 'question' : c.state === 'unasked' ? 'nosignal' : undefined} badge>{word(t.slos.state, c.state)}</Status>
      {c.state !== 'ok' && <span className="small quiet">{why} <code>{c.code}</code></span>}
      {c.problem && <span className="small quiet break clamp" title={c.problem}>{c.problem}</span>}
      {c.busy && <span className="small quiet">{t.slos.busy}</span>}
    </div>
  )
}

/** Budget is a bar with its figure; what is not known is a dash and no empty bar. */
export function Budget({ left }: { left: number | undefined }) {
  const t = useT()
  if (left === undefined) return <span className="quiet small">{t.slos.unknown}</span>
  const width = Math.max(0, Math.min(1, left)) * 100
  const tone = left <= 0 ? 'bad' : left < 0.25 ? 'wait' : 'good'
  return (
    <span className="budget">
      <svg className={`budget-bar ${tone}`} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect className="budget-all" width="100" height="8" />
        <rect className="budget-left" width={left <= 0 ? 100 : width} height="8" />
      </svg>
      <strong className="num nowrap">{share(left)}</strong>
    </span>
  )
}

export function Lasts({ c }: { c: Standing }) {
  const t = useT()
  if (c.remaining === undefined || (c.burn === undefined && c.remaining > 0)) return <span className="quiet">–</span>
  if (c.remaining <= 0) return <Status tone="bad">{t.slos.spent}</Status>
  if (c.exhausted === undefined) return <span className="quiet">{t.slos.never}</span>
  return <span className="nowrap">{span(c.exhausted * 1000, t.time)}</span>
}
