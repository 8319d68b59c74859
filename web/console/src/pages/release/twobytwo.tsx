// The two-by-two of a trial: for each SLO under each fault the four cells, what differs, and
// what the server has made of it.
import type { Ratio } from '../../api/types'
import { useT, word } from '../../i18n'
import { effect, points, share, sure, word as wordOf, type Difference, type Finding, type Side, type Square } from '../../journey/cells'
import { percent } from '../../journey/series'
import { Scroll } from '../../ui/parts'
import { Status, type Tone } from '../../ui/status'

export function TwoByTwo({ squares }: { squares: Square[] }) {
  const t = useT()
  return (
    <div className="stack">
      <ul className="stack">{squares.map((s) => <li key={s.key}><One s={s} /></li>)}</ul>
      {squares.some((s) => s.found?.extra) && <p className="small quiet">{t.two.unit}</p>}
    </div>
  )
}

function One({ s }: { s: Square }) {
  const t = useT()
  const f = s.found
  const label = `${f?.title ?? s.slo}${t.common.comma}${s.experiment}${t.common.comma}${s.cluster}`
  return (
    <figure className="two stack tight">
      <figcaption className="row">
        <strong>{f?.title ?? s.slo}</strong>{f && f.title !== s.slo && <code className="small quiet">{s.slo}</code>}
        <span className="tag">{s.experiment}</span><span className="small quiet">{f?.beside ? t.two.beside(s.cluster, f.beside) : s.cluster}</span>
        {f && <Found f={f} />}
      </figcaption>
      <Scroll className="grid-wrap cells" label={label}>
        <table className="grid">
          <caption className="visually-hidden">{t.evidence.cells}{t.common.colon}{label}</caption>
          <thead><tr><td /><th scope="col" className="end">{t.evidence.calm}</th><th scope="col" className="end">{t.evidence.under}</th><th scope="col" className="end">{t.two.effect}</th></tr></thead>
          <tbody>
            <Row name={t.evidence.before} side={s.before} note={f?.code === 'another-fault' ? t.two.otherFault : undefined} />
            <Row name={t.evidence.now} side={s.now} />
            {f?.extra && <tr className="two-difference"><th scope="row">{t.two.difference}</th><Change d={f.without} /><Change d={f.under} /><Change d={f.extra} strong /></tr>}
          </tbody>
        </table>
      </Scroll>
      <Why s={s} />
    </figure>
  )
}

const tones: Record<ReturnType<typeof wordOf>, Tone> = { better: 'good', alike: 'good', worse: 'bad', untold: 'idle' }

function Found({ f }: { f: Finding }) {
  const t = useT()
  const what = wordOf(f)
  const tone = what === 'worse' && f.policy === 'tell' ? 'wait' : what === 'worse' && f.policy === 'hold' ? 'held' : tones[what]
  return <Status tone={tone} icon={what === 'untold' ? 'question' : undefined} badge>{t.two.word[what]}</Status>
}

function Row({ name, side, note }: { name: string; side: Side; note?: string }) {
  const lost = effect(side)
  return (
    <tr>
      <th scope="row">{name}</th>
      <Cell of={side.baseline} />{note ? <td className="end small quiet">{note}</td> : <Cell of={side.fault} />}
      <td className="num end">{lost === undefined ? <span className="quiet">–</span> : points(lost)}</td>
    </tr>
  )
}

function Cell({ of }: { of: Ratio | undefined }) {
  const v = share(of)
  return <td className="num end">{v === undefined || !of ? <span className="quiet">–</span> : <><span className="nowrap">{percent(v)}</span><span className="two-count small quiet">{of.good} / {of.total}</span></>}</td>
}

function Change({ d, strong }: { d: Difference | undefined; strong?: boolean }) {
  if (!d) return <td className="num end"><span className="quiet">–</span></td>
  const by = points(d.by)
  return <td className="num end">{strong ? <strong>{by}</strong> : by}{d.low !== undefined && d.high !== undefined && <span className="two-count small quiet">{points(d.low)} … {points(d.high)}</span>}</td>
}

/** Why says what was found and what follows; the server's own sentence is with the evidence below. */
function Why({ s: { found: f, before } }: { s: Square }) {
  const t = useT()
  if (!f) return <p className="small quiet">{before.baseline ?? before.fault ? t.two.uncompared : t.two.first}</p>
  const luck = wordOf(f) !== 'worse' || f.policy === 'tell' ? '' : f.worse > 1 ? t.two.again(f.worse, f.attempts) : t.two.once
  return (
    <div className="stack tight small">
      <p><span className="break">{word(t.two.code, f.code)}</span> <code className="quiet">{f.code}</code>{f.extra && f.confidence !== undefined && <> · {t.two.sure(sure(f.confidence))}</>}</p>
      {!f.extra && f.detail && <p className="break quiet">{f.detail}</p>}
      {f.extra && <p className="quiet">{[f.tolerance === undefined ? '' : t.two.tolerated(points(f.tolerance).replace('+', '')), f.policy ? word(t.two.policy, f.policy) : '', luck].filter(Boolean).join(' ')}</p>}
    </div>
  )
}
