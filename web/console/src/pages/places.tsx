// Clusters and SLOs: what exists and how it is doing.
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo } from 'react'
import { useClusters, useSLOs } from '../api/hooks'
import type { Cluster, SLO } from '../api/types'
import { useT, word } from '../i18n'
import type { Messages } from '../i18n/en'
import { percent } from '../journey/series'
import { Empty, Failure, Labels, Loading, Note } from '../ui/parts'
import { Status, type Tone } from '../ui/status'
import { DataTable } from '../ui/table'
import { useTitle } from '../ui/title'

export function Clusters() {
  const t = useT()
  const list = useClusters()
  useTitle(t.clusters.title)
  const columns = useMemo(() => clusterColumns(t), [t])
  return <Place title={t.clusters.title} lead={t.clusters.lead} none={t.clusters.none} noneHint={t.clusters.noneHint} caption={t.clusters.caption} list={list} columns={columns} rowId={(c) => c.name} />
}

export function SLOs() {
  const t = useT()
  const list = useSLOs()
  useTitle(t.slos.title)
  const columns = useMemo(() => sloColumns(t), [t])
  return <Place title={t.slos.title} lead={t.slos.lead} none={t.slos.none} noneHint={t.slos.noneHint} caption={t.slos.caption} list={list} columns={columns} rowId={(s) => s.name} />
}

interface Answer<T> { data?: { items: T[] | null }; error: unknown; isPending: boolean; refetch: () => unknown }

function Place<T>({ title, lead, none, noneHint, caption, list, columns, rowId }: { title: string; lead: string; none: string; noneHint: string; caption: string; list: Answer<T>; columns: ColumnDef<T>[]; rowId: (row: T) => string }) {
  const t = useT()
  const items = list.data?.items ?? []
  return (
    <>
      <div className="page-head"><div className="grow"><h1>{title}</h1><p>{lead}</p></div></div>
      {Boolean(list.error) && (list.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={list.error} retry={() => void list.refetch()} />)}
      {list.isPending && <div className="panel"><Loading /></div>}
      {list.data && (items.length === 0 ? <div className="panel"><Empty title={none} hint={noneHint} /></div> : <DataTable caption={caption} data={items} columns={columns} rowId={rowId} />)}
    </>
  )
}

const clusterTone: Record<string, Tone> = { Ready: 'good', Unreachable: 'bad', Unknown: 'idle' }

function clusterColumns(t: Messages): ColumnDef<Cluster>[] {
  return [
    { id: 'name', header: t.common.name, meta: { head: true }, cell: ({ row: { original: c } }) => c.name },
    { id: 'state', header: t.common.state, cell: ({ row: { original: c } }) => <Status tone={clusterTone[c.state] ?? 'idle'} icon={c.state === 'Unreachable' ? 'nosignal' : c.state === 'Unknown' ? 'question' : undefined} badge>{word(t.clusters.state, c.state)}</Status> },
    { id: 'labels', header: t.common.labels, cell: ({ row: { original: c } }) => <Labels labels={c.labels} /> },
    { id: 'chaos', header: t.clusters.chaos, cell: ({ row: { original: c } }) => (c.chaos ? t.clusters.here : <span className="quiet">{t.clusters.absent}</span>) },
    { id: 'message', header: t.common.message, cell: ({ row: { original: c } }) => <span className="small break">{c.message}</span> },
  ]
}

const sloTone: Record<string, Tone> = { ok: 'good', breach: 'bad', nodata: 'idle' }

function sloColumns(t: Messages): ColumnDef<SLO>[] {
  return [
    { id: 'name', header: t.common.name, meta: { head: true }, cell: ({ row: { original: s } }) => s.name },
    { id: 'service', header: t.common.service, cell: ({ row: { original: s } }) => s.service },
    { id: 'objective', header: t.slos.objective, meta: { className: 'num nowrap' }, cell: ({ row: { original: s } }) => percent(s.objective) },
    { id: 'window', header: t.slos.window, cell: ({ row: { original: s } }) => s.window },
    {
      id: 'clusters', header: t.slos.clusters,
      cell: ({ row: { original: s } }) => (
        <ul className="slo-clusters">
          {(s.clusters ?? []).map((c) => (
            <li key={c.cluster}><span>{c.cluster}</span><Status tone={sloTone[c.state] ?? 'idle'} icon={c.state === 'nodata' ? 'question' : undefined}>{word(t.slos.state, c.state)}</Status><span className="num">{c.measured === undefined ? '' : percent(c.measured)}</span></li>
          ))}
        </ul>
      ),
    },
  ]
}
