// What services promise, and how much of each error budget is left.
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useBoard, useSLOs } from '../../api/hooks'
import type { SLOFilters } from '../../api/client'
import type { Objective, Standing } from '../../api/types'
import { useT } from '../../i18n'
import { times } from '../../journey/budget'
import { percent } from '../../journey/series'
import { Empty, Failure, Loading, Note, Scroll } from '../../ui/parts'
import { Select } from '../../ui/search'
import { useTitle } from '../../ui/title'
import { Budget, Lasts, StandingStatus } from './standing'
import '../../styles/slos.css'

const states = ['ok', 'ticket', 'breach', 'nodata', 'unasked'] as const

export function SLOs() {
  const t = useT()
  const search = useSearch({ from: '/shell/slos' })
  const list = useSLOs(search)
  useTitle(t.slos.title)
  const items = (list.data?.pages ?? []).flatMap((p) => p.items ?? [])
  const filtered = Object.values(search).some((v) => v !== undefined)
  return (
    <>
      <div className="page-head"><div className="grow"><h1>{t.slos.title}</h1><p>{t.slos.lead}</p></div></div>
      <Filters filtered={filtered} />
      {list.error && (list.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={list.error} retry={() => void list.refetch()} />)}
      {list.isPending && <div className="panel"><Loading /></div>}
      {list.data && items.length === 0 && <div className="panel"><Empty title={filtered ? t.slos.noMatch : t.slos.none} hint={filtered ? undefined : t.slos.noneHint} icon={filtered ? 'search' : 'anchor'} /></div>}
      {items.length > 0 && <Table items={items} />}
      {list.hasNextPage && <p><button type="button" className="button small" onClick={() => void list.fetchNextPage()}>{list.isFetchingNextPage ? t.common.loading : t.slos.more}</button></p>}
    </>
  )
}

function Filters({ filtered }: { filtered: boolean }) {
  const t = useT()
  const search = useSearch({ from: '/shell/slos' })
  const navigate = useNavigate({ from: '/slos' })
  const board = useBoard({})
  const set = (change: SLOFilters) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  return (
    <form className="filters" role="search" onSubmit={(e) => e.preventDefault()}>
      <Select label={t.common.service} value={search.service} options={(board.data?.services ?? []).map((s) => [s.service, s.service])} onChange={(service) => set({ service })} />
      <Select label={t.common.environment} value={search.env} options={(board.data?.environments ?? []).map((e) => [e.name, e.name])} onChange={(env) => set({ env })} />
      <Select label={t.common.state} value={search.state} options={states.map((s) => [s, t.slos.state[s] ?? s])} onChange={(state) => set({ state })} />
      {filtered && <button type="button" className="button plain" onClick={() => set({ service: undefined, env: undefined, state: undefined })}>{t.common.clear}</button>}
    </form>
  )
}

function Table({ items }: { items: Objective[] }) {
  const t = useT()
  return (
    <Scroll className="panel grid-wrap" role="region" label={t.slos.caption}>
      <table className="grid targets slos">
        <caption className="visually-hidden">{t.slos.caption}</caption>
        <thead>
          <tr>
            <th scope="col">{t.slos.slo}</th><th scope="col">{t.common.cluster}</th><th scope="col">{t.slos.budget}</th><th scope="col">{t.common.state}</th>
            <th scope="col" className="end">{t.slos.measured}</th><th scope="col" className="end">{t.slos.burn}</th><th scope="col">{t.slos.lasts}</th>
          </tr>
        </thead>
        {items.map((o) => <Rows key={o.name} o={o} />)}
      </table>
    </Scroll>
  )
}

function Rows({ o }: { o: Objective }) {
  const t = useT()
  const clusters = o.clusters ?? []
  return (
    <tbody>
      {clusters.length === 0 && <tr><Head o={o} rows={1} /><td colSpan={6} className="quiet">{t.slos.nowhere}</td></tr>}
      {clusters.map((c, i) => (
        <tr key={c.cluster}>
          {i === 0 && <Head o={o} rows={clusters.length} />}
          <Cells o={o} c={c} />
        </tr>
      ))}
    </tbody>
  )
}

function Head({ o, rows }: { o: Objective; rows: number }) {
  return (
    <th scope="rowgroup" rowSpan={rows}>
      <div className="stack tight">
        <Link to="/slos/$name" params={{ name: o.name }}>{o.title}</Link>
        <span className="small quiet normal">{o.service}</span>
        <span className="small quiet normal num">{percent(o.objective)} · {o.window}</span>
      </div>
    </th>
  )
}

function Cells({ o, c }: { o: Objective; c: Standing }) {
  return (
    <>
      <td><Link to="/slos/$name" params={{ name: o.name }} search={{ cluster: c.cluster }}>{c.cluster}</Link>{c.env !== c.cluster && <span className="small quiet"> {c.env}</span>}</td>
      <td><Budget left={c.remaining} /></td>
      <td><StandingStatus c={c} /></td>
      <td className="num end">{c.measured === undefined ? <span className="quiet">–</span> : percent(c.measured)}</td>
      <td className="num end">{c.burn === undefined ? <span className="quiet">–</span> : times(c.burn)}</td>
      <td className="small"><Lasts c={c} /></td>
    </>
  )
}
