import type { Judgement, Release, Stage, Trial } from '../../api/types'
import { useT, word } from '../../i18n'
import { squares } from '../../journey/cells'
import { Icon } from '../../ui/icons'
import { OutcomeStatus } from '../../ui/status'
import { Clock } from '../../ui/time'
import { EvidenceList, FaultView } from './evidence'
import { TwoByTwo } from './twobytwo'

export function Verdicts({ r }: { r: Release }) {
  const t = useT()
  const verdicts = [...(r.verdicts ?? [])].reverse()
  const trials = (r.stages ?? []).filter((s) => s.trial)
  return (
    <section className="panel" aria-labelledby="verdicts">
      <div className="panel-head"><h2 id="verdicts" className="grow">{t.release.verdicts}</h2></div>
      {verdicts.length === 0 && <p className="panel-body quiet">{t.release.noVerdicts}</p>}
      <ol className="verdicts">{verdicts.map((j, i) => <Verdict key={`${j.at}.${verdicts.length - i}`} j={j} />)}</ol>
      {trials.map((s) => <TrialView key={s.env} stage={s} trial={s.trial as Trial} />)}
    </section>
  )
}

function Verdict({ j }: { j: Judgement }) {
  const t = useT()
  const v = j.verdict
  const evidence = v.evidence ?? []
  const head = (
    <>
      <OutcomeStatus outcome={v.outcome} />
      <strong className="verdict-gate">{word(t.gate, j.gate)}</strong>
      <span className="quiet small verdict-place">{[j.env, j.wave, j.shift && word(t.shift, j.shift)].filter(Boolean).join(' · ')}</span>
      {v.reason ? <span className="verdict-reason break">{v.reason}{v.code ? <code className="quiet small"> {v.code}</code> : null}</span> : <span className="verdict-reason quiet break">{evidence[0]?.claim}</span>}
      <span className="small quiet"><Clock at={j.at} /></span>
    </>
  )
  if (evidence.length === 0 && !v.hint) return <li className="verdict"><div className="verdict-head"><span className="fold" />{head}</div></li>
  return (
    <li className="verdict">
      <details open={v.outcome === 'Refuse' || v.outcome === 'Inconclusive'}>
        <summary className="verdict-head"><span className="fold"><Icon name="right" size={12} /></span>{head}</summary>
        <div className="verdict-body stack">
          {v.hint && <p><span className="label">{t.common.hint}{t.common.colon}</span>{v.hint}</p>}
          <EvidenceList evidence={evidence} />
        </div>
      </details>
    </li>
  )
}

function TrialView({ stage, trial }: { stage: Stage; trial: Trial }) {
  const t = useT()
  const cells = squares(trial, stage.previous?.trial)
  const evidence = trial.evidence ?? []
  if (cells.length === 0 && !trial.fault && evidence.length === 0) return null
  return (
    <details className="trial" open={stage.verified === undefined}>
      <summary><span className="fold"><Icon name="right" size={12} /></span><strong>{t.evidence.trial}{t.common.colon}{stage.env}</strong><span className="small quiet">{trial.step}{trial.attempt > 1 ? ` · ${t.release.attempt(trial.attempt)}` : ''}</span></summary>
      <div className="verdict-body stack">
        {cells.length > 0 && <TwoByTwo squares={cells} />}
        {evidence.length > 0 && <EvidenceList evidence={evidence} />}
        {trial.fault && <FaultView fault={trial.fault} />}
      </div>
    </details>
  )
}
