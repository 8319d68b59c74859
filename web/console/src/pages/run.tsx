// One run of an experiment: what was supposed, what was broken and when, what users felt, and
// how it ended.
import { Link, useParams } from '@tanstack/react-router'
import { lazy, Suspense, useMemo } from 'react'
import { ApiError, reportOf } from '../api/client'
import { useExperiments, useRun } from '../api/hooks'
import type { Run } from '../api/types'
import { useI18n, useT, word } from '../i18n'
import { percent } from '../journey/series'
import { moments, recovery, slis, type Sli } from '../journey/trial'
import { Icon } from '../ui/icons'
import { Empty, Failure, Loading, Note, Scroll } from '../ui/parts'
import { OutcomeStatus, RunStatus, Status } from '../ui/status'
import { Clock, known, Moment, Since } from '../ui/time'
import { useTitle } from '../ui/title'
import { EvidenceList, FaultView } from './release/evidence'
import '../styles/release.css'
import '../styles/run.css'

const Plot = lazy(() => import('../ui/plot'))

export function RunPage() {
  const { t, lang } = useI18n()
  const { name, run: id } = useParams({ from: '/shell/experiments/$name/runs/$run' })
  const run = useRun(id)
  useTitle(`${name} ${id}`)
  const r = run.data
  if (run.error instanceof ApiError && run.error.status === 404) return <Empty page title={t.runPage.gone} hint={run.error.detail}><Link className="button" to="/experiments" search={{ name }}>{t.runPage.back}</Link></Empty>
  return (
    <>
      <div className="page-head">
        <div className="grow stack tight">
          <p className="row tight small"><Link to="/experiments" search={{ name }}>{t.runPage.back}</Link><Icon name="right" size={11} /><Link to="/experiments/calendar">{t.calendar.link}</Link></p>
          <h1>{name}</h1>
          {r && <p className="row tight small"><span>{r.service}</span><span className="tag">{r.env}</span>{r.cluster && r.cluster !== r.env && <span>{r.cluster}</span>}<Moment at={r.started} /><span>· {word(t.experiments.trigger, r.trigger)}{r.by ? `${t.common.colon}${r.by}` : ''}</span></p>}
        </div>
        {r && known(r.ended) && <a className="button small" href={reportOf(r.id, lang)} target="_blank" rel="noreferrer">{t.runPage.report}</a>}
        {r && <span role="status"><RunStatus state={r.state} /></span>}
      </div>
      {run.error && (r ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={run.error} retry={() => void run.refetch()} />)}
      {run.isPending && <div className="panel"><Loading lines={10} /></div>}
      {r && <Body r={r} />}
    </>
  )
}

function Body({ r }: { r: Run }) {
  const t = useT()
  const evidence = useMemo(() => r.verdict?.evidence ?? [], [r])
  const withFault = evidence.some((e) => e.fault)
  return (
    <div className="run">
      <div className="stack run-main">
        <Verdict r={r} />
        <Felt r={r} />
        <section className="panel" aria-labelledby="evidence"><div className="panel-head"><h2 id="evidence">{t.runPage.evidence}</h2></div><div className="panel-body stack"><EvidenceList evidence={evidence} />{r.fault && !withFault && <FaultView fault={r.fault} />}</div></section>
      </div>
      <div className="stack run-side"><Facts r={r} /><Timeline r={r} /></div>
    </div>
  )
}

function Verdict({ r }: { r: Run }) {
  const t = useT()
  const text = [r.verdict?.reason, r.message].filter((x, i, all) => x && all.indexOf(x) === i).join(' · ')
  return (
    <section className="panel" aria-labelledby="verdict">
      <div className="panel-head"><h2 id="verdict" className="grow">{t.runPage.verdict}</h2>{r.verdict && <OutcomeStatus outcome={r.verdict.outcome} />}</div>
      <div className="panel-body stack tight">
        {text ? <p className="break">{text}</p> : <p className="quiet">{r.verdict ? word(t.outcome, r.verdict.outcome) : t.runPage.noVerdict}</p>}
        {r.verdict?.hint && <p className="small"><span className="label">{t.common.hint}{t.common.colon}</span>{r.verdict.hint}</p>}
      </div>
    </section>
  )
}

