// Samples of a query as aligned series for a plot. Pure.
import type { Evidence, Query, Sample } from '../api/types'

export interface Series { name: string; values: (number | null)[] }
export interface Plot { times: number[]; series: Series[] } // times in seconds

/** labelsOf names a series by its labels; the same labels give the same name. */
export function labelsOf(s: Sample): string {
  const pairs = Object.entries(s.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return pairs.length === 0 ? '' : `{${pairs.map(([k, v]) => `${k}="${v}"`).join(', ')}}`
}

/** plotOf aligns samples by time; null when there is nothing to draw a line through. */
export function plotOf(q: Query): Plot | null {
  const samples = (q.samples ?? []).filter((s) => Number.isFinite(s.value) && !Number.isNaN(Date.parse(s.time)))
  const times = [...new Set(samples.map((s) => Date.parse(s.time) / 1000))].sort((a, b) => a - b)
  if (times.length < 2) return null
  const at = new Map(times.map((x, i) => [x, i]))
  const series = new Map<string, (number | null)[]>()
  for (const s of samples) {
    const name = labelsOf(s)
    const values = series.get(name) ?? times.map(() => null)
    values[at.get(Date.parse(s.time) / 1000) ?? 0] = s.value
    series.set(name, values)
  }
  return { times, series: Array.from(series, ([name, values]) => ({ name: name || q.name, values })) }
}

/** percent writes a share for people and never rounds one up to 100. */
export function percent(share: number): string {
  if (share >= 1) return '100 %'
  let digits = 2
  for (let left = 1 - share; left < 0.0005 && digits < 5; left *= 10) digits++
  const scale = 10 ** digits
  return `${(Math.floor(share * 100 * scale + 1e-6) / scale).toFixed(digits).replace(/(\.\d\d+?)0+$/, '$1')} %`
}

/** isShare tells whether a piece of evidence measured a share of good events. */
export function isShare(e: Evidence): boolean {
  return e.threshold !== undefined ? e.threshold > 0 && e.threshold <= 1 : e.facts?.slo !== undefined
}

/** figure writes a measured value: shares as per cent, others plainly. */
export function figure(value: number | undefined, share: boolean): string {
  if (value === undefined) return '–'
  if (share) return percent(value)
  return Number.isInteger(value) ? String(value) : value.toPrecision(4)
}
