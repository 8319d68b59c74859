import { Link } from '@tanstack/react-router'
import { useQueryClient } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { api } from '../../api/client'
import { keepRelease, useDrift, usePlace, useReturning } from '../../api/hooks'
import type { Release } from '../../api/types'
import { useT } from '../../i18n'
import { actionNames, liveEnvironments, why, type ActionName } from '../../journey/actions'
import { stageNow } from '../../journey/journey'
import { Confirm } from '../../ui/confirm'
import { Action, Note, Scroll } from '../../ui/parts'
import { Differences } from '../differences'

export function Actions({ r }: { r: Release }) {
  const t = useT()
  const [asking, setAsking] = useState<ActionName | null>(null)
  const [said, setSaid] = useState('')
  return (
    <div className="release-actions" role="group" aria-label={t.act.title}>
      {actionNames.map((name) => (
        <Action key={name} why={why(name, r, t.act.no)} look={name === 'approve' ? 'primary' : ''} onClick={() => { setSaid(''); setAsking(name) }}>{t.act[name]}</Action>
      ))}
      <span className="visually-hidden" role="status">{said}</span>
      {asking && <Ask name={asking} r={r} onClose={() => setAsking(null)} onDone={() => setSaid(t.act.accepted)} />}
    </div>
  )
}

function Ask({ name, r, onClose, onDone }: { name: ActionName; r: Release; onClose: () => void; onDone: () => void }) {
  const t = useT()
  const id = useId()
  const client = useQueryClient()
  const choices = name === 'rollback' ? liveEnvironments(r) : name === 'approve' ? [stageNow(r)?.env ?? ''] : []
  const [env, setEnv] = useState(choices[0] ?? '')
  const [to, setTo] = useState('')
  // The version the person saw when the question was opened; read again after a refusal.
  const [seen, setSeen] = useState(r.version)
  const send = (reason: string, key: string): Promise<Release> => {
    const mutation = { key, version: seen }
    switch (name) {
      case 'rollback': return api.rollback(r.id, { env, reason, ...(to === '' ? {} : { to }) }, mutation)
      case 'approve': return api.approve(r.id, { env, reason }, mutation)
      case 'hold': return api.hold(r.id, { reason }, mutation)
      case 'free': return api.free(r.id, { reason }, mutation)
      case 'retry': return api.retry(r.id, { reason }, mutation)
    }
  }
  const readAgain = () => {
    void client.fetchQuery({ queryKey: ['release', r.id], queryFn: () => api.release(r.id), staleTime: 0 }).then((fresh) => setSeen(fresh.version)).catch(() => undefined)
  }
  return (
    <Confirm title={`${t.act[name]}${t.common.colon}${r.service} ${r.commit.slice(0, 8)}`} lead={t.act.ask[name]} verb={t.act[name]} danger={name === 'rollback'} send={send} onClose={onClose} onStale={readAgain}
      onDone={(answer) => { keepRelease(client, answer); onDone() }}>
      {choices.length > 0 && (
        <div className="field">
          <label htmlFor={id}>{t.act.env}</label>
          <select id={id} className="select" value={env} onChange={(e) => setEnv(e.target.value)}>{choices.map((c) => <option key={c}>{c}</option>)}</select>
        </div>
      )}
      {name === 'rollback' && <Return r={r} env={env} to={to} onTo={setTo} />}
    </Confirm>
  )
}

/** Return chooses what to go back to, and shows what that would change on each cluster. */
function Return({ r, env, to, onTo }: { r: Release; env: string; to: string; onTo: (id: string) => void }) {
  const t = useT()
  const id = useId()
  const place = usePlace(r.service, env)
  const kept = (place.data?.kept ?? []).filter((p) => p.release !== r.id)
  const chosen = to === '' ? kept[0]?.release : to
  const drift = useDrift({ service: r.service, env, to: chosen }, chosen !== undefined)
  const others = useReturning(r, env).data?.items ?? []
  if (place.data && kept.length === 0) return <Note tone="wait">{t.slot.nothingKept}</Note>
  return (
    <>
      <div className="field">
        <label htmlFor={id}>{t.slot.to}</label>
        <select id={id} className="select" value={to} onChange={(e) => onTo(e.target.value)}>
          {kept.map((p, i) => <option key={p.release} value={i === 0 ? '' : p.release}>{p.commit.slice(0, 8)} {i === 0 ? `(${t.slot.last})` : ''}</option>)}
        </select>
      </div>
      {others.length > 0 && (
        <section>
          <h3 className="small">{t.slot.together(r.set ?? '')}</h3>
          <ul>{others.map((o) => <li key={o.id}><Link to="/releases/$id" params={{ id: o.id }}>{o.service} {o.commit.slice(0, 8)}</Link> {o.message}</li>)}</ul>
        </section>
      )}
      <section>
        <h3 className="small">{t.slot.will}</h3>
        <Scroll className="preview" label={t.slot.will}><Differences answer={drift} same={t.slot.nothing} /></Scroll>
      </section>
    </>
  )
}
