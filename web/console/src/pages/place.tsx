// One service in one environment: its clusters by wave, how each differs from its revision
// now, what it has on each, and the verified releases that it could return to.
import { Link, useParams } from '@tanstack/react-router'
import { useDrift, usePlace } from '../api/hooks'
import type { Place, PlaceTarget } from '../api/types'
import { useT } from '../i18n'
import { Empty, Failure, Loading, Note, Scroll, Sha } from '../ui/parts'
import { Status, TargetStatus } from '../ui/status'
import { Age } from '../ui/time'
import { useTitle } from '../ui/title'
import { Differences } from './differences'
import { Resources } from './resources'
import { Scores } from './scores'
import '../styles/release.css'
import '../styles/slos.css'

export function PlacePage() {
  const t = useT()
  const { team, name, env } = useParams({ from: '/shell/places/$team/$name/$env' })
  const service = `${team}/${name}`
  const place = usePlace(service, env)
  useTitle(`${service} ${t.slot.in} ${env}`)
  return (
    <>
      <div className="page-head"><div className="grow"><h1>{service} <span className="quiet">{t.slot.in} {env}</span></h1>{place.data && <Now place={place.data} />}</div></div>
      {place.error && (place.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={place.error} retry={() => void place.refetch()} />)}
      {place.isPending && <div className="panel"><Loading /></div>}
      {place.data && <div className="stack place"><Clusters place={place.data} /><Drift service={service} env={env} /><Objects place={place.data} /><Scores service={service} env={env} /><Kept place={place.data} /></div>}
    </>
  )
}

function Now({ place }: { place: Place }) {
  const t = useT()
  return (
    <p className="row tight">
      {place.current ? <><Link to="/releases/$id" params={{ id: place.current.release }}><Sha commit={place.current.commit} /></Link><span>{t.board.verified} <Age at={place.current.at} /></span></> : t.board.empty}
      {place.occupant && <Link to="/releases/$id" params={{ id: place.occupant }}><Status tone="active" badge>{t.slot.occupied}</Status></Link>}
      {place.hold && <Status tone="held" badge title={place.hold.reason}>{t.board.hold}</Status>}
    </p>
  )
}

function Clusters({ place }: { place: Place }) {
  const t = useT()
  const waves = place.waves ?? []
  const left = place.left ?? []
  return (
    <section className="panel" aria-labelledby="fleet">
      <div className="panel-head"><h2 id="fleet">{t.slot.fleet}</h2></div>
      {waves.length + left.length === 0 ? <Empty title={t.slot.nowhere} hint={t.slot.nowhereHint} /> : (
        <Scroll className="grid-wrap" label={t.slot.fleet}>
          <table className="grid targets">
            <caption className="visually-hidden">{t.slot.fleet}</caption>
            <thead><tr><th scope="col">{t.release.wave}</th><th scope="col">{t.common.cluster}</th><th scope="col">{t.common.state}</th><th scope="col">{t.common.revision}</th><th scope="col">{t.common.message}</th></tr></thead>
            {waves.map((w, i) => <Wave key={w.name} head={<><span className="num quiet">{i + 1}.</span> {w.name}</>} targets={w.targets ?? []} wanted={place.current?.desired} />)}
            {left.length > 0 && <Wave head={t.slot.left} targets={left} wanted={undefined} />}
          </table>
        </Scroll>
      )}
    </section>
  )
}

function Wave({ head, targets, wanted }: { head: React.ReactNode; targets: PlaceTarget[]; wanted: string | undefined }) {
  const t = useT()
  return (
    <tbody>
      {targets.map((x, i) => (
        <tr key={x.cluster}>
          {i === 0 && <th scope="rowgroup" rowSpan={targets.length}>{head}</th>}
          <td><span className="row tight">{x.cluster}{x.variant && <span className="small quiet">{t.slot.variant(x.variant)}</span>}</span></td>
          <td><TargetStatus state={x.state} /></td>
          <td><span className="row tight"><Sha commit={x.revision} />{wanted !== undefined && x.revision !== wanted && <span className="small quiet">{t.slot.behind}</span>}</span></td>
          <td className="small break target-message">{x.message}</td>
        </tr>
      ))}
    </tbody>
  )
}

function Drift({ service, env }: { service: string; env: string }) {
  const t = useT()
  const drift = useDrift({ service, env })
  return (
    <section className="panel" aria-labelledby="drift">
      <div className="panel-head"><h2 id="drift">{t.slot.drift}</h2><span className="small quiet">{t.slot.driftLead}</span></div>
      <Differences answer={drift} same={t.slot.same} />
    </section>
  )
}

function Objects({ place }: { place: Place }) {
  const drift = useDrift({ service: place.service, env: place.env })
  const clusters = [...(place.waves ?? []).flatMap((w) => w.targets ?? []), ...(place.left ?? [])].filter((x) => x.revision).map((x) => x.cluster)
  if (clusters.length === 0) return null
  return <Resources service={place.service} env={place.env} clusters={clusters} compared={drift.data?.items ?? []} />
}

function Kept({ place }: { place: Place }) {
  const t = useT()
  const kept = place.kept ?? []
  return (
    <section className="panel" aria-labelledby="kept">
      <div className="panel-head"><h2 id="kept">{t.slot.kept}</h2><span className="small quiet">{t.slot.keptLead}</span></div>
      {kept.length === 0 ? <Empty title={t.board.empty} /> : (
        <ol className="kept">
          {kept.map((p) => (
            <li key={p.release} className="row tight">
              <Link to="/releases/$id" params={{ id: p.release }}><Sha commit={p.commit} /></Link>
              <span className="quiet small">{t.board.verified} <Age at={p.at} /></span>
              {p.release === place.current?.release && <Status tone="good" badge>{t.slot.current}</Status>}
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
