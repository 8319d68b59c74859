import type { Release, Stage, Target, Wave } from '../../api/types'
import { useT, word } from '../../i18n'
import { Scroll, Sha } from '../../ui/parts'
import { Status, TargetStatus } from '../../ui/status'
import { Clock, Since } from '../../ui/time'

export function Targets({ r }: { r: Release }) {
  const t = useT()
  const stages = r.stages ?? []
  return (
    <section className="panel" aria-labelledby="targets">
      <div className="panel-head"><h2 id="targets">{t.release.targets}</h2></div>
      {stages.map((s, i) => <StageTargets key={s.env} stage={s} reached={i <= r.stage && s.started !== undefined} />)}
    </section>
  )
}

function StageTargets({ stage, reached }: { stage: Stage; reached: boolean }) {
  const t = useT()
  const waves = stage.waves ?? []
  return (
    <div className="stage">
      <div className="stage-head">
        <h3>{stage.env}</h3>
        {stage.returned ? <Status tone="back">{t.node.returned}</Status> : stage.verified ? <Status tone="good">{t.phase.Verified}</Status> : !reached && <Status tone="idle">{t.release.notStarted}</Status>}
        {stage.desired && <span className="small quiet">{t.release.desiredState} <Sha commit={stage.desired} /></span>}
        {stage.return && <span className="small quiet">{t.release.returnedBy} <Sha commit={stage.return} /></span>}
        {stage.previous && <span className="small quiet">{t.release.previous} <Sha commit={stage.previous.commit} /></span>}
      </div>
      {waves.length === 0 ? <p className="stage-empty small quiet">{t.release.noWaves}</p> : (
        <Scroll className="grid-wrap" label={`${t.release.targets}${t.common.colon}${stage.env}`}>
          <table className="grid targets">
            <caption className="visually-hidden">{t.release.targets}: {stage.env}</caption>
            <thead><tr><th scope="col">{t.release.wave}</th><th scope="col">{t.common.cluster}</th><th scope="col">{t.common.state}</th><th scope="col">{t.common.revision}</th><th scope="col">{t.release.synced}</th><th scope="col">{t.release.healthy}</th><th scope="col">{t.common.message}</th></tr></thead>
            {waves.map((w, i) => (
              <tbody key={w.name}>
                {(w.targets ?? []).map((target, j) => (
                  <Row key={target.cluster} target={target}>
                    {j === 0 && (
                      <th scope="rowgroup" rowSpan={(w.targets ?? []).length}>
                        <span className="num quiet">{i + 1}.</span> {w.name}
                        <Shifts wave={w} />
                        {w.started && <div className="small quiet"><Since from={w.started} to={w.passed ?? stage.refused} /></div>}
                      </th>
                    )}
                  </Row>
                ))}
              </tbody>
            ))}
          </table>
        </Scroll>
      )}
    </div>
  )
}

/** Shifts are the steps of a wave from the old side to the new one; the one that a target is in stands out. */
function Shifts({ wave }: { wave: Wave }) {
  const t = useT()
  const now = (wave.targets ?? []).map((x) => x.shift).find(Boolean)
  const names = (wave.shifts ?? []).flatMap((x) => x.name ?? [])
  return (
    <div className="small quiet">
      {names.map((name, i) => (
        <span key={name}>{i > 0 && ' → '}{name === now ? <strong aria-current="step">{word(t.shift, name)}</strong> : word(t.shift, name)}</span>
      ))}
    </div>
  )
}

function Row({ target, children }: { target: Target; children: React.ReactNode }) {
  return (
    <tr>
      {children}
      <td>{target.cluster}</td>
      <td><TargetStatus state={target.state} /></td>
      <td><Sha commit={target.revision} /></td>
      <td><Clock at={target.synced} /></td>
      <td><Clock at={target.healthy} /></td>
      <td className="small break target-message">{target.message}</td>
    </tr>
  )
}
