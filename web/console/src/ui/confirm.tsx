// A question before anything happens, with a reason that is kept. The dialog does not use
// Radix's Overlay: its scroll lock injects a <style> element, which the CSP refuses.
import * as Dialog from '@radix-ui/react-dialog'
import { useMutation } from '@tanstack/react-query'
import { useId, useState, type FormEvent, type ReactNode } from 'react'
import { ApiError, newKey } from '../api/client'
import { useT } from '../i18n'
import { Failure, Note } from './parts'

interface ModalProps { open: boolean; onOpenChange: (open: boolean) => void; title: string; lead?: string; side?: boolean; back?: () => HTMLElement | null; children: ReactNode }

/** Modal is a dialog, in the middle or at the side; back is where the focus goes when it closes. */
export function Modal({ open, onOpenChange, title, lead, side, back, children }: ModalProps) {
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <div className="shade" />
        <Dialog.Content className={side ? 'dialog side' : 'dialog'} data-modal {...(back ? { onCloseAutoFocus: (e: Event) => { e.preventDefault(); back()?.focus() } } : {})} {...(lead ? {} : { 'aria-describedby': undefined })}>
          <Dialog.Title asChild><h2>{title}</h2></Dialog.Title>
          {lead && <Dialog.Description className="quiet">{lead}</Dialog.Description>}
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

interface Props<T> {
  title: string
  lead: string
  verb: string
  danger?: boolean
  askReason?: boolean
  most?: number // characters of the reason; default 500
  ready?: boolean // false while a field of the caller is not filled in
  children?: ReactNode
  send: (reason: string, key: string) => Promise<T>
  onDone: (answer: T) => void
  onStale?: () => void
  onClose: () => void
}

const show = (el: HTMLElement | null) => { el?.scrollIntoView({ block: 'nearest' }) }

/** Confirm asks for a reason, sends once, and closes only when the server has accepted. */
export function Confirm<T>({ title, lead, verb, danger, askReason = true, most = 500, ready = true, children, send, onDone, onStale, onClose }: Props<T>) {
  const t = useT()
  const id = useId()
  const [reason, setReason] = useState('')
  const [missing, setMissing] = useState(false)
  const [key, setKey] = useState(newKey)
  const act = useMutation({
    mutationFn: () => send(reason.trim(), key),
    onSuccess: (answer) => { onDone(answer); onClose() },
    onError: (err) => {
      // The same key is kept when nobody answered: the first try may have arrived.
      if (err instanceof ApiError && !err.unreachable) setKey(newKey())
      if (err instanceof ApiError && (err.status === 412 || err.status === 409)) onStale?.()
    },
  })
  const stale = act.error instanceof ApiError && act.error.status === 412
  const submit = (e: FormEvent) => {
    e.preventDefault()
    const lacking = askReason && reason.trim() === ''
    setMissing(lacking)
    if (!lacking && ready && !act.isPending) act.mutate()
  }
  return (
    <Modal open onOpenChange={(open) => { if (!open && !act.isPending) onClose() }} title={title} lead={lead}>
      <form className="stack" onSubmit={submit} noValidate>
        {children}
        {askReason && (
          <div className="field">
            <label htmlFor={id}>{t.act.reason}</label>
            <textarea id={id} className="textarea" value={reason} onChange={(e) => setReason(e.target.value)} aria-required aria-invalid={missing} aria-describedby={`${id}-hint`} maxLength={most} />
            <p id={`${id}-hint`} className={missing ? 'error' : 'small quiet'}>{missing ? t.act.required : t.act.reasonHint}</p>
          </div>
        )}
        {stale ? <Note tone="wait">{t.act.stale}</Note> : act.error && <div ref={show}><Failure error={act.error} acting /></div>}
        <div className="dialog-foot">
          <button type="button" className="button" onClick={onClose} aria-disabled={act.isPending}>{t.common.cancel}</button>
          <button type="submit" className={`button ${danger ? 'danger' : 'primary'}`} aria-disabled={act.isPending || !ready}>{act.isPending ? t.act.sending : verb}</button>
        </div>
      </form>
    </Modal>
  )
}
