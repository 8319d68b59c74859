// The board: services by environments.
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useBoard } from '../api/hooks'
import type { Board as BoardData, BoardEnvironment, BoardService, BoardSlot, Phase, ReleaseSummary } from '../api/types'
import { waveNumber } from '../api/summary'
import { useT } from '../i18n'
import { Icon } from '../ui/icons'
import { Empty, Failure, Loading, Note, Scroll, Sha } from '../ui/parts'
import { HealthStatus, PhaseStatus, Status } from '../ui/status'
import { Age } from '../ui/time'
import { SearchField } from '../ui/search'
import { useTitle } from '../ui/title'

export function Board() {
  const t = useT()
  const search = useSearch({ from: '/shell/' })
  const board = useBoard({ q: search.q, project: search.project })
  useTitle(t.board.title)
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{t.board.title}</h1><p>{t.board.lead}</p></div>
        {board.data && <Summary board={board.data} />}
      </div>
      <Filters board={board.data} />
      {board.error && (board.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={board.error} retry={() => void board.refetch()} />)}
      {board.isPending && <div className="panel"><Loading lines={9} /></div>}
      {board.data && <Matrix board={board.data} />}
    </>
  )
}

const underWay = new Set<Phase>(['Building', 'Signing', 'Checking', 'Approving', 'Deploying', 'Trial', 'Verified', 'RollingBack'])

function Summary({ board }: { board: BoardData }) {
  const t = useT()
  const services = board.services ?? []
  const moving = services.filter((s) => (s.slots ?? []).some((x) => x.releasing) || (s.latest && underWay.has(s.latest.phase))).length
  const stuck = services.filter((s) => s.latest && (s.latest.hold || s.latest.phase === 'Held' || s.latest.phase === 'Approving')).length
  return (
    <p className="row" aria-live="polite">
      <span className="num">{t.board.services(services.length)}</span>
      <Status tone={moving > 0 ? 'active' : 'idle'} badge>{t.board.moving(moving)}</Status>
      <Status tone={stuck > 0 ? 'wait' : 'idle'} badge>{t.board.stuck(stuck)}</Status>
    </p>
  )
}

function Filters({ board }: { board: BoardData | undefined }) {
  const t = useT()
  const search = useSearch({ from: '/shell/' })
  const navigate = useNavigate({ from: '/' })
  const projects = useMemo(() => {
    const all = new Set((board?.services ?? []).map((s) => s.project ?? '').filter((p) => p !== ''))
    if (search.project) all.add(search.project)
    return [...all].sort()
  }, [board, search.project])
  const set = (change: { q?: string; project?: string }) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  return (
    <form className="filters" role="search" onSubmit={(e) => e.preventDefault()}>
      <SearchField label={t.board.filter} value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} />
      <div className="field">
        <label htmlFor="project">{t.common.project}</label>
        <select id="project" className="select" value={search.project ?? ''} onChange={(e) => set({ project: e.target.value || undefined })}>
          <option value="">{t.board.projects}</option>
          {projects.map((p) => <option key={p}>{p}</option>)}
        </select>
      </div>
      {(search.q ?? search.project) !== undefined && <button type="button" className="button plain" onClick={() => set({ q: undefined, project: undefined })}>{t.common.clear}</button>}
    </form>
  )
}

/** matching repeats the server's filter, so that a filter holds for live changes as well. */
export function matching(board: BoardData, q: string | undefined, project: string | undefined): BoardService[] {
  const needle = (q ?? '').toLowerCase()
  return (board.services ?? []).filter((s) =>
    (project === undefined || s.project === project) &&
    (needle === '' || s.service.toLowerCase().includes(needle) || (s.latest?.message ?? '').toLowerCase().includes(needle) || (s.latest?.commit ?? '').startsWith(needle)))
}

function Matrix({ board }: { board: BoardData }) {
  const t = useT()
  const search = useSearch({ from: '/shell/' })
  const services = matching(board, search.q, search.project)
  const environments = board.environments ?? []
  if (services.length === 0) {
    const filtered = search.q !== undefined || search.project !== undefined
    return <div className="panel"><Empty title={filtered ? t.board.noMatch : t.board.none} hint={filtered ? undefined : t.board.noneHint} icon={filtered ? 'search' : 'anchor'} /></div>
  }
  return (
    <Scroll className="panel grid-wrap" role="region" label={t.board.caption}>
      <table className="grid board">
        <caption className="visually-hidden">{t.board.caption}</caption>
        <thead>
          <tr>
            <th scope="col">{t.common.service}</th>
            <th scope="col">{t.board.latest}</th>
            {environments.map((e) => <EnvironmentHead key={e.name} environment={e} />)}
          </tr>
        </thead>
        <tbody>{services.map((s) => <Row key={s.service} service={s} environments={environments} />)}</tbody>
      </table>
    </Scroll>
  )
}

