// A month or a week of the calendar of experiments, day by day in the reader's zone. Pure.
import type { Calendar, Entry, Planned, Span } from '../api/types'

export type View = 'month' | 'week'

/** Day is what happens on one day; id is its date, "2026-11-27". */
export interface Day { id: string; start: Date; inMonth: boolean; planned: Planned[]; runs: Entry[]; closed: Span[]; open: Span[] }

export const isDay = (v: unknown): v is string => typeof v === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(v) && idOf(dayOf(v)) === v

const two = (n: number) => String(n).padStart(2, '0')
export const idOf = (d: Date) => `${String(d.getFullYear()).padStart(4, '0')}-${two(d.getMonth() + 1)}-${two(d.getDate())}`

/** dayOf is the beginning of a day in the reader's zone. */
export function dayOf(id: string): Date {
  const [y, m, d] = id.split('-').map(Number)
  return new Date(y ?? 1970, (m ?? 1) - 1, d ?? 1)
}

/** shift moves by days, months or weeks; the 31st becomes the last of a shorter month. */
export function shift(id: string, by: number, unit: 'day' | 'week' | 'month'): string {
  const d = dayOf(id)
  if (unit !== 'month') return idOf(new Date(d.getFullYear(), d.getMonth(), d.getDate() + by * (unit === 'week' ? 7 : 1)))
  const last = new Date(d.getFullYear(), d.getMonth() + by + 1, 0).getDate()
  return idOf(new Date(d.getFullYear(), d.getMonth() + by, Math.min(d.getDate(), last)))
}

/** monday is the first day of a day's week. */
function monday(d: Date): Date { return new Date(d.getFullYear(), d.getMonth(), d.getDate() - ((d.getDay() + 6) % 7)) }

/** range is what a view shows: whole weeks from Monday on. */
export function range(id: string, view: View): { from: Date; to: Date } {
  const d = dayOf(id)
  const from = monday(view === 'month' ? new Date(d.getFullYear(), d.getMonth(), 1) : d)
  if (view === 'week') return { from, to: new Date(from.getFullYear(), from.getMonth(), from.getDate() + 7) }
  const last = monday(new Date(d.getFullYear(), d.getMonth() + 1, 0))
  return { from, to: new Date(last.getFullYear(), last.getMonth(), last.getDate() + 7) }
}

/** days lays a calendar out; a span is on every day that it touches. */
export function days(id: string, view: View, c: Calendar | undefined): Day[] {
  const { from, to } = range(id, view)
  const out: Day[] = []
  for (let d = from; d < to; d = new Date(d.getFullYear(), d.getMonth(), d.getDate() + 1)) {
    const next = new Date(d.getFullYear(), d.getMonth(), d.getDate() + 1)
    const on = (at: string) => Date.parse(at) >= d.getTime() && Date.parse(at) < next.getTime()
    const touches = (s: Span) => Date.parse(s.from) < next.getTime() && Date.parse(s.to) > d.getTime()
    out.push({
      id: idOf(d), start: d, inMonth: d.getMonth() === dayOf(id).getMonth(),
      planned: (c?.planned ?? []).filter((p) => on(p.at)), runs: (c?.runs ?? []).filter((r) => on(r.started)),
      closed: (c?.closed ?? []).filter(touches), open: (c?.open ?? []).filter(touches),
    })
  }
  return out
}

/** ownTime is the time of day in the schedule's own zone, as the server sent it: "02:00". */
export function ownTime(at: string): string { return at.slice(11, 16) }

/** step is where a key leads in a month, or null: arrows by day and week, Home and End in the week, Page by month. */
export function step(id: string, key: string): string | null {
  const weekday = (dayOf(id).getDay() + 6) % 7
  switch (key) {
    case 'ArrowLeft': return shift(id, -1, 'day')
    case 'ArrowRight': return shift(id, 1, 'day')
    case 'ArrowUp': return shift(id, -1, 'week')
    case 'ArrowDown': return shift(id, 1, 'week')
    case 'Home': return shift(id, -weekday, 'day')
    case 'End': return shift(id, 6 - weekday, 'day')
    case 'PageUp': return shift(id, -1, 'month')
    case 'PageDown': return shift(id, 1, 'month')
  }
  return null
}
