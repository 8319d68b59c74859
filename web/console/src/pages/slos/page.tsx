// One objective: how it is doing on each cluster, and the course of its budget on one of them
// with what happened there meanwhile.
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { lazy, Suspense, useMemo, useState } from 'react'
import { ApiError } from '../../api/client'
import { useCourse } from '../../api/hooks'
import type { Course, CourseMark, CourseShade } from '../../api/types'
import { useT, word } from '../../i18n'
import { lines, rows, share, times } from '../../journey/budget'
import { percent } from '../../journey/series'
import { Icon } from '../../ui/icons'
import { Empty, Failure, Loading, Note, Scroll, Sha } from '../../ui/parts'
import { Status, type Tone } from '../../ui/status'
import { known, Moment, Since, span } from '../../ui/time'
import { useTitle } from '../../ui/title'
import { Budget, Lasts, StandingStatus } from './standing'
import '../../styles/release.css'
import '../../styles/slos.css'

const Plot = lazy(() => import('../../ui/plot'))
const tableRows = 24

export function SLOPage() {
  const t = useT()
  const { name } = useParams({ from: '/shell/slos/$name' })
  const { cluster } = useSearch({ from: '/shell/slos/$name' })
  const course = useCourse(name, cluster)
  useTitle(`${t.slos.slo} ${course.data?.title ?? name}`)
  const c = course.data
  if (course.error instanceof ApiError && course.error.status === 404) return <Empty page title={t.slos.gone} hint={course.error.detail}><Link className="button" to="/slos">{t.slos.title}</Link></Empty>
  return (
    <>
      <div className="page-head">
        <div className="grow stack tight">
          <p className="row tight small"><Link to="/slos">{t.slos.title}</Link><Icon name="right" size={11} />{c && <Link to="/slos" search={{ service: c.service }}>{c.service}</Link>}</p>
          <h1>{c?.title ?? name}</h1>
          {c && <p className="num">{t.slos.objective} {percent(c.objective)} · {t.slos.window} {c.window}</p>}
          {c?.description && <p className="break">{c.description}</p>}
        </div>
      </div>
      {course.error && (c ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={course.error} retry={() => void course.refetch()} />)}
      {course.isPending && <div className="panel"><Loading lines={10} /></div>}
      {c && <div className="stack slo-page"><Clusters c={c} /><Plots c={c} /><Happened c={c} /><Figures c={c} /><Queries c={c} /></div>}
    </>
  )
}

