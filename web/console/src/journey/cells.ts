// The two-by-two of a trial: the last verified release and this one, without a fault and
// under the same fault. Pure.
import type { Ratio, Trial } from '../api/types'

export interface Square {
  key: string
  experiment: string
  slo: string
  cluster: string
  before: { baseline?: Ratio; fault?: Ratio }
  now: { baseline?: Ratio; fault?: Ratio }
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
  return [...all.values()].filter((s) => s.now.baseline ?? s.now.fault).sort((a, b) => (a.key < b.key ? -1 : 1))
}
