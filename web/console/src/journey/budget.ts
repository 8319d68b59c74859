// Error budgets in figures, and the course of one as lines. Pure.
import type { Course, Standing } from '../api/types'
import type { Plot } from './series'

/** share writes what is left of a budget: 41.2 %, or -12 % when it is overspent. */
export function share(left: number): string {
  const digits = Math.abs(left) < 0.1 ? 1 : 0
  const scale = 100 * 10 ** digits
  const text = (Math.floor(left * scale + 1e-9) / 10 ** digits).toFixed(digits)
  return `${text.replace('-', '−')} %`
}

/** times writes a burn rate. */
export function times(burn: number): string {
  return `${burn >= 100 ? Math.round(burn) : Number(burn.toPrecision(2))}×`
}

/** worst is the least of a budget that is left on any cluster; undefined when none is known. */
export function worst(clusters: readonly Standing[]): number | undefined {
  const known = clusters.flatMap((c) => (c.remaining === undefined ? [] : [c.remaining]))
  return known.length === 0 ? undefined : Math.min(...known)
}

/** lines is one figure of a course over time; what is not known is a gap. Null without two points. */
export function lines(c: Course, what: 'burn' | 'remaining', name: string): Plot | null {
  const points = c.points ?? []
  if (points.length < 2) return null
  return { times: points.map((p) => Date.parse(p.at) / 1000), series: [{ name, values: points.map((p) => p[what] ?? null) }] }
}

export interface Row { at: string; burn?: number; remaining?: number }

/** rows are at most n of a course's points: of each stretch the one that burns most, for a table. */
export function rows(c: Course, n: number): Row[] {
  const points = c.points ?? []
  const each = Math.max(1, Math.ceil(points.length / n))
  const out: Row[] = []
  for (let i = 0; i < points.length; i += each) {
    out.push(points.slice(i, i + each).reduce((a, b) => ((b.burn ?? -1) > (a.burn ?? -1) ? b : a)))
  }
  return out
}