function EnvironmentHead({ environment }: { environment: BoardEnvironment }) {
  const t = useT()
  const waves = environment.waves ?? []
  const clusters = waves.reduce((n, w) => n + (w.clusters ?? []).length, 0)
  const title = waves.map((w) => `${w.name}: ${(w.clusters ?? []).join(', ') || '–'}`).join('\n')
  return (
    <th scope="col" title={title}>
      <span className="board-env">
        {environment.after && <Icon name="right" size={12} />}
        <strong>{environment.name}</strong>
        <span>{t.board.clusters(clusters)}{waves.length > 1 ? ` · ${waves.map((w) => w.name).join(' → ')}` : ''}</span>
      </span>
    </th>
  )
}

function Row({ service, environments }: { service: BoardService; environments: BoardEnvironment[] }) {
  const [team, name] = service.service.split('/')
  return (
    <tr>
      <th scope="row">
        <Link to="/releases" search={{ service: service.service }} className="board-service"><span className="quiet">{team}/</span>{name}</Link>
      </th>
      <td>{service.latest ? <Latest release={service.latest} /> : <span className="quiet">–</span>}</td>
      {environments.map((e) => <Cell key={e.name} service={service.service} environment={e} slot={(service.slots ?? []).find((s) => s.env === e.name)} latest={service.latest} />)}
    </tr>
  )
}

function Latest({ release }: { release: ReleaseSummary }) {
  return (
    <div className="board-latest">
      <Link to="/releases/$id" params={{ id: release.id }} className="clip" title={release.message}>{release.message || release.id}</Link>
      <span className="row tight small"><PhaseStatus phase={release.phase} held={release.hold !== undefined} badge={false} /><span className="quiet"><Sha commit={release.commit} /> · <Age at={release.created} /></span></span>
    </div>
  )
}

// Phases in which a release is heading for an environment without occupying it yet.
const heading: readonly Phase[] = ['Approving', 'Verified']

function Cell({ service, slot, environment, latest }: { service: string; slot: BoardSlot | undefined; environment: BoardEnvironment; latest: ReleaseSummary | undefined }) {
  const t = useT()
  const [team = '', name = ''] = service.split('/')
  const releasing = slot?.releasing ?? (latest?.env === environment.name && heading.includes(latest.phase) ? latest : undefined)
  if (!slot) return <td className="board-cell"><span className="small quiet">{t.board.notHere}</span></td>
  const targets = slot.targets ?? []
  const healthy = targets.filter((x) => x.state === 'Healthy').length
  return (
    <td className="board-cell">
      <div className="stack tight">
        {slot.current ? (
          <span className="row tight">
            <Link to="/releases/$id" params={{ id: slot.current.release }} aria-label={`${t.board.open} ${slot.current.commit.slice(0, 8)}`}><Sha commit={slot.current.commit} /></Link>
            <span className="small quiet">{slot.occupant === slot.current.release ? t.board.placed : t.board.verified} <Age at={slot.current.at} /></span>
          </span>
        ) : <span className="small quiet">{t.board.empty}</span>}
        {slot.current && <span className="row tight small"><HealthStatus health={slot.health ?? 'Unknown'} />{targets.length > 0 && <Link className="quiet num" to="/places/$team/$name/$env" params={{ team, name, env: environment.name }} title={targets.map((x) => `${x.cluster}: ${x.state ?? '?'}${x.message ? ` (${x.message})` : ''}`).join('\n')}>{t.board.targets(healthy, targets.length)}</Link>}</span>}
        {releasing && <Releasing release={releasing} environment={environment} />}
        {slot.hold && <span className="small" title={slot.hold.reason}><Status tone="held" badge>{t.board.hold}</Status> <span className="quiet">{slot.hold.reason}</span></span>}
      </div>
    </td>
  )
}

function Releasing({ release, environment }: { release: ReleaseSummary; environment: BoardEnvironment }) {
  const t = useT()
  const waves = environment.waves ?? []
  const n = waveNumber(release.wave, waves.map((w) => w.name))
  const wave = release.phase === 'Deploying' && n >= 0 && waves.length > 1
  return (
    <div className="board-moving">
      <span className="row tight small">
        <PhaseStatus phase={release.phase} held={release.hold !== undefined} badge={false} />
        <Link to="/releases/$id" params={{ id: release.id }} aria-label={`${t.board.open} ${release.commit.slice(0, 8)}`}><Sha commit={release.commit} /></Link>
        {wave && <span className="quiet">{t.board.wave(n + 1, waves.length)} · {waves[n]?.name}{release.step ? ` · ${t.step[release.step]}` : ''}</span>}
        {!wave && release.step && <span className="quiet">{t.step[release.step]}</span>}
      </span>
      {release.reason && <span className="small quiet board-reason" title={release.reason}>{release.reason}</span>}
    </div>
  )
}
