// API tokens: made, shown once, revoked.
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { useId, useMemo, useState, type FormEvent } from 'react'
import { api, newKey } from '../api/client'
import { useAdmin, useTokens } from '../api/hooks'
import type { NewToken, Token } from '../api/types'
import { useT } from '../i18n'
import type { Messages } from '../i18n/en'
import { Confirm, Modal } from '../ui/confirm'
import { Icon } from '../ui/icons'
import { Copy, Empty, Failure, Loading } from '../ui/parts'
import { DataTable } from '../ui/table'
import { Age, known } from '../ui/time'
import { useTitle } from '../ui/title'

export function Tokens() {
  const t = useT()
  const client = useQueryClient()
  const admin = useAdmin()
  const list = useTokens()
  const [creating, setCreating] = useState(false)
  const [revoking, setRevoking] = useState<Token | null>(null)
  useTitle(t.tokens.title)
  const columns = useMemo(() => columnsOf(t, setRevoking), [t])
  const again = () => void client.invalidateQueries({ queryKey: ['tokens'] })
  const items = list.data?.items ?? []
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{t.tokens.title}</h1><p>{t.tokens.lead}</p></div>
        {admin && <button type="button" className="button primary" onClick={() => setCreating(true)}><Icon name="plus" />{t.tokens.create}</button>}
      </div>
      {list.error && !list.data && <Failure error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <div className="panel"><Loading lines={4} /></div>}
      {list.data && (items.length === 0 ? <div className="panel"><Empty title={t.tokens.none} hint={t.tokens.noneHint} /></div> : <DataTable caption={t.tokens.caption} data={items} columns={columns} rowId={(x) => x.id} />)}
      {creating && <Create onClose={() => { setCreating(false); again() }} />}
      {revoking && (
        <Confirm title={`${t.tokens.revoke}${t.common.colon}${revoking.name}`} lead={t.tokens.askRevoke(revoking.name)} verb={t.tokens.revoke} danger askReason={false}
          send={(_, key) => api.revokeToken(revoking.id, { key })} onDone={again} onClose={() => setRevoking(null)} />
      )}
    </>
  )
}

function columnsOf(t: Messages, revoke: (x: Token) => void): ColumnDef<Token>[] {
  return [
    { id: 'name', header: t.common.name, meta: { head: true }, cell: ({ row: { original: x } }) => x.name },
    { id: 'role', header: t.tokens.role, cell: ({ row: { original: x } }) => <span className="tag">{x.role}</span> },
    { id: 'created', header: t.common.created, cell: ({ row: { original: x } }) => <><Age at={x.created} />{x.by && <span className="quiet"> · {x.by}</span>}</> },
    { id: 'used', header: t.tokens.lastUsed, cell: ({ row: { original: x } }) => (known(x.lastUsed) ? <Age at={x.lastUsed} /> : <span className="quiet">{t.common.never}</span>) },
    { id: 'revoke', header: () => <span className="visually-hidden">{t.tokens.revoke}</span>, meta: { className: 'end' }, cell: ({ row: { original: x } }) => <button type="button" className="button small" onClick={() => revoke(x)} aria-label={`${t.tokens.revoke}${t.common.colon}${x.name}`}>{t.tokens.revoke}</button> },
  ]
}

const roles = ['viewer', 'operator', 'admin'] as const

function Create({ onClose }: { onClose: () => void }) {
  const t = useT()
  const id = useId()
  const [form, setForm] = useState({ name: '', role: 'viewer' })
  const [key] = useState(newKey)
  const create = useMutation({ mutationFn: () => api.createToken(form, { key }) })
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (!create.isPending) create.mutate()
  }
  if (create.data) return <Shown token={create.data} onClose={onClose} />
  return (
    <Modal open onOpenChange={(open) => { if (!open) onClose() }} title={t.tokens.create}>
      <form className="stack" onSubmit={submit}>
        <div className="field">
          <label htmlFor={id}>{t.common.name}</label>
          <input id={id} className="input" required maxLength={63} value={form.name} onChange={(e) => setForm({ ...form, name: e.target.value })} aria-describedby={`${id}-hint`} />
          <p id={`${id}-hint`} className="small quiet">{t.tokens.nameHint}</p>
        </div>
        <div className="field">
          <label htmlFor={`${id}-role`}>{t.tokens.role}</label>
          <select id={`${id}-role`} className="select" value={form.role} onChange={(e) => setForm({ ...form, role: e.target.value })}>
            {roles.map((r) => <option key={r} value={r}>{t.tokens.roles[r]}</option>)}
          </select>
        </div>
        {create.error && <Failure error={create.error} />}
        <div className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>{t.common.cancel}</button>
          <button type="submit" className="button primary" aria-disabled={create.isPending}>{create.isPending ? t.act.sending : t.tokens.create}</button>
        </div>
      </form>
    </Modal>
  )
}

function Shown({ token, onClose }: { token: NewToken; onClose: () => void }) {
  const t = useT()
  return (
    <Modal open onOpenChange={(open) => { if (!open) onClose() }} title={`${t.tokens.created}${t.common.colon}${token.name}`} lead={t.tokens.once}>
      <div className="secret"><code>{token.token}</code><Copy text={token.token} label={`${t.common.copy} ${t.tokens.token}`} /></div>
      <div className="dialog-foot"><button type="button" className="button primary" onClick={onClose}>{t.common.close}</button></div>
    </Modal>
  )
}
