// Who has agreed to an experiment, and where a run of it is meant to be.
import { useQueryClient } from '@tanstack/react-query'
import { useId, useState, type ReactNode } from 'react'
import { api } from '../api/client'
import { useBoard, useConsents, useSession } from '../api/hooks'
import type { Experiment } from '../api/types'
import { useT } from '../i18n'
import { Confirm } from '../ui/confirm'
import { Failure } from '../ui/parts'
import { Moment } from '../ui/time'

/** useWhere asks in which environment, and of which service when the experiment names none. */
export function useWhere(x: Experiment): { env: string; service: string; fields: ReactNode } {
  const t = useT()
  const id = useId()
  const board = useBoard({})
  const environments = x.spec.schedule?.environments ?? (board.data?.environments ?? []).map((e) => e.name)
  const services = (board.data?.services ?? []).map((s) => s.service)
  const [chosenEnv, setEnv] = useState('')
  const [chosenService, setService] = useState('')
  const env = chosenEnv || environments[0] || ''
  const service = x.spec.service || chosenService || services[0] || ''
  const fields = (
    <>
      <div className="field">
        <label htmlFor={id}>{t.act.env}</label>
        <select id={id} className="select" value={env} onChange={(e) => setEnv(e.target.value)}>{environments.map((e) => <option key={e}>{e}</option>)}</select>
      </div>
      {!x.spec.service && (
        <div className="field">
          <label htmlFor={`${id}-s`}>{t.experiments.service}</label>
          <select id={`${id}-s`} className="select" value={service} onChange={(e) => setService(e.target.value)}>{services.map((s) => <option key={s}>{s}</option>)}</select>
          <p className="small quiet">{t.experiments.serviceHint}</p>
        </div>
      )}
    </>
  )
  return { env, service, fields }
}

/** Agree lets a person approve one run of an experiment, or its schedule, and take that back. */
export function Agree({ x, children, onClose }: { x: Experiment; children: ReactNode; onClose: () => void }) {
  const t = useT()
  const client = useQueryClient()
  const { env, service, fields } = useWhere(x)
  const [schedule, setSchedule] = useState(false)
  const of = { env, service, schedule: schedule && (x.spec.schedule?.environments ?? []).includes(env) }
  const now = useConsents(x.name, of)
  const me = useSession().data?.user
  const agreed = now.data?.said.some((s) => s.by === me && s.state === 'counts') ?? false
  const verb = agreed ? t.consent.withdraw : t.consent.approve
  const again = () => { void client.invalidateQueries({ queryKey: ['consents', x.name] }); void client.invalidateQueries({ queryKey: ['plan', x.name] }) }
  return (
    <Confirm title={`${verb}${t.common.colon}${x.name}`} lead={agreed ? t.consent.withdrawLead : t.consent.lead} verb={verb} danger={agreed} ready={now.data !== undefined}
      send={(reason, key) => (agreed ? api.withdraw : api.agree)(x.name, { env, reason, schedule: of.schedule, ...(x.spec.service ? {} : { service }) }, { key, version: now.data?.digest })}
      onDone={again} onStale={again} onClose={onClose}>
      {children}
      {fields}
      {(x.spec.schedule?.environments ?? []).includes(env) && (
        <label className="row tight"><input type="checkbox" checked={schedule} onChange={(e) => setSchedule(e.target.checked)} />{t.consent.schedule}</label>
      )}
      {now.error && <Failure error={now.error} />}
      {now.data && (
        <section className="small">
          <p>{now.data.required === 0 ? t.consent.nobody(env) : now.data.verdict.reason || t.consent.enough}</p>
          <ul>{now.data.said.map((s) => <li key={s.by}>{s.by}{t.common.colon}{t.consent.states[s.state]} <span className="quiet">(<Moment at={s.until} />)</span></li>)}</ul>
        </section>
      )}
    </Confirm>
  )
}
