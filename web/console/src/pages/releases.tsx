// All releases, newest first; the server filters and pages.
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo } from 'react'
import { useBoard, useReleases } from '../api/hooks'
import type { ReleaseFilters } from '../api/client'
import { phases, type ReleaseSummary } from '../api/types'
import { useT, word } from '../i18n'
import type { Messages } from '../i18n/en'
import { Empty, Failure, Loading, Note, Sha } from '../ui/parts'
import { SearchField, Select } from '../ui/search'
import { PhaseStatus } from '../ui/status'
import { DataTable } from '../ui/table'
import { Age } from '../ui/time'
import { useTitle } from '../ui/title'

export function Releases() {
  const t = useT()
  const search = useSearch({ from: '/shell/releases' })
  const list = useReleases(search)
  useTitle(t.releases.title)
  const columns = useMemo(() => columnsOf(t), [t])
  const items = useMemo(() => unique((list.data?.pages ?? []).flatMap((p) => p.items ?? [])), [list.data])
  const filtered = Object.values(search).some((v) => v !== undefined)
  return (
    <>
      <div className="page-head"><div className="grow"><h1>{t.releases.title}</h1><p>{t.releases.lead}</p></div></div>
      <Filters />
      {list.error && (list.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={list.error} retry={() => void list.refetch()} />)}
      {list.isPending && <div className="panel"><Loading lines={12} /></div>}
      {list.data && items.length === 0 && <div className="panel"><Empty title={filtered ? t.releases.noMatch : t.releases.none} hint={filtered ? undefined : t.releases.noneHint} icon={filtered ? 'search' : 'anchor'} /></div>}
      {items.length > 0 && (
        <>
          <DataTable caption={t.releases.caption} data={items} columns={columns} rowId={(r) => r.id} />
          <p className="row small quiet">
            <span className="num" role="status">{t.releases.shown(items.length)}</span>
            {list.hasNextPage
              ? <button type="button" className="button small" aria-disabled={list.isFetchingNextPage} onClick={() => { if (!list.isFetchingNextPage) void list.fetchNextPage() }}>{list.isFetchingNextPage ? t.common.loading : t.common.more}</button>
              : <span>{t.releases.end}</span>}
          </p>
        </>
      )}
    </>
  )
}

/** unique drops what two pages share: a release that moves between two questions may be in both. */
function unique(items: ReleaseSummary[]): ReleaseSummary[] {
  const seen = new Set<string>()
  return items.filter((r) => !seen.has(r.id) && seen.add(r.id))
}

function Filters() {
  const t = useT()
  const search = useSearch({ from: '/shell/releases' })
  const navigate = useNavigate({ from: '/releases' })
  const board = useBoard({})
  const set = (change: ReleaseFilters) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const services = (board.data?.services ?? []).map((s) => s.service)
  const environments = (board.data?.environments ?? []).map((e) => e.name)
  return (
    <form className="filters" role="search" onSubmit={(e) => e.preventDefault()}>
      <SearchField label={t.releases.search} value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} />
      <Select label={t.common.service} value={search.service} options={services.map((s) => [s, s])} onChange={(service) => set({ service })} />
      <Select label={t.common.environment} value={search.env} options={environments.map((e) => [e, e])} onChange={(env) => set({ env })} />
      <Select label={t.common.phase} value={search.phase} options={phases.map((p) => [p, word(t.phase, p)])} onChange={(phase) => set({ phase })} />
      {Object.values(search).some((v) => v !== undefined) && <button type="button" className="button plain" onClick={() => set({ q: undefined, service: undefined, env: undefined, phase: undefined })}>{t.common.clear}</button>}
    </form>
  )
}

function columnsOf(t: Messages): ColumnDef<ReleaseSummary>[] {
  return [
    {
      id: 'release', header: t.nav.releases, meta: { head: true, className: 'main' },
      cell: ({ row: { original: r } }) => (
        <div className="stack tight">
          <Link to="/releases/$id" params={{ id: r.id }}>{r.message || r.id}</Link>
          <span className="small quiet normal"><Sha commit={r.commit} /> · {r.pull ? t.release.pull(r.pull.number, r.pull.author) : r.author}</span>
        </div>
      ),
    },
    { id: 'service', header: t.common.service, meta: { className: 'nowrap' }, cell: ({ row: { original: r } }) => r.service },
    { id: 'phase', header: t.common.phase, cell: ({ row: { original: r } }) => <PhaseStatus phase={r.phase} held={r.hold !== undefined} /> },
    {
      id: 'where', header: t.releases.where,
      cell: ({ row: { original: r } }) => r.pull || ['Building', 'Signing', 'Checking', 'Done'].includes(r.phase) ? <span className="quiet">–</span> : <span className="row tight small"><span className="tag">{r.env}</span>{typeof r.wave === 'string' && r.wave !== '' && r.phase === 'Deploying' && <span className="quiet">{r.wave}</span>}{r.step && <span className="quiet">{t.step[r.step]}</span>}</span>,
    },
    { id: 'reason', header: t.common.reason, cell: ({ row: { original: r } }) => <span className="small quiet clamp" title={r.reason}>{r.phase === 'Done' ? '' : r.reason}</span> },
    { id: 'updated', header: t.common.updated, meta: { className: 'nowrap' }, cell: ({ row: { original: r } }) => <Age at={r.updated} className="small quiet" /> },
  ]
}
