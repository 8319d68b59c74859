// The steps of a build: what each was, whether it ran, when, and for how long.
import { Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import type { Build, BuildStep } from '../../api/types'
import { useT } from '../../i18n'
import { barsOf, bytes, msOf, stateOf, took, type Bar, type StepState } from '../../journey/build'
import { Empty, Scroll } from '../../ui/parts'
import type { IconName } from '../../ui/icons'
import { Status, type Tone } from '../../ui/status'

const looks: Record<StepState, { tone: Tone; icon?: IconName }> = { done: { tone: 'good' }, cached: { tone: 'idle', icon: 'bolt' }, failed: { tone: 'bad' }, stopped: { tone: 'wait', icon: 'dash' } }

export function Steps({ b }: { b: Build }) {
  const t = useT()
  const [ran, setRan] = useState(false)
  const all = useMemo(() => b.steps ?? [], [b.steps])
  const bars = useMemo(() => barsOf(all), [all])
  const rows = all.map((step, i) => ({ step, bar: bars[i], key: i })).filter(({ step }) => !ran || stateOf(step) !== 'cached')
  return (
    <section className="panel" aria-labelledby="steps">
      <div className="panel-head">
        <h2 id="steps">{t.build.steps}</h2>
        <span className="small quiet num" role="status">{t.build.shown(rows.length, all.length)}</span>
        {all.length > 0 && <label className="row tight small end"><input type="checkbox" checked={ran} onChange={(e) => setRan(e.target.checked)} />{t.build.onlyRan}</label>}
      </div>
      {all.length === 0 ? <Empty title={t.build.noSteps} hint={t.build.noStepsHint} /> : rows.length === 0 ? <Empty title={t.build.allCached} icon="bolt" /> : (
        <Scroll className="grid-wrap" label={t.build.steps}>
          <table className="grid steps">
            <caption className="visually-hidden">{t.build.steps}</caption>
            <thead><tr><th scope="col">{t.release.step}</th><th scope="col" className="wide">{t.build.platform}</th><th scope="col">{t.common.state}</th><th scope="col" className="end">{t.experiments.duration}</th><th scope="col" className="wide"><span className="visually-hidden">{t.build.timeline}</span></th><th scope="col">{t.build.log}</th></tr></thead>
            <tbody>{rows.map(({ step, bar, key }) => <Row key={key} id={b.ranFor} s={step} bar={bar} />)}</tbody>
          </table>
        </Scroll>
      )}
      {(b.leftOut ?? 0) > 0 && <p className="panel-body small quiet">{t.build.leftOut(b.leftOut ?? 0)}</p>}
    </section>
  )
}

function Row({ id, s, bar }: { id: string; s: BuildStep; bar: Bar | undefined }) {
  const t = useT()
  const state = stateOf(s)
  const ms = msOf(s)
  return (
    <tr>
      <th scope="row" className="step-name"><code className="break">{s.name}</code>{s.error && <p className="small break step-error">{s.error}</p>}</th>
      <td className="nowrap wide">{s.platform ?? <span className="quiet">{t.common.all}</span>}</td>
      <td><Status tone={looks[state].tone} icon={looks[state].icon}>{t.build.state[state]}</Status></td>
      <td className={`num nowrap end ${state === 'cached' ? 'quiet' : ''}`}>{ms === undefined ? '–' : took(ms)}</td>
      <td className="step-time wide">{bar && <Track bar={bar} state={state} />}</td>
      <td className="nowrap">
        {s.logBytes > 0 || s.error
          ? <Link from="/releases/$id/build" to="/releases/$id/build" params={{ id }} search={(old) => ({ ...old, step: s.name })} resetScroll={false}>{s.logBytes > 0 ? bytes(s.logBytes) : t.common.show}<span className="visually-hidden">{t.common.colon}{s.name}</span></Link>
          : <span className="quiet">–</span>}
      </td>
    </tr>
  )
}

/** Track draws when a step ran within the build; the figure beside it says the same. */
function Track({ bar, state }: { bar: Bar; state: StepState }) {
  return (
    <span className="track" aria-hidden="true">
      <span className={`track-bar is-${state}`} style={{ insetInlineStart: `${bar.from * 100}%`, width: `${(bar.to - bar.from) * 100}%` }} />
    </span>
  )
}