function Felt({ r }: { r: Run }) {
  const t = useT()
  const all = useMemo(() => slis(r.verdict?.evidence ?? []), [r])
  const shades = useMemo(() => {
    const f = r.fault
    if (!f || !known(f.injected)) return undefined
    const to = known(f.recovered) ? f.recovered : known(r.ended) ? r.ended : new Date().toISOString()
    return [{ from: Date.parse(f.injected) / 1000, to: Date.parse(to) / 1000 }]
  }, [r])
  return (
    <section className="panel" aria-labelledby="felt">
      <div className="panel-head"><h2 id="felt">{t.runPage.sli}</h2><span className="small quiet">{t.runPage.sliLead}</span></div>
      <div className="panel-body stack">
        {all.length === 0 && <p className="quiet">{t.runPage.none}</p>}
        {all.map((s) => <Indicator key={s.name} s={s} shades={shades} />)}
        {all.some((s) => s.plot) && <p className="row small quiet plot-key"><span className="key-threshold">{t.evidence.threshold}</span>{shades && <span className="key-fault">{t.evidence.faultWindow}</span>}</p>}
      </div>
    </section>
  )
}

function Indicator({ s, shades }: { s: Sli; shades: { from: number; to: number }[] | undefined }) {
  const t = useT()
  return (
    <figure className="stack tight">
      <figcaption className="row tight"><strong>{s.name}</strong>{s.threshold !== undefined && <span className="small quiet num">{t.slos.objective} {percent(s.threshold)}</span>}</figcaption>
      {s.plot && <Suspense fallback={<Loading lines={4} />}><Plot data={s.plot} label={`${t.runPage.sli}${t.common.colon}${s.name}`} threshold={s.threshold} shades={shades} unit="share" /></Suspense>}
      <Scroll className="grid-wrap" label={s.name}>
        <table className="grid">
          <caption className="visually-hidden">{s.name}</caption>
          <thead><tr><th scope="col">{t.evidence.window}</th><th scope="col">{t.common.time}</th><th scope="col" className="end">{t.evidence.measured}</th><th scope="col">{t.common.state}</th></tr></thead>
          <tbody>{s.windows.map((w) => <tr key={w.from + w.to}><th scope="row">{w.fault ? t.runPage.under : t.runPage.calm}</th><td className="nowrap"><Clock at={w.from} /> – <Clock at={w.to} /></td><td className="num end">{w.measured === undefined ? t.slos.unknown : percent(w.measured)}</td><td><Status tone={w.holds ? 'good' : 'bad'}>{w.holds ? t.evidence.holds : t.evidence.broken}</Status></td></tr>)}</tbody>
        </table>
      </Scroll>
    </figure>
  )
}

function Facts({ r }: { r: Run }) {
  const t = useT()
  const x = useExperiments().data?.items?.find((e) => e.name === r.experiment)
  const back = recovery(r.verdict?.evidence ?? [])
  const f = r.fault
  const targets = f?.targets ?? []
  return (
    <section className="panel" aria-labelledby="facts">
      <div className="panel-head"><h2 id="facts">{t.evidence.experiment}</h2></div>
      <div className="panel-body">
        <dl className="facts">
          <dt>{t.experiments.hypothesis}</dt><dd>{(x?.spec.hypothesis ?? []).length > 0 ? (x?.spec.hypothesis ?? []).map((n) => <span key={n}><Link to="/slos/$name" params={{ name: n }}>{n}</Link> </span>) : t.experiments.allSlos}</dd>
          {f && <><dt>{t.experiments.fault}</dt><dd><span className="tag">{f.kind} {f.action}</span></dd></>}
          <dt>{t.runPage.targets}</dt><dd>{targets.length === 0 ? <span className="quiet">{t.runPage.noTargets}</span> : <ul>{targets.map((p) => <li key={p}><code className="break">{p}</code></li>)}</ul>}</dd>
          {f && known(f.injected) && <><dt>{t.runPage.faultFor}</dt><dd>{known(f.recovered) || known(r.ended) ? <Since from={f.injected} to={known(f.recovered) ? f.recovered : r.ended} /> : <Since from={f.injected} />} {!known(f.recovered) && <Status tone="wait">{t.evidence.notRecovered}</Status>}</dd></>}
          {back && <><dt>{t.runPage.recovery}</dt><dd>{back.holds ? (back.seconds === undefined ? '–' : t.runPage.seconds(Math.ceil(back.seconds + 1))) : <Status tone="bad">{t.runPage.notBack}</Status>}</dd></>}
          <dt>{t.runPage.took}</dt><dd><Since from={r.started} to={r.ended} /></dd>
          <dt>{t.common.name}</dt><dd><code className="break">{r.id}</code></dd>
        </dl>
      </div>
    </section>
  )
}

function Timeline({ r }: { r: Run }) {
  const t = useT()
  return (
    <section className="panel" aria-labelledby="timeline">
      <div className="panel-head"><h2 id="timeline">{t.runPage.timeline}</h2></div>
      <ol className="panel-body run-times">{moments(r).map((m) => <li key={m.what} className={m.what === 'injected' ? 'is-fault' : undefined}><Clock at={m.at} /><span>{word(t.runPage.moment, m.what)}</span></li>)}</ol>
    </section>
  )
}
