// How well the releases of a service took their faults in one environment.
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useMemo } from 'react'
import { useScores } from '../api/hooks'
import { useT } from '../i18n'
import { course, figure, scores, type Score } from '../journey/scores'
import { Empty, Failure, Loading, Note, Scroll, Sha } from '../ui/parts'
import { Status, type Tone } from '../ui/status'
import { Moment } from '../ui/time'

const Plot = lazy(() => import('../ui/plot'))

export function Scores({ service, env }: { service: string; env: string }) {
  const t = useT()
  const list = useScores(service)
  const all = useMemo(() => scores(list.data ?? [], env), [list.data, env])
  return (
    <section className="panel" aria-labelledby="scores">
      <div className="panel-head"><h2 id="scores">{t.scores.title}</h2><span className="small quiet">{t.scores.lead}</span></div>
      {list.error && (list.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={list.error} retry={() => void list.refetch()} />)}
      {list.isPending && <Loading lines={4} />}
      {list.data && (all.length === 0 ? <Empty title={t.scores.none} hint={t.scores.noneHint} /> : <div className="scores"><Course all={all} /><Table all={all} /></div>)}
    </section>
  )
}

function Course({ all }: { all: Score[] }) {
  const t = useT()
  const line = useMemo(() => course(all, t.scores.score), [all, t])
  const marks = useMemo(() => all.filter((s) => s.end === 'refused').map((s) => ({ at: Date.parse(s.at) / 1000, bad: true })), [all])
  const values = all.map((s) => s.score)
  if (!line) return <p className="quiet small">{t.scores.one}</p>
  return (
    <figure className="stack tight">
      <Suspense fallback={<Loading lines={4} />}>
        <Plot data={line} unit="score" marks={marks} label={t.scores.plot(all.length, figure(Math.min(...values)), figure(Math.max(...values)))} />
      </Suspense>
      {marks.length > 0 && <p className="row small quiet plot-key"><span className="key-mark bad">{t.slos.refused}</span></p>}
    </figure>
  )
}

const tones: Record<Score['end'], Tone> = { verified: 'good', refused: 'bad', open: 'idle' }

function Table({ all }: { all: Score[] }) {
  const t = useT()
  return (
    <Scroll className="grid-wrap scores-table" label={t.scores.title}>
      <table className="grid">
        <caption className="visually-hidden">{t.scores.caption}</caption>
        <thead><tr><th scope="col">{t.common.time}</th><th scope="col">{t.scores.release}</th><th scope="col" className="end">{t.scores.score}</th><th scope="col">{t.common.state}</th></tr></thead>
        <tbody>
          {[...all].reverse().map((s) => (
            <tr key={s.release}>
              <td><Moment at={s.at} /></td>
              <th scope="row"><Link to="/releases/$id" params={{ id: s.release }} title={s.message}><Sha commit={s.commit} /></Link></th>
              <td className="num end">{figure(s.score)}</td>
              <td><Status tone={tones[s.end]}>{t.scores.end[s.end]}</Status></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
