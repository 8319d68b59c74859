// What a service has on each cluster, and what that owns: a tree that is asked for when it is
// opened, with the difference of every object that is not as git says.
import { useState } from 'react'
import { useTree } from '../api/hooks'
import type { Comparison, Difference, Resource } from '../api/types'
import { useT, word } from '../i18n'
import { lines, shown, type Line } from '../journey/tree'
import { Icon } from '../ui/icons'
import { Failure, Loading, Note, Scroll } from '../ui/parts'
import { SearchField } from '../ui/search'
import { Status, type Tone } from '../ui/status'
import { Age } from '../ui/time'
import { Text } from './differences'

interface Where { service: string; env: string }

export function Resources({ service, env, clusters, compared }: Where & { clusters: string[]; compared: Comparison[] }) {
  const t = useT()
  return (
    <section className="panel" aria-labelledby="resources">
      <div className="panel-head"><h2 id="resources">{t.tree.title}</h2><span className="small quiet">{t.tree.lead}</span></div>
      <ul className="differences">
        {clusters.map((c) => <Cluster key={c} service={service} env={env} cluster={c} differences={compared.find((x) => x.cluster === c)?.objects ?? []} />)}
      </ul>
    </section>
  )
}

type ClusterProps = Where & { cluster: string; differences: Difference[] }

function Cluster({ cluster, ...rest }: ClusterProps) {
  const [open, setOpen] = useState(false)
  return (
    <li>
      <details className="tree" onToggle={(e) => setOpen(e.currentTarget.open)}>
        <summary className="row tight"><span className="fold"><Icon name="right" size={12} /></span><strong>{cluster}</strong></summary>
        {open && <Tree cluster={cluster} {...rest} />}
      </details>
    </li>
  )
}

function Tree({ service, env, cluster, differences }: ClusterProps) {
  const t = useT()
  const [q, setQ] = useState('')
  const [only, setOnly] = useState(false)
  const tree = useTree({ service, env, cluster })
  if (tree.isPending) return <Loading lines={4} />
  if (!tree.data) return <Failure error={tree.error} retry={() => void tree.refetch()} />
  const all = lines(tree.data.items ?? [])
  const some = shown(all, q, only)
  return (
    <>
      {tree.error && <Note tone="wait" icon="nosignal">{t.common.stale}</Note>}
      <div className="log-tools">
        <SearchField label={t.tree.search} value={q} onChange={setQ} hideLabel />
        <label className="row tight small"><input type="checkbox" checked={only} onChange={(e) => setOnly(e.target.checked)} />{t.tree.only}</label>
        <span className="small quiet" role="status">{t.tree.shown(some.length, all.length)}</span>
      </div>
      <Scroll className="grid-wrap" label={`${t.tree.title} ${cluster}`}>
        <table className="grid">
          <caption className="visually-hidden">{t.tree.title} {cluster}</caption>
          <thead><tr><th scope="col">{t.tree.object}</th><th scope="col">{t.common.state}</th><th scope="col">{t.tree.health}</th><th scope="col">{t.tree.age}</th><th scope="col">{t.common.message}</th></tr></thead>
          <tbody>{some.map((l) => <Row key={`${l.resource.group ?? ''} ${l.resource.namespace ?? ''} ${l.parent} ${l.resource.kind}/${l.resource.name}`} line={l} text={textOf(l.resource, differences)} />)}</tbody>
        </table>
      </Scroll>
      {tree.data.left > 0 && <p className="small quiet tree-left">{t.tree.left(tree.data.left)}</p>}
    </>
  )
}

function textOf(r: Resource, differences: Difference[]): string | undefined {
  if (r.depth > 0) return undefined
  return differences.find((d) => d.kind === r.kind && d.name === r.name && (d.namespace ?? '') === (r.namespace ?? ''))?.text
}

const stateTone: Record<NonNullable<Resource['state']>, Tone> = { Synced: 'good', Drifted: 'wait', Missing: 'bad', Prune: 'back', Waiting: 'held' }
const healthTone: Record<string, Tone> = { Healthy: 'good', Progressing: 'active', Degraded: 'bad', Missing: 'bad', Suspended: 'idle', Unknown: 'idle' }

function Row({ line: { resource: r, parent }, text }: { line: Line; text: string | undefined }) {
  const t = useT()
  const name = <><code className="break">{r.kind}/{r.name}</code>{r.namespace && r.depth === 0 && <span className="small quiet">{r.namespace}</span>}{parent && <span className="visually-hidden">{t.tree.below(parent)}</span>}</>
  return (
    <tr>
      <th scope="row" className={`tree-name depth-${Math.min(r.depth, 5)}`}>
        {text ? <details className="difference"><summary className="row tight"><span className="fold"><Icon name="right" size={12} /></span>{name}</summary><Text label={`${r.kind}/${r.name}`} text={text} /></details> : <span className="row tight">{name}</span>}
      </th>
      <td>{r.state && <Status tone={stateTone[r.state]}>{t.tree.state[r.state]}</Status>}</td>
      <td>{r.health && <Status tone={healthTone[r.health] ?? 'idle'}>{word(t.health, r.health)}</Status>}</td>
      <td>{r.created && <Age at={r.created} />}</td>
      <td className="small break target-message">{r.message}</td>
    </tr>
  )
}
