// Clusters: what exists and how it is doing.
import type { ColumnDef } from '@tanstack/react-table'
import { useMemo } from 'react'
import { useClusters } from '../api/hooks'
import type { Cluster } from '../api/types'
import { useT, word } from '../i18n'
import type { Messages } from '../i18n/en'
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
