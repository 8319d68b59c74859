import type { Release, Transition } from '../../api/types'
import { useT, word } from '../../i18n'
import { Status, toneOf } from '../../ui/status'
import { Clock, Since } from '../../ui/time'

export function Timeline({ r }: { r: Release }) {
  const t = useT()
  const history = r.history ?? []
  return (
    <section className="panel" aria-labelledby="timeline">
      <div className="panel-head"><h2 id="timeline">{t.release.timeline}</h2></div>
      <div className="panel-body">
        {history.length === 0 && <p className="quiet">{t.release.noHistory}</p>}
        <ol className="timeline">
          {history.map((h, i) => <Entry key={`${h.at}.${i}`} entry={h} next={history[i + 1]?.at} last={i === history.length - 1} over={r.due === undefined} />).reverse()}
        </ol>
      </div>
    </section>
  )
}

function Entry({ entry: h, next, last, over }: { entry: Transition; next: string | undefined; last: boolean; over: boolean }) {
  const t = useT()
  const place = [h.env, h.wave, h.shift && word(t.shift, h.shift), h.step ? t.step[h.step] : ''].filter(Boolean).join(' · ')
  return (
    <li>
      <Clock at={h.at} />
      <div className="stack tight">
        <div className="row tight"><Status tone={last || toneOf(h.to) === 'bad' || toneOf(h.to) === 'back' ? toneOf(h.to) : 'good'}>{word(last ? t.phase : t.place, h.to)}</Status>{place && <span className="small quiet">{place}</span>}</div>
        {(h.by !== 'seatrial' || h.reason) && <p className="small break quiet">{h.by !== 'seatrial' && <strong>{h.by} </strong>}{h.reason}</p>}
      </div>
      <span className="small quiet">{next !== undefined ? <Since from={h.at} to={next} /> : over ? '' : <Since from={h.at} />}</span>
    </li>
  )
}
