// What a run of an experiment left, put in the order in which people ask. Pure.
import type { Evidence, Run } from '../api/types'
import type { Plot } from './series'

/** Sli is what was measured of one objective: each window with its share, with and without the fault. */
export interface Sli { name: string; threshold?: number; windows: Window[]; plot: Plot | null }
export interface Window { from: string; to: string; measured?: number; fault: boolean; holds: boolean }

const about = (e: Evidence, what: string) => e.facts?.about === what
const known = (at: string | undefined): at is string => at !== undefined && at !== '' && !at.startsWith('0001-')

/** slis collects the measurements of each objective, oldest first. */
export function slis(evidence: readonly Evidence[]): Sli[] {
  const found = new Map<string, Sli>()
  for (const e of evidence) {
    const name = e.facts?.slo
    if (name === undefined || about(e, 'compared') || !known(e.from) || !known(e.to)) continue
    const sli = found.get(name) ?? { name: e.facts?.title || name, threshold: e.threshold, windows: [], plot: null }
    sli.windows.push({ from: e.from, to: e.to, measured: e.measured, fault: about(e, 'fault') || e.fault !== undefined, holds: e.holds })
    found.set(name, sli)
  }
  for (const sli of found.values()) {
    sli.windows.sort((a, b) => Date.parse(a.from) - Date.parse(b.from))
    sli.plot = steps(sli)
  }
  return [...found.values()]
}

/** steps draws each window as a level line; between two windows nothing is known. */
function steps(s: Sli): Plot | null {
  const times: number[] = []
  const values: (number | null)[] = []
  for (const w of s.windows) {
    if (w.measured === undefined) continue
    const from = Math.max(Date.parse(w.from) / 1000, (times.at(-1) ?? -Infinity) + 0.002)
    const to = Math.max(Date.parse(w.to) / 1000, from + 0.001)
    if (times.length > 0) { times.push(from - 0.001); values.push(null) }
    times.push(from, to)
    values.push(w.measured, w.measured)
  }
  return times.length < 2 ? null : { times, series: [{ name: s.name, values }] }
}

/** recovery is how many seconds the service took to come back, and whether it did. */
export function recovery(evidence: readonly Evidence[]): { seconds?: number; holds: boolean } | undefined {
  const e = evidence.find((x) => about(x, 'recovered'))
  return e && { seconds: e.measured, holds: e.holds }
}

export type Moment = 'scheduled' | 'started' | 'created' | 'injected' | 'recovered' | 'measuredFrom' | 'measuredTo' | 'ended'

/** moments are what happened, in order; what is not known is left out. */
export function moments(r: Run): { at: string; what: Moment; detail?: string }[] {
  const fault = (r.verdict?.evidence ?? []).filter((e) => about(e, 'fault') && e.facts?.slo !== undefined)
  const all: { at: string | undefined; what: Moment; detail?: string }[] = [
    { at: r.scheduled, what: 'scheduled' }, { at: r.started, what: 'started' }, { at: r.fault?.created, what: 'created' }, { at: r.fault?.injected, what: 'injected' },
    { at: least(fault.map((e) => e.from)), what: 'measuredFrom' }, { at: most(fault.map((e) => e.to)), what: 'measuredTo' },
    { at: r.fault?.recovered, what: 'recovered' }, { at: r.ended, what: 'ended' },
  ]
  return all.filter((m): m is { at: string; what: Moment } => known(m.at)).sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
}

const sorted = (at: (string | undefined)[]) => at.filter(known).sort((a, b) => Date.parse(a) - Date.parse(b))
const least = (at: (string | undefined)[]) => sorted(at)[0]
const most = (at: (string | undefined)[]) => sorted(at).at(-1)
