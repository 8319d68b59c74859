// One piece of evidence, folded to its claim; open, it shows all that the verdict rests on.
import { lazy, Suspense, useMemo } from 'react'
import type { Evidence as EvidenceData, FaultRecord, Query } from '../../api/types'
import { useT, word } from '../../i18n'
import { figure, isShare, labelsOf, plotOf } from '../../journey/series'
import { Icon } from '../../ui/icons'
import { Loading, Sha } from '../../ui/parts'
import { Status } from '../../ui/status'
import { Clock, known } from '../../ui/time'

const Plot = lazy(() => import('../../ui/plot'))
const shownSamples = 12

export function EvidenceList({ evidence }: { evidence: EvidenceData[] }) {
  const t = useT()
  if (evidence.length === 0) return <p className="small quiet">{t.release.noEvidence}</p>
  return <ul className="stack tight">{evidence.map((e, i) => <li key={i}><EvidenceItem e={e} /></li>)}</ul>
}

function EvidenceItem({ e }: { e: EvidenceData }) {
  const t = useT()
  const facts = Object.entries(e.facts ?? {})
  return (
    <details className="evidence">
      <summary>
        <span className="fold"><Icon name="right" size={12} /></span>
        <Status tone={e.holds ? 'good' : 'bad'}>{e.holds ? t.evidence.holds : t.evidence.broken}</Status>
        <span className="evidence-claim">{e.claim}</span>
        {e.measured !== undefined && <span className="evidence-figure num"><strong>{figure(e.measured, isShare(e))}</strong>{e.threshold !== undefined && <span className="quiet"> / {figure(e.threshold, isShare(e))}</span>}</span>}
      </summary>
      <div className="evidence-body stack">
        {e.detail && <p className="break pre">{e.detail}</p>}
        <dl className="facts small">
          <dt>{t.evidence.gate}</dt><dd>{word(t.gate, e.gate)}</dd>
          {e.cluster && <><dt>{t.common.cluster}</dt><dd>{e.cluster}</dd></>}
          {e.revision && <><dt>{t.common.revision}</dt><dd><Sha commit={e.revision} /></dd></>}
          {(known(e.from) || known(e.to)) && <><dt>{t.evidence.window}</dt><dd>{known(e.from) && <><Clock at={e.from} /> → </>}<Clock at={e.to} /></dd></>}
          {e.measured !== undefined && <><dt>{t.evidence.measured}</dt><dd className="num">{figure(e.measured, isShare(e))} <span className="quiet">({e.measured})</span></dd></>}
          {e.threshold !== undefined && <><dt>{t.evidence.threshold}</dt><dd className="num">{figure(e.threshold, isShare(e))}</dd></>}
          {facts.map(([k, v]) => <Fact key={k} name={k} value={v} />)}
        </dl>
        {(e.queries ?? []).map((q, i) => <QueryView key={`${q.name}.${i}`} q={q} e={e} />)}
        {e.fault && <FaultView fault={e.fault} />}
      </div>
    </details>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return <><dt>{name}</dt><dd className="mono break">{value}</dd></>
}

export function faultWindow(e: EvidenceData): { from: number; to: number } | undefined {
  const f = e.fault
  if (!f || !known(f.injected)) return undefined
  const end = known(f.recovered) ? f.recovered : known(e.to) ? e.to : undefined
  return end === undefined ? undefined : { from: Date.parse(f.injected) / 1000, to: Date.parse(end) / 1000 }
}

function QueryView({ q, e }: { q: Query; e: EvidenceData }) {
  const t = useT()
  const plot = useMemo(() => plotOf(q), [q])
  const samples = q.samples ?? []
  const window = useMemo(() => faultWindow(e), [e])
  const shades = useMemo(() => (window ? [window] : undefined), [window])
  const values = samples.map((s) => s.value)
  const inRange = e.threshold !== undefined && values.length > 0 && Math.max(...values) <= 1.5 && e.threshold <= 1
  return (
    <figure className="query">
      <figcaption className="stack tight">
        <span className="row tight"><strong>{q.name}</strong><span className="small quiet">{t.evidence.samples(samples.length)} · {t.evidence.at} <Clock at={q.at} /></span></span>
        <code className="query-expr">{q.expr}</code>
      </figcaption>
      {(q.warnings ?? []).map((w) => <p key={w} className="small"><Status tone="wait">{t.evidence.warnings}</Status> {w}</p>)}
      {plot ? (
        <>
          <Suspense fallback={<Loading lines={3} />}>
            <Plot data={plot} threshold={inRange ? e.threshold : undefined} shades={shades} label={`${t.evidence.plot}${t.common.colon}${q.name}, ${figure(Math.min(...values), inRange)} – ${figure(Math.max(...values), inRange)}`} />
          </Suspense>
          <p className="row small quiet plot-key">
            {inRange && <span className="key-threshold">{t.evidence.threshold} {figure(e.threshold, isShare(e))}</span>}
            {window && <span className="key-fault">{t.evidence.faultWindow}{t.common.colon}{e.fault?.experiment}</span>}
            {plot.series.length > 1 && <span>{plot.series.map((s) => s.name).join('  ')}</span>}
          </p>
        </>
      ) : samples.length === 0 ? <p className="small quiet">{t.evidence.noSamples}</p> : (
        <ul className="samples small mono">
          {samples.slice(0, shownSamples).map((s, i) => <li key={i}><span className="quiet break">{labelsOf(s) || q.name}</span> <strong className="num">{s.value}</strong></li>)}
          {samples.length > shownSamples && <li className="quiet">{t.evidence.more(samples.length - shownSamples)}</li>}
        </ul>
      )}
    </figure>
  )
}

export function FaultView({ fault: f }: { fault: FaultRecord }) {
  const t = useT()
  return (
    <div className="fault">
      <div className="row tight"><strong>{t.evidence.fault}{t.common.colon}{f.experiment}</strong><span className="tag">{f.kind} {f.action}</span>{known(f.recovered) ? <Status tone="good">{t.evidence.recovered}</Status> : known(f.injected) ? <Status tone="wait">{t.evidence.notRecovered}</Status> : null}</div>
      <dl className="facts small">
        <dt>{t.common.name}</dt><dd className="mono">{f.cluster} / {f.namespace} / {f.name}</dd>
        {(f.targets ?? []).length > 0 && <><dt>{t.evidence.targets}</dt><dd className="mono">{(f.targets ?? []).join(', ')}</dd></>}
        <dt>{t.evidence.created}</dt><dd><Clock at={f.created} /></dd>
        <dt>{t.evidence.injected}</dt><dd><Clock at={f.injected} /></dd>
        <dt>{t.evidence.recovered}</dt><dd><Clock at={f.recovered} /></dd>
        {f.message && <><dt>{t.common.message}</dt><dd className="break">{f.message}</dd></>}
      </dl>
    </div>
  )
}