function Clusters({ c }: { c: Course }) {
  const t = useT()
  const clusters = c.clusters ?? []
  if (clusters.length === 0) return null
  return (
    <Scroll className="panel grid-wrap" role="region" label={t.slos.caption}>
      <table className="grid slos">
        <caption className="visually-hidden">{t.slos.caption}</caption>
        <thead><tr><th scope="col">{t.common.cluster}</th><th scope="col">{t.slos.budget}</th><th scope="col">{t.common.state}</th><th scope="col" className="end">{t.slos.measured}</th><th scope="col" className="end">{t.slos.burn}</th><th scope="col">{t.slos.lasts}</th></tr></thead>
        <tbody>
          {clusters.map((s) => (
            <tr key={s.cluster} className={s.cluster === c.cluster ? 'is-here' : undefined}>
              <th scope="row"><Link to="/slos/$name" params={{ name: c.name }} search={{ cluster: s.cluster }} aria-current={s.cluster === c.cluster ? 'true' : undefined}>{s.cluster}</Link>{s.env !== s.cluster && <span className="small quiet normal"> {s.env}</span>}</th>
              <td><Budget left={s.remaining} /></td><td><StandingStatus c={s} /></td>
              <td className="num end">{s.measured === undefined ? '–' : percent(s.measured)}</td><td className="num end">{s.burn === undefined ? '–' : times(s.burn)}</td><td className="small"><Lasts c={s} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

const seconds = (at: string) => Date.parse(at) / 1000
const shadesOf = (c: Course) => (c.faults ?? []).map((f) => ({ from: seconds(f.from), to: known(f.to) ? seconds(f.to) : seconds(c.to ?? f.from) }))
const marksOf = (c: Course) => (c.releases ?? []).map((r) => ({ at: seconds(r.at), bad: r.end === 'refused' }))

function Plots({ c }: { c: Course }) {
  const t = useT()
  const navigate = useNavigate({ from: '/slos/$name' })
  const clusters = c.clusters ?? []
  return (
    <section className="panel" aria-labelledby="course">
      <div className="panel-head">
        <h2 id="course" className="grow">{t.slos.plots}</h2>
        {clusters.length > 1 && (
          <label className="row tight small">{t.slos.choose}
            <select className="select slo-choose" value={c.cluster} onChange={(e) => void navigate({ search: { cluster: e.target.value }, replace: true })}>{clusters.map((s) => <option key={s.cluster}>{s.cluster}</option>)}</select>
          </label>
        )}
      </div>
      <div className="panel-body stack">{(c.points ?? []).length < 2 ? <NoPlot c={c} /> : <Lines c={c} />}</div>
    </section>
  )
}

function NoPlot({ c }: { c: Course }) {
  const t = useT()
  return (
    <Note tone="wait" icon={c.code === 'could-not-ask' ? 'nosignal' : 'question'}>
      <strong>{t.slos.noPlot}{t.common.colon}{word(t.slos.code, c.code ?? 'no-data')}</strong>
      {c.problem && <span className="break">{c.problem}</span>}
      {c.hint && <span className="quiet">{t.common.hint}{t.common.colon}{c.hint}</span>}
    </Note>
  )
}

function Lines({ c }: { c: Course }) {
  const t = useT()
  const [at, setAt] = useState<number | null>(null)
  const left = useMemo(() => lines(c, 'remaining', t.slos.leftPlot), [c, t])
  const burn = useMemo(() => lines(c, 'burn', t.slos.burnPlot), [c, t])
  const shades = useMemo(() => shadesOf(c), [c])
  const marks = useMemo(() => marksOf(c), [c])
  const point = at === null ? undefined : c.points?.[at]
  const now = (c.clusters ?? []).find((s) => s.cluster === c.cluster)?.remaining
  return (
    <>
      <p className="small slo-read" aria-hidden="true">
        {point ? <><Moment at={point.at} /> <strong className="num">{point.remaining === undefined ? t.slos.unknown : share(point.remaining)}</strong> <span className="num">{point.burn === undefined ? t.slos.unknown : times(point.burn)}</span></> : now !== undefined && t.slos.left(share(now), c.window)}
      </p>
      <Line title={t.slos.leftPlot} lead={t.slos.leftLead}>{left && <Plot data={left} label={`${t.slos.leftPlot}, ${c.cluster ?? ''}`} threshold={0} shades={shades} marks={marks} unit="share" together="slo" onPoint={setAt} />}</Line>
      <Line title={t.slos.burnPlot} lead={t.slos.burnLead}>{burn && <Plot data={burn} label={`${t.slos.burnPlot}, ${c.cluster ?? ''}`} threshold={1} shades={shades} marks={marks} unit="times" together="slo" onPoint={setAt} />}</Line>
      <p className="row small quiet plot-key">
        <span className="key-threshold">{t.slos.none0} / {t.slos.allowed}</span>
        {marks.length > 0 && <span className="key-mark">{t.slos.release}</span>}
        {marks.some((m) => m.bad) && <span className="key-mark bad">{t.slos.refused}</span>}
        {shades.length > 0 && <span className="key-fault">{t.slos.faults}</span>}
        {c.known < 0.995 && <span>{t.slos.knownShare(percent(c.known))}</span>}
      </p>
    </>
  )
}

function Line({ title, lead, children }: { title: string; lead: string; children: React.ReactNode }) {
  return <figure className="stack tight"><figcaption><strong>{title}</strong> <span className="small quiet">{lead}</span></figcaption><Suspense fallback={<Loading lines={4} />}>{children}</Suspense></figure>
}

const endTone: Record<string, Tone> = { 'under way': 'active', verified: 'good', refused: 'bad' }

function Happened({ c }: { c: Course }) {
  const t = useT()
  const all = [...(c.releases ?? []).map((r) => ({ at: r.at, r, f: undefined })), ...(c.faults ?? []).map((f) => ({ at: f.from, r: undefined, f }))].sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
  return (
    <section className="panel" aria-labelledby="happened">
      <div className="panel-head"><h2 id="happened">{t.slos.happened}</h2></div>
      <div className="panel-body stack">
        {all.length === 0 && <p className="quiet">{t.slos.nothingHappened}</p>}
        <ol className="happened">{all.map((x) => <li key={`${x.at}${x.r?.release ?? x.f?.experiment ?? ''}`}><Moment at={x.at} />{x.r && <Came r={x.r} />}{x.f && <Broken f={x.f} />}</li>)}</ol>
        {c.leftOff && <p className="small quiet">{t.slos.leftOff}</p>}
      </div>
    </section>
  )
}

function Came({ r }: { r: CourseMark }) {
  const t = useT()
  return <span className="row tight"><Status tone={endTone[r.end] ?? 'idle'}>{`${t.slos.release}, ${word(t.slos.end, r.end)}`}</Status><Link to="/releases/$id" params={{ id: r.release }}>{r.message || r.release}</Link><Sha commit={r.commit} /></span>
}

function Broken({ f }: { f: CourseShade }) {
  const t = useT()
  return (
    <span className="row tight">
      <Status tone="active" icon="bolt">{f.experiment}</Status><span className="tag">{f.kind}</span>
      {known(f.to) ? <Since from={f.from} to={f.to} /> : <Status tone="wait">{t.slos.still}</Status>}
      {f.run ? <Link to="/experiments/$name/runs/$run" params={{ name: f.experiment, run: f.run }}>{t.runPage.open}</Link> : <span className="small quiet">{t.slos.inTrial}</span>}
    </span>
  )
}

function Figures({ c }: { c: Course }) {
  const t = useT()
  const table = rows(c, tableRows)
  if (table.length === 0) return null
  return (
    <details className="panel">
      <summary className="panel-head"><span className="fold"><Icon name="right" size={12} /></span><h2>{t.slos.table}</h2><span className="small quiet">{t.slos.tableLead}</span></summary>
      <Scroll className="grid-wrap" label={t.slos.table}>
        <table className="grid">
          <caption className="visually-hidden">{t.slos.plots}</caption>
          <thead><tr><th scope="col">{t.common.time}</th><th scope="col" className="end">{t.slos.leftPlot}</th><th scope="col" className="end">{t.slos.burnPlot}</th></tr></thead>
          <tbody>{table.map((p) => <tr key={p.at}><th scope="row"><Moment at={p.at} /></th><td className="num end">{p.remaining === undefined ? t.slos.unknown : share(p.remaining)}</td><td className="num end">{p.burn === undefined ? t.slos.unknown : times(p.burn)}</td></tr>)}</tbody>
        </table>
      </Scroll>
    </details>
  )
}

function Queries({ c }: { c: Course }) {
  const t = useT()
  const queries = c.queries ?? []
  if (queries.length === 0) return null
  return (
    <details className="panel">
      <summary className="panel-head"><span className="fold"><Icon name="right" size={12} /></span><h2>{t.slos.queries}</h2></summary>
      <div className="panel-body stack">
        <p className="small quiet">{t.slos.every(span((c.step ?? 0) * 1000, t.time))}</p>
        {queries.map((q) => <div key={q.name} className="query"><strong>{q.name}</strong><code className="query-expr">{q.expr}</code></div>)}
      </div>
    </details>
  )
}
