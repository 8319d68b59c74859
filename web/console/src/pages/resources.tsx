// What a service has on each cluster, and what that owns: a tree that is asked for when it is
// opened, with the difference of every object that is not as git says. What is looked for is
// in the address, so that a view can be shared.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { useTree } from '../api/hooks'
import type { Comparison, Difference, Resource } from '../api/types'
import { useT, word } from '../i18n'
import { healths, healthTone, keyOf, kinds, lines, shown, type Filter, type Line } from '../journey/tree'
import { Icon } from '../ui/icons'
import { Empty, Failure, Loading, Note, Scroll } from '../ui/parts'
import { SearchField, Select } from '../ui/search'
import { Status, type Tone } from '../ui/status'
import { Age } from '../ui/time'
import { Text } from './differences'
import { ObjectPanel } from './object'

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
  const chosen = useSearch({ from: '/shell/places/$team/$name/$env', select: (s) => s.cluster })
  const navigate = useNavigate({ from: '/places/$team/$name/$env' })
  const [first] = useState(chosen === cluster)
  const [open, setOpen] = useState(first)
  const toggle = (now: boolean) => {
    if (now === open) return
    setOpen(now)
    void navigate({ search: (old) => ({ ...old, cluster: now ? cluster : old.cluster === cluster ? undefined : old.cluster, object: undefined }), replace: true, resetScroll: false })
  }
  return (
    <li>
      <details className="tree" open={open} onToggle={(e) => toggle(e.currentTarget.open)}>
        <summary className="row tight"><span className="fold"><Icon name="right" size={12} /></span><strong>{cluster}</strong></summary>
        {open && <Tree cluster={cluster} {...rest} />}
      </details>
    </li>
  )
}

function Tree({ service, env, cluster, differences }: ClusterProps) {
  const t = useT()
  const filter = useSearch({ from: '/shell/places/$team/$name/$env' })
  const navigate = useNavigate({ from: '/places/$team/$name/$env' })
  const choose = (object: string | undefined) => void navigate({ search: (old) => ({ ...old, cluster, object }), replace: true, resetScroll: false })
  const look = (f: Filter) => void navigate({ search: (old) => ({ ...old, ...f }), replace: true, resetScroll: false })
  const tree = useTree({ service, env, cluster })
  if (tree.isPending) return <Loading lines={4} />
  if (!tree.data) return <Failure error={tree.error} retry={() => void tree.refetch()} />
  if (tree.data.problem) return <Note tone="wait" icon="nosignal"><span className="break">{tree.data.problem}</span>{tree.data.hint && <span className="quiet">{tree.data.hint}</span>}</Note>
  const all = lines(tree.data.items ?? [])
  const some = shown(all, filter)
  const chosen = filter.cluster === cluster ? filter.object : undefined
  return (
    <>
      {tree.error && <Note tone="wait" icon="nosignal">{t.common.stale}</Note>}
      <div className="log-tools">
        <SearchField label={t.tree.search} value={filter.q ?? ''} onChange={(q) => look({ q: q || undefined })} />
        <Select label={t.tree.kind} value={filter.kind} options={kinds(all).map((k) => [k, k])} onChange={(kind) => look({ kind })} />
        <Select label={t.tree.health} value={filter.health} options={healths(all).map((h) => [h, word(t.health, h)])} onChange={(health) => look({ health })} />
        <label className="row tight small"><input type="checkbox" checked={filter.only === true} onChange={(e) => look({ only: e.target.checked || undefined })} />{t.tree.only}</label>
        <span className="small quiet" role="status">{t.tree.shown(some.length, all.length)}</span>
      </div>
      {some.length === 0 && all.length > 0 ? <Empty title={t.tree.noMatch}><button type="button" className="button" onClick={() => look({ q: undefined, kind: undefined, health: undefined, only: undefined })}>{t.common.clear}</button></Empty> : <Scroll className="grid-wrap" label={`${t.tree.title} ${cluster}`}>
        <table className="grid">
          <caption className="visually-hidden">{t.tree.title} {cluster}</caption>
          <thead><tr><th scope="col">{t.tree.object}</th><th scope="col">{t.common.state}</th><th scope="col">{t.tree.health}</th><th scope="col">{t.tree.age}</th><th scope="col">{t.common.message}</th></tr></thead>
          <tbody>{some.map((l) => <Row key={`${l.resource.group ?? ''} ${l.resource.namespace ?? ''} ${l.parent} ${l.resource.kind}/${l.resource.name}`} line={l} text={textOf(l.resource, differences)} onChoose={choose} />)}</tbody>
        </table>
      </Scroll>}
      {chosen !== undefined && <ObjectPanel key={chosen} place={{ service, env, cluster }} chosen={chosen} resource={all.find((l) => keyOf(l.resource) === chosen)?.resource} onClose={() => choose(undefined)} />}
      {tree.data.left > 0 && <p className="small quiet tree-left">{t.tree.left(tree.data.left)}</p>}
    </>
  )
}

function textOf(r: Resource, differences: Difference[]): string | undefined {
  if (r.depth > 0) return undefined
  return differences.find((d) => d.kind === r.kind && d.name === r.name && (d.namespace ?? '') === (r.namespace ?? ''))?.text
}

const stateTone: Record<NonNullable<Resource['state']>, Tone> = { Synced: 'good', Drifted: 'wait', Missing: 'bad', Prune: 'back', Waiting: 'held' }

function Row({ line: { resource: r, parent }, text, onChoose }: { line: Line; text: string | undefined; onChoose: (object: string) => void }) {
  const t = useT()
  const name = `${r.kind}/${r.name}`
  const key = keyOf(r)
  return (
    <tr>
      <th scope="row" className={`tree-name depth-${Math.min(r.depth, 5)}`}>
        <span className="row tight">
          {r.state === 'Missing' ? <code className="break">{name}</code> : <button type="button" className="tree-object" data-object={key} aria-haspopup="dialog" onClick={() => onChoose(key)}><code className="break">{name}</code></button>}
          {r.namespace && r.depth === 0 && <span className="small quiet">{r.namespace}</span>}{parent && <span className="visually-hidden">{t.tree.below(parent)}</span>}
        </span>
        {text && <details className="difference"><summary className="row tight small"><span className="fold"><Icon name="right" size={12} /></span>{t.slot.drift}<span className="visually-hidden">{t.common.colon}{name}</span></summary><Text label={name} text={text} /></details>}
      </th>
      <td>{r.state && <Status tone={stateTone[r.state]}>{t.tree.state[r.state]}</Status>}</td>
      <td>{r.health && <Status tone={healthTone[r.health] ?? 'idle'}>{word(t.health, r.health)}</Status>}</td>
      <td>{r.created && <Age at={r.created} />}</td>
      <td className="small break target-message">{r.message}</td>
    </tr>
  )
}
