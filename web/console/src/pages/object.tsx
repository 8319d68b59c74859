// What explains the state of one object: its containers, its conditions and its events, in a
// panel at the side. It asks again only while it is open.
import { useState, type ReactNode } from 'react'
import { ApiError } from '../api/client'
import { useObject } from '../api/hooks'
import type { Condition, Container, ObjectEvent, ObjectState, Resource } from '../api/types'
import { useT, word } from '../i18n'
import { conditionTone, containerTone } from '../journey/details'
import { healthTone } from '../journey/tree'
import { Modal } from '../ui/confirm'
import { Empty, Failure, Loading, Note } from '../ui/parts'
import { Status } from '../ui/status'
import { Age } from '../ui/time'

interface Where { service: string; env: string; cluster: string }
interface PanelProps { place: Where; chosen: string; resource: Resource | undefined; onClose: () => void }

/** ObjectPanel is of the object that the address names. It stays when the object goes. */
export function ObjectPanel({ place, chosen, resource, onClose }: PanelProps) {
  const t = useT()
  const [first] = useState(resource)
  const r = resource ?? first
  const back = () => document.querySelector<HTMLElement>(`[data-object="${CSS.escape(chosen)}"]`)
  return (
    <Modal side open onOpenChange={(open) => { if (!open) onClose() }} title={r ? `${r.kind}/${r.name}` : chosen} back={back}>
      <button type="button" className="button small object-close" onClick={onClose}>{t.common.close}</button>
      <div className="row tight small">
        <span>{place.cluster}</span>{r?.namespace && <span className="quiet">{r.namespace}</span>}
        {resource?.health && <Status tone={healthTone[resource.health] ?? 'idle'} badge>{word(t.health, resource.health)}</Status>}
        {resource?.created && <span className="quiet">{t.common.created} <Age at={resource.created} /></span>}
      </div>
      {resource ? <Explained place={place} resource={resource} /> : <Gone />}
    </Modal>
  )
}

function Gone() {
  const t = useT()
  return <Empty title={t.object.gone} hint={t.object.goneHint} />
}

function Explained({ place, resource: { group, kind, namespace, name } }: { place: Where; resource: Resource }) {
  const t = useT()
  const object = useObject({ ...place, group, kind, namespace, name })
  if (object.isPending) return <Loading lines={5} />
  if (object.error instanceof ApiError && object.error.status === 404) return <Gone />
  if (!object.data) return <Failure error={object.error} retry={() => void object.refetch()} />
  const o = object.data
  const containers = o.containers ?? []
  const asked = o.conditions !== null && !(o.problem && (o.conditions.length + (o.events ?? []).length) === 0)
  return (
    <div className="stack object">
      {object.error && <Note tone="wait" icon="nosignal">{t.common.stale}</Note>}
      {o.problem && <Note tone="wait"><span className="break">{o.problem}</span>{o.hint && <span className="quiet">{o.hint}</span>}</Note>}
      <Head object={o} />
      {containers.length > 0 && <List id="object-containers" title={t.object.containers}>{containers.map((c) => <One key={`${c.role} ${c.name}`} container={c} />)}</List>}
      {asked && <List id="object-conditions" title={t.object.conditions} none={t.object.noConditions}>{(o.conditions ?? []).map((c) => <Says key={c.type} condition={c} />)}</List>}
      {!o.problem || (o.events ?? []).length > 0 ? <List id="object-events" title={t.object.events} none={t.object.none}>{(o.events ?? []).map((e, i) => <Told key={`${e.reason} ${e.first ?? ''} ${i}`} event={e} />)}</List> : null}
      {o.left > 0 && <p className="small quiet">{t.object.left(o.left)}</p>}
    </div>
  )
}

function Head({ object: o }: { object: ObjectState }) {
  const t = useT()
  return (
    <>
      {o.deleting && <Note tone="wait"><span>{t.object.deleting} <Age at={o.deleting} /></span>{o.finalizers && <span className="break">{t.object.waits(o.finalizers.join(t.common.comma))}</span>}</Note>}
      {(o.phase ?? o.reason ?? o.message) !== undefined && (
        <div className="stack">
          <div className="row tight">{o.phase && <span>{t.object.phase}{t.common.colon}<strong>{o.phase}</strong></span>}{o.reason && <code>{o.reason}</code>}</div>
          {o.message && <p className="object-text">{o.message}</p>}
        </div>
      )}
    </>
  )
}

function List({ id, title, none, children }: { id: string; title: string; none?: string; children: ReactNode[] }) {
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      {children.length === 0 ? <p className="small quiet">{none}</p> : <ul className="object-list">{children}</ul>}
    </section>
  )
}

function One({ container: c }: { container: Container }) {
  const t = useT()
  const last = c.last
  return (
    <li>
      <div className="row tight">
        <strong className="break">{c.name}</strong><span className="tag">{t.object.role[c.role]}</span>
        <Status tone={containerTone(c)}>{c.state ? word(t.object.state, c.state) : t.object.unknown}</Status>
        {c.reason && <code>{c.reason}</code>}{c.exit !== undefined && <span>{t.object.exit(c.exit)}</span>}
        {c.since && <Age at={c.since} className="small quiet" />}
      </div>
      <div className="row tight small quiet"><span className="num">{(c.role === 'main' || c.role === 'sidecar') && <>{c.ready ? t.object.ready : t.object.notReady}{t.common.comma}</>}{t.object.restarts(c.restarts)}</span></div>
      {c.message && <p className="small object-text">{c.message}</p>}
      {last && (
        <div className="row tight small">
          <span className="quiet">{t.object.before}{t.common.colon}</span>{last.reason && <code>{last.reason}</code>}<span>{t.object.exit(last.exit)}</span>
          {last.signal !== undefined && <span>{t.object.signal(last.signal)}</span>}{last.at && <Age at={last.at} className="quiet" />}
        </div>
      )}
      {last?.message && <p className="small object-text">{last.message}</p>}
    </li>
  )
}

function Says({ condition: c }: { condition: Condition }) {
  const t = useT()
  return (
    <li>
      <div className="row tight">
        <strong className="break">{c.type}</strong><Status tone={conditionTone(c)}>{word(t.object.status, c.status)}</Status>
        {c.reason && <code className="break">{c.reason}</code>}{c.since && <Age at={c.since} className="small quiet" />}
      </div>
      {c.message && <p className="small object-text">{c.message}</p>}
    </li>
  )
}

function Told({ event: e }: { event: ObjectEvent }) {
  const t = useT()
  return (
    <li>
      <div className="row tight">
        {e.type === 'Warning' ? <Status tone="wait" icon="alert">{t.object.warning}</Status> : e.type !== 'Normal' && <span className="tag">{e.type}</span>}
        <code className="break">{e.reason}</code>{e.count > 1 && <span className="num small">{t.object.times(e.count)}</span>}{e.from && <span className="small quiet break">{e.from}</span>}
        <Age at={e.last} className="small quiet" />
      </div>
      {e.message && <p className="small object-text">{e.message}</p>}
    </li>
  )
}
