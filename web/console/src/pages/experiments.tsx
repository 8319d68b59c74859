// Experiments: what may be broken, when it is broken next, and what came of it.
import { useQueryClient } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { api } from '../api/client'
import { useExperiments, useMay, usePlan, useRuns, useStop } from '../api/hooks'
import type { Experiment, ExperimentSpec, Run } from '../api/types'
import { useT } from '../i18n'
import type { Messages } from '../i18n/en'
import { Confirm } from '../ui/confirm'
import { Icon } from '../ui/icons'
import { Action, Empty, Failure, Labels, Loading, Note } from '../ui/parts'
import { RunStatus } from '../ui/status'
import { Age, known, Moment, Since } from '../ui/time'
import { useTitle } from '../ui/title'
import { Agree, useWhere } from './consent'
import { EvidenceList, FaultView } from './release/evidence'
import '../styles/release.css'
import '../styles/experiments.css'

export function Experiments() {
  const t = useT()
  const search = useSearch({ from: '/shell/experiments' })
  const list = useExperiments()
  useTitle(t.experiments.title)
  const items = list.data?.items ?? []
  const chosen = items.find((x) => x.name === search.name) ?? items[0]
  return (
    <>
      <div className="page-head"><div className="grow"><h1>{t.experiments.title}</h1><p>{t.experiments.lead}</p></div><Link className="button small" to="/experiments/calendar">{t.calendar.link}</Link><KillSwitch /></div>
      {list.error && !list.data && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <div className="panel"><Loading /></div>}
      {list.data && items.length === 0 && <div className="panel"><Empty title={t.experiments.none} hint={t.experiments.noneHint} /></div>}
      {chosen && (
        <div className="experiments">
          <ul className="stack">{items.map((x) => <li key={x.name}><Card x={x} chosen={x.name === chosen.name} /></li>)}</ul>
          <History key={chosen.name} x={chosen} />
        </div>
      )}
    </>
  )
}

/** KillSwitch stops everything that is broken on purpose, everywhere, and says when it is on. */
function KillSwitch() {
  const t = useT()
  const may = useMay()
  const client = useQueryClient()
  const stop = useStop().data
  const [asking, setAsking] = useState(false)
  if (!stop) return null
  const words = stop.stopped ? { verb: t.experiments.resume, lead: t.experiments.askResume } : { verb: t.experiments.stop, lead: t.experiments.askStop }
  return (
    <div className="row">
      {stop.stopped && <Note tone="bad">{t.experiments.stopped} {(stop.why ?? '').replace(/^the kill switch is on( \([^)]*\))?:? ?/, '')}</Note>}
      {may && <Action look={stop.stopped ? 'small' : 'small danger'} onClick={() => setAsking(true)}>{words.verb}</Action>}
      {asking && (
        <Confirm title={words.verb} lead={words.lead} verb={words.verb} danger={!stop.stopped} send={(reason, key) => api.switchChaos({ stopped: !stop.stopped, reason }, { key })}
          onDone={(now) => { client.setQueryData(['chaos'], now) }} onClose={() => setAsking(false)} />
      )}
    </div>
  )
}

/** Victims are what a run would hit now. */
function Victims({ name, env, service }: { name: string; env: string; service: string }) {
  const t = useT()
  const plan = usePlan(name, { env, service })
  if (plan.error) return <Failure error={plan.error} />
  if (!plan.data) return null
  return (
    <section className="small">
      <h3 className="small">{t.experiments.victims(plan.data.targets.length, plan.data.matching.length, plan.data.cluster ?? '')}</h3>
      <ul>{plan.data.targets.map((pod) => <li key={pod}><code>{pod}</code></li>)}</ul>
      {plan.data.refused && <Note tone="wait">{t.experiments.notNow}{t.common.colon}{plan.data.refused}{plan.data.hint && <><br /><span className="label">{t.common.hint}{t.common.colon}</span>{plan.data.hint}</>}</Note>}
    </section>
  )
}

function Card({ x, chosen }: { x: Experiment; chosen: boolean }) {
  const t = useT()
  const may = useMay()
  const [asking, setAsking] = useState<'run' | 'agree' | 'abort' | null>(null)
  return (
    <article className={`panel experiment${chosen ? ' is-chosen' : ''}`} aria-labelledby={`x-${x.name}`}>
      <div className="panel-head">
        <h2 id={`x-${x.name}`} className="grow"><Link to="/experiments" search={{ name: x.name }} aria-current={chosen ? 'true' : undefined}>{x.name}</Link></h2>
        <span role="status">{x.running && <RunStatus state={x.running.state} />}</span>
        {may && (x.running
          ? <Action look="small danger" onClick={() => setAsking('abort')}>{t.experiments.abort}</Action>
          : <Action look="small" onClick={() => setAsking('run')}><Icon name="play" size={12} />{t.experiments.run}</Action>)}
        {may && <Action look="small" onClick={() => setAsking('agree')}>{t.consent.approve}</Action>}
      </div>
      <div className="panel-body stack">
        <Spec spec={x.spec}>
          <dt>{t.experiments.schedule}</dt><dd>{x.spec.schedule ? <><code>{x.spec.schedule.cron}</code> {x.spec.schedule.timeZone} · {(x.spec.schedule.environments ?? []).join(', ')}</> : t.experiments.onDemand}</dd>
          {known(x.next) && <><dt>{t.experiments.next}</dt><dd><Age at={x.next} /> <span className="quiet">(<Moment at={x.next} />)</span></dd></>}
          <dt>{t.experiments.last}</dt><dd>{(x.last ?? []).length === 0 ? <span className="quiet">{t.experiments.noRuns}</span> : <ul className="row tight">{(x.last ?? []).slice(0, 5).map((r) => <li key={r.id} title={`${r.env} ${r.ended ?? ''}`}><RunStatus state={r.state} badge={false} /></li>)}</ul>}</dd>
        </Spec>
      </div>
      {asking === 'run' && <RunNow x={x} onClose={() => setAsking(null)} />}
      {asking === 'agree' && <Agree x={x} onClose={() => setAsking(null)}><Spec spec={x.spec} /></Agree>}
      {asking === 'abort' && x.running && <AbortRun run={x.running} onClose={() => setAsking(null)} />}
    </article>
  )
}

