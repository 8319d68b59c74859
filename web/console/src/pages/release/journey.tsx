// The journey as a chart or as an equal table; the chart is loaded when it is looked at.
import * as Tabs from '@radix-ui/react-tabs'
import { lazy, Suspense, useMemo, useState } from 'react'
import type { Release } from '../../api/types'
import { useT, word } from '../../i18n'
import { journey, type Waypoint } from '../../journey/journey'
import { Loading, Scroll } from '../../ui/parts'
import { Clock, Since } from '../../ui/time'
import { WaypointStatus } from './waypoint'

const Chart = lazy(() => import('./chart'))
const key = 'seatrial.journey'

export function Journey({ r }: { r: Release }) {
  const t = useT()
  const points = useMemo(() => journey(r), [r])
  const [view, setView] = useState(() => localStorage.getItem(key) ?? (window.innerWidth < 720 ? 'table' : 'chart'))
  const choose = (v: string) => { localStorage.setItem(key, v); setView(v) }
  const lanes = [t.release.lane.yard, ...(r.stages ?? []).map((s) => s.env)]
  return (
    <Tabs.Root className="panel" value={view} onValueChange={choose} asChild>
      <section aria-labelledby="journey">
        <div className="panel-head">
          <h2 id="journey" className="grow">{t.release.journey}</h2>
          <Tabs.List className="tabs" aria-label={t.release.journey}>
            <Tabs.Trigger value="chart">{t.release.graph}</Tabs.Trigger>
            <Tabs.Trigger value="table">{t.release.table}</Tabs.Trigger>
          </Tabs.List>
        </div>
        <Tabs.Content value="chart" className="journey-chart" tabIndex={-1}>
          <Suspense fallback={<Loading lines={5} />}><Chart points={points} lanes={lanes} /></Suspense>
        </Tabs.Content>
        <Tabs.Content value="table" tabIndex={-1}><JourneyTable points={points} lanes={lanes} /></Tabs.Content>
      </section>
    </Tabs.Root>
  )
}

function JourneyTable({ points, lanes }: { points: Waypoint[]; lanes: string[] }) {
  const t = useT()
  return (
    <Scroll className="grid-wrap" label={t.release.journey}>
      <table className="grid">
        <caption className="visually-hidden">{t.release.journey}</caption>
        <thead><tr><th scope="col">{t.common.environment}</th><th scope="col">{t.common.phase}</th><th scope="col">{t.release.wave}</th><th scope="col">{t.common.state}</th><th scope="col">{t.release.started}</th><th scope="col">{t.experiments.duration}</th></tr></thead>
        <tbody>
          {points.map((p) => (
            <tr key={p.id} aria-current={p.state === 'active' || p.state === 'waiting' ? 'step' : undefined}>
              <td>{lanes[p.lane]}</td>
              <th scope="row">{word(t.place, p.phase)}</th>
              <td>{p.wave ?? ''}{p.step ? ` · ${t.step[p.step]}` : ''}</td>
              <td><WaypointStatus state={p.state} /></td>
              <td><Clock at={p.began} /></td>
              <td>{p.began && p.phase !== 'Done' && p.phase !== 'Verified' ? <Since from={p.began} to={p.ended} /> : '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
