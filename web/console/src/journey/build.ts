// The steps of a build as something to look at: how they went, when, and for how long. Pure.
import type { Build, BuildStep } from '../api/types'
import { known } from '../ui/time'

export type StepState = 'done' | 'cached' | 'failed' | 'stopped'

export function stateOf(s: BuildStep): StepState {
  if (s.error) return 'failed'
  if (!known(s.finished)) return 'stopped'
  return s.cached ? 'cached' : 'done'
}

/** msOf is how long a step took; undefined when it never ended. */
export function msOf(s: BuildStep): number | undefined {
  return known(s.started) && known(s.finished) ? Math.max(0, Date.parse(s.finished) - Date.parse(s.started)) : undefined
}

export interface Bar { from: number; to: number } // shares of the time all steps took together

/** barsOf places each step on the line of time; one that was stopped lasted to the end. */
export function barsOf(steps: readonly BuildStep[]): (Bar | undefined)[] {
  const moments = steps.flatMap((s) => [s.started, s.finished]).filter(known).map((at) => Date.parse(at))
  const first = Math.min(...moments)
  const all = Math.max(...moments) - first
  return steps.map((s) => {
    if (!known(s.started) || all <= 0) return undefined
    const share = (at: string) => (Date.parse(at) - first) / all
    return { from: share(s.started), to: known(s.finished) ? Math.max(share(s.started), share(s.finished)) : 1 }
  })
}

/** cachedOf counts the steps that BuildKit did not have to run. */
export function cachedOf(steps: readonly BuildStep[]): number {
  return steps.filter((s) => stateOf(s) === 'cached').length
}

/** took writes a length of time as exactly as it matters: "38 ms", "4.2 s", "1:07". */
export function took(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const s = Math.round(ms / 1_000)
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}

/** bytes writes an amount of text: "830 B", "12 kB", "3.4 MB". */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`
  if (n < 999_500) return `${Math.round(n / 1_000)} kB`
  return `${(n / 1_000_000).toFixed(1)} MB`
}

/** documentsOf are what is attached to a subject: the index when the platform has no name. */
export function documentsOf(b: Build, digest: string) {
  return (b.attached ?? []).filter((d) => d.subject === digest)
}
