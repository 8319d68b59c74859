// Small parts that every page uses: commits, empty and broken states, buttons.
import * as Tooltip from '@radix-ui/react-tooltip'
import { useId, useState, type ButtonHTMLAttributes, type HTMLAttributes, type ReactNode, type Ref } from 'react'
import { ApiError } from '../api/client'
import { useT } from '../i18n'
import { Icon, type IconName } from './icons'

export const short = (commit: string | undefined) => (commit ?? '').slice(0, 12)
export const shortDigest = (digest: string | undefined) => (digest ?? '').replace('sha256:', '').slice(0, 12)

export function Sha({ commit }: { commit: string | undefined }) {
  if (!commit) return <span>–</span>
  return <code title={commit}>{commit.slice(0, 8)}</code>
}

export function Empty({ title, hint, icon = 'anchor', page, children }: { title: string; hint?: string; icon?: IconName; page?: boolean; children?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} />
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {hint && <p>{hint}</p>}
      {children}
    </div>
  )
}

export function Loading({ lines = 6 }: { lines?: number }) {
  const t = useT()
  return (
    <div className="skeleton" role="status" aria-label={t.common.loading}>
      {Array.from({ length: lines }, (_, i) => <span key={i} />)}
    </div>
  )
}

interface ScrollProps extends HTMLAttributes<HTMLDivElement> { label: string; role?: 'group' | 'region'; ref?: Ref<HTMLDivElement> }

/** Scroll is a region that scrolls by itself, and so has to be reachable by keyboard. */
export function Scroll({ label, role = 'group', children, ...rest }: ScrollProps) {
  return <div {...rest} tabIndex={0} role={role} aria-label={label}>{children}</div>
}

export function Note({ tone, icon, children }: { tone: string; icon?: IconName; children: ReactNode }) {
  return <div className={`note ${tone}`}><Icon name={icon ?? 'alert'} /><div>{children}</div></div>
}

export function Failure({ error, retry, acting }: { error: unknown; retry?: () => void; acting?: boolean }) {
  const t = useT()
  const api = error instanceof ApiError ? error : null
  return (
    <div role="alert">
      <Note tone="bad">
        <strong>{acting && !api?.unreachable ? t.act.refused : t.common.errorTitle}</strong>
        <span className="break">{api?.unreachable ? t.common.unreachable : (api?.detail ?? String(error))}</span>
        {(api?.unreachable || api?.hint) && <span className="quiet">{t.common.hint}{t.common.colon}{api.unreachable ? t.common.unreachableHint : api.hint}</span>}
        {retry && <span><button type="button" className="button small" onClick={retry}>{t.common.retry}</button></span>}
      </Note>
    </div>
  )
}

export function Tip({ text, children }: { text: string; children: ReactNode }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tip" sideOffset={5} collisionPadding={8}>{text}<Tooltip.Arrow /></Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  )
}

interface ActionProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> { why?: string; look?: string }

/** Action is a button that stays reachable when it cannot be used, and says why. */
export function Action({ why, look = '', onClick, children, ...rest }: ActionProps) {
  const id = useId()
  const button = (
    <button type="button" {...rest} className={`button ${why ? '' : look}`} aria-disabled={why ? true : undefined} aria-describedby={why ? id : undefined} onClick={why ? undefined : onClick}>
      {children}
    </button>
  )
  return why ? <><Tip text={why}>{button}</Tip><span id={id} className="visually-hidden">{why}</span></> : button
}

export function Copy({ text, label }: { text: string; label?: string }) {
  const t = useT()
  const [done, setDone] = useState(false)
  // Browsers give no clipboard to pages of a plain http address that is not this machine.
  const clipboard = navigator.clipboard as Clipboard | undefined
  if (!clipboard) return null
  const copy = () => {
    void clipboard.writeText(text).then(() => {
      setDone(true)
      setTimeout(() => setDone(false), 1_600)
    })
  }
  return (
    <button type="button" className="button small plain" onClick={copy} aria-label={label ?? t.common.copy}>
      <Icon name={done ? 'check' : 'copy'} />
      <span aria-live="polite">{done ? t.common.copied : ''}</span>
    </button>
  )
}

export function Labels({ labels }: { labels: Record<string, string> | undefined | null }) {
  const pairs = Object.entries(labels ?? {})
  if (pairs.length === 0) return <span className="quiet">–</span>
  return <span className="row tight">{pairs.map(([k, v]) => <span key={k} className="tag">{k}={v}</span>)}</span>
}
