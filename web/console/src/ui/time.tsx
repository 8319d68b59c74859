// Ages that stay true without asking the server again.
import { useSyncExternalStore, type ReactNode } from 'react'
import { useI18n } from '../i18n'
import type { Messages } from '../i18n/en'

const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined
let now = Date.now()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => { now = Date.now(); listeners.forEach((l) => l()) }, 1_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) { clearInterval(timer); timer = undefined }
  }
}

/** useSecond is the time, once a second. */
export function useSecond(): number { return useSyncExternalStore(subscribe, () => now) }

/** span says a length of time in its largest unit. */
export function span(ms: number, t: Messages['time']): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return t.s(seconds)
  if (seconds < 3_600) return t.m(Math.floor(seconds / 60))
  if (seconds < 48 * 3_600) return t.h(Math.floor(seconds / 3_600))
  return t.d(Math.floor(seconds / 86_400))
}

/** exact says a length of time with seconds: 1:07 or 2:01:07. */
export function exact(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  const two = (n: number) => String(n).padStart(2, '0')
  const h = Math.floor(s / 3600)
  return h > 0 ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`
}

export function known(at: string | undefined): at is string {
  return at !== undefined && at !== '' && !at.startsWith('0001-')
}

export function Age({ at, className }: { at: string | undefined; className?: string }) {
  const { t, locale } = useI18n()
  const second = useSecond()
  if (!known(at)) return <span className={className}>–</span>
  const ms = second - Date.parse(at)
  const text = ms < -1_500 ? t.time.in(span(-ms, t.time)) : ms < 5_000 ? t.time.now : t.time.ago(span(ms, t.time))
  return <time className={className} dateTime={at} title={new Date(at).toLocaleString(locale)}>{text}</time>
}

/** Until is an age for something to come; once it is due it says so instead of a past. */
export function Until({ at, soon, children }: { at: string | undefined; soon: string; children: ReactNode }) {
  const second = useSecond()
  return known(at) && Date.parse(at) > second + 1_000 ? <>{children} <Age at={at} /></> : <>{soon}</>
}

/** Since is how long something took, or has taken so far. */
export function Since({ from, to }: { from: string | undefined; to?: string }) {
  const second = useSecond()
  if (!known(from)) return <span>–</span>
  return <span className="num">{exact((known(to) ? Date.parse(to) : second) - Date.parse(from))}</span>
}

export function Clock({ at, seconds = true }: { at: string | undefined; seconds?: boolean }) {
  const { locale } = useI18n()
  if (!known(at)) return <span>–</span>
  const d = new Date(at)
  const text = d.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', second: seconds ? '2-digit' : undefined, hour12: false })
  return <time className="num nowrap" dateTime={at} title={d.toLocaleString(locale)}>{text}</time>
}

export function Moment({ at }: { at: string | undefined }) {
  const { locale } = useI18n()
  if (!known(at)) return <span>–</span>
  const d = new Date(at)
  const text = d.toLocaleString(locale, { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })
  return <time className="num nowrap" dateTime={at} title={d.toLocaleString(locale)}>{text}</time>
}