function limitsOf(spec: ExperimentSpec, t: Messages['experiments']): string[] {
  const l = spec.limits ?? {}
  return [
    l.maxTargets ? t.maxTargets(l.maxTargets) : '', l.maxPercent ? t.maxPercent(l.maxPercent) : '',
    l.maxDuration && l.maxDuration !== '0s' ? t.maxDuration(l.maxDuration) : '', l.minReady ? t.minReady(l.minReady) : '',
  ].filter((s) => s !== '')
}

function Spec({ spec, children }: { spec: ExperimentSpec; children?: ReactNode }) {
  const t = useT()
  const f = spec.fault
  const limits = limitsOf(spec, t.experiments)
  return (
    <dl className="facts small">
      <dt>{t.experiments.service}</dt><dd>{spec.service || <span className="quiet">{t.experiments.trialed}</span>}</dd>
      <dt>{t.experiments.fault}</dt><dd className="row tight"><span className="tag">{f.kind} {f.action}</span>{f.mode}{f.value ? ` ${f.value}` : ''} {t.experiments.in} {f.namespace} <Labels labels={f.selector.matchLabels} />{f.duration}</dd>
      {limits.length > 0 && <><dt>{t.experiments.limits}</dt><dd>{limits.join(t.common.comma)}</dd></>}
      <dt>{t.experiments.hypothesis}</dt><dd>{(spec.hypothesis ?? []).join(', ') || t.experiments.allSlos}</dd>
      {children}
    </dl>
  )
}

function useAgain(name: string): () => void {
  const client = useQueryClient()
  return () => {
    void client.invalidateQueries({ queryKey: ['experiments'] })
    void client.invalidateQueries({ queryKey: ['runs', name] })
  }
}

function RunNow({ x, onClose }: { x: Experiment; onClose: () => void }) {
  const t = useT()
  const again = useAgain(x.name)
  const { env, service, fields } = useWhere(x)
  return (
    <Confirm title={`${t.experiments.run}${t.common.colon}${x.name}`} lead={t.experiments.askRun} verb={t.experiments.run} danger ready={env !== '' && service !== ''}
      send={(reason, key) => api.runExperiment(x.name, { env, reason, ...(x.spec.service ? {} : { service }) }, { key })} onDone={again} onClose={onClose}>
      <Spec spec={x.spec} />
      {fields}
      <Victims name={x.name} env={env} service={service} />
    </Confirm>
  )
}

function AbortRun({ run, onClose }: { run: Run; onClose: () => void }) {
  const t = useT()
  const again = useAgain(run.experiment)
  return <Confirm title={`${t.experiments.abort}${t.common.colon}${run.experiment}`} lead={t.experiments.askAbort} verb={t.experiments.abort} danger send={(reason, key) => api.abortRun(run.id, { reason }, { key })} onDone={again} onClose={onClose} />
}

function History({ x }: { x: Experiment }) {
  const t = useT()
  const runs = useRuns(x.name)
  const items = (runs.data?.pages ?? []).flatMap((p) => p.items ?? [])
  return (
    <section className="panel" aria-labelledby="runs">
      <div className="panel-head"><h2 id="runs">{t.experiments.history}{t.common.colon}{x.name}</h2></div>
      {runs.error && !runs.data && <div className="panel-body"><Failure error={runs.error} retry={() => void runs.refetch()} /></div>}
      {runs.isPending && <Loading />}
      {runs.data && items.length === 0 && <Empty title={t.experiments.noRuns} icon="compass" />}
      <ol className="verdicts">{items.map((r) => <li key={r.id} className="verdict"><RunView run={r} /></li>)}</ol>
      {runs.hasNextPage && <p className="panel-body"><button type="button" className="button small" onClick={() => void runs.fetchNextPage()}>{t.common.more}</button></p>}
    </section>
  )
}

function RunView({ run: r }: { run: Run }) {
  const t = useT()
  const evidence = r.verdict?.evidence ?? []
  const withFault = evidence.some((e) => e.fault)
  const text = [r.verdict?.reason, r.message].filter(Boolean).join(' · ')
  return (
    <details>
      <summary className="verdict-head">
        <span className="fold"><Icon name="right" size={12} /></span>
        <RunStatus state={r.state} />
        <Moment at={r.started} />
        <span className="small quiet nowrap">{r.service} · {r.env}{r.cluster && r.cluster !== r.env ? ` · ${r.cluster}` : ''}</span>
        <span className="small quiet verdict-reason break">{text}</span>
        <span className="small quiet nowrap">{t.experiments.trigger[r.trigger] ?? r.trigger}{r.by ? `: ${r.by}` : ''} · <Since from={r.started} to={r.ended} /></span>
      </summary>
      <div className="verdict-body stack">
        {r.verdict?.hint && <p><span className="label">{t.common.hint}{t.common.colon}</span>{r.verdict.hint}</p>}
        <p><Link to="/experiments/$name/runs/$run" params={{ name: r.experiment, run: r.id }}>{t.runPage.open}</Link></p>
        <EvidenceList evidence={evidence} />
        {r.fault && !withFault && <FaultView fault={r.fault} />}
      </div>
    </details>
  )
}
