// The two-by-two of a trial: the last verified release and this one, without a fault and
// under the same fault, with what the server has found. Pure.
import type { Evidence, Ratio, Trial } from '../api/types'

export interface Side { baseline?: Ratio; fault?: Ratio }
/** Difference is by how many points a share differs, 0.01 for one; its interval holds it in 98 of 100 cases. */
export interface Difference { by: number; low?: number; high?: number }

/** Finding is a comparison as it was recorded; without a difference it says by its code why. */
export interface Finding {
  code: string; holds: boolean; detail: string; title: string; beside?: string
  policy?: string // what becomes of a release that is worse: refuse, hold or tell
  tolerance?: number; confidence?: number
  without?: Difference; under?: Difference; extra?: Difference
  worse: number; attempts: number // in how many of the attempts it was worse
}

export interface Square {
  key: string
  experiment: string
  slo: string
  cluster: string
  before: Side
  now: Side
  found?: Finding
}

/** squares reads cells named "experiment/slo@cluster/baseline" or "…/fault"; other names are left out. */
export function squares(now: Trial | undefined, before: Trial | undefined): Square[] {
  const all = new Map<string, Square>()
  const fill = (trial: Trial | undefined, side: 'before' | 'now') => {
    for (const [name, ratio] of Object.entries(trial?.cells ?? {})) {
      const m = /^([^/]+)\/(.+)@([^/@]+)\/(baseline|fault)$/.exec(name)
      if (!m) continue
      const [, experiment = '', slo = '', cluster = '', what] = m
      const key = `${experiment}/${slo}@${cluster}`
      const square = all.get(key) ?? { key, experiment, slo, cluster, before: {}, now: {} }
      square[side][what === 'fault' ? 'fault' : 'baseline'] = ratio
      all.set(key, square)
    }
  }
  fill(now, 'now')
  fill(before, 'before')
  return [...all.values()].filter((s) => s.now.baseline ?? s.now.fault).sort((a, b) => (a.key < b.key ? -1 : 1)).map((s) => compared(s, now?.evidence ?? []))
}

/** compared adds what was found, and the cells that it was found from: they may be of another cluster. */
function compared(s: Square, evidence: readonly Evidence[]): Square {
  const all = evidence.filter((e) => e.facts?.about === 'compared' && e.facts.experiment === s.experiment && e.facts.slo === s.slo)
  const last = all.reduce<Evidence | undefined>((a, b) => (a === undefined || attempt(b) >= attempt(a) ? b : a), undefined)
  if (last === undefined) return s
  const f = last.facts ?? {}
  const found: Finding = {
    code: f.code ?? '', holds: last.holds, detail: last.detail ?? '', title: f.title || s.slo, beside: f.beside || undefined,
    policy: f.worse, tolerance: number(f.tolerance), confidence: number(f.confidence),
    without: difference(f, 'difference.without'), under: difference(f, 'difference.under'), extra: difference(f, 'extra'),
    worse: all.filter((e) => !e.holds && e.facts?.code !== 'another-fault').length, attempts: all.length,
  }
  if (found.code === 'another-fault') return { ...s, before: { baseline: s.before.baseline }, found }
  if (undecided.has(found.code)) found.without = found.under = found.extra = found.confidence = undefined
  return { ...s, before: { baseline: cell(f['verified.without']) ?? s.before.baseline, fault: cell(f['verified.under']) ?? s.before.fault }, now: { baseline: cell(f['candidate.without']) ?? s.now.baseline, fault: cell(f['candidate.under']) ?? s.now.fault }, found }
}

const undecided = new Set(['too-few-events', 'no-event-counts', 'another-fault'])

export type Word = 'better' | 'alike' | 'worse' | 'untold'

/** word is what was found, in one: better only when that is as certain as worse has to be. */
export function word(f: Finding): Word {
  if (undecided.has(f.code)) return 'untold'
  if (!f.holds) return 'worse'
  return (f.under?.low ?? 0) > 0 ? 'better' : 'alike'
}

/** effect is what the fault did to one side. */
export function effect(s: Side): number | undefined {
  const [a, b] = [share(s.baseline), share(s.fault)]
  return a === undefined || b === undefined ? undefined : b - a
}

export function share(r: Ratio | undefined): number | undefined {
  return r && r.total > 0 ? r.good / r.total : undefined
}

/** points writes a difference of shares in percentage points. */
export function points(d: number): string {
  const text = Math.abs(d * 100).toFixed(2)
  return Number(text) === 0 ? text : `${d < 0 ? '−' : '+'}${text}`
}

/** sure writes a confidence and never rounds it up to certainty. */
export function sure(c: number): string { return `${(Math.floor(Math.min(c, 0.999) * 1000) / 10).toFixed(1)} %` }

const attempt = (e: Evidence) => Number(e.facts?.attempt ?? 0)

function number(text: string | undefined): number | undefined {
  const n = text === undefined || text === '' ? NaN : Number(text)
  return Number.isFinite(n) ? n : undefined
}

function difference(f: Record<string, string>, key: string): Difference | undefined {
  const by = number(f[key])
  return by === undefined ? undefined : { by, low: number(f[`${key}.low`]), high: number(f[`${key}.high`]) }
}

function cell(text: string | undefined): Ratio | undefined {
  const [good, total] = (text ?? '').split('/').map(number)
  return good === undefined || total === undefined ? undefined : { good, total }
}
