// What a person says to silence, as the server reads it, and which silences still hold. Pure.
import type { Silence } from '../api/types'

export const labels = ['service', 'environment', 'severity', 'kind', 'project', 'team'] as const
export const signs = ['=', '!=', '=~', '!~'] as const
export type Label = (typeof labels)[number]
export type Sign = (typeof signs)[number]

export interface Condition { label: Label; sign: Sign; value: string }

/** matcher writes a condition; a value that would be read otherwise stands in quotes. */
export function matcher(c: Condition): string {
  const value = c.value.trim()
  return `${c.label}${c.sign}${value.startsWith('"') ? JSON.stringify(value) : value}`
}

/** complete says that every condition has a value. */
export function complete(all: readonly Condition[]): boolean { return all.length > 0 && all.every((c) => c.value.trim() !== '') }

export const longest = 30 * 86_400 // seconds

export const lengths = [1_800, 7_200, 28_800, 86_400, 3 * 86_400, 7 * 86_400] as const

/** lengthUntil is how many seconds there are to a moment, undefined when that is past, or too far. */
export function lengthUntil(until: string, now: number): number | undefined {
  const seconds = Math.round((Date.parse(until) - now) / 1000)
  return seconds > 0 && seconds <= longest ? seconds : undefined
}

/** sorted has the active ones, the next to end first, and those that are over, the last to end first. */
export function sorted(all: readonly Silence[], now: number): { active: Silence[]; over: Silence[] } {
  const end = (s: Silence) => Date.parse(s.until)
  const byEnd = [...all].sort((a, b) => end(a) - end(b))
  return { active: byEnd.filter((s) => end(s) > now), over: byEnd.filter((s) => end(s) <= now).reverse() }
}
