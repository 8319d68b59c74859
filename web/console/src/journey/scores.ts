// How well the releases of a service took their faults, over time. Pure; each trial has
// recorded its own score.
import type { Release } from '../api/types'
import type { Plot } from './series'

export interface Score { release: string; commit: string; message: string; at: string; score: number; end: 'verified' | 'refused' | 'open' }

const known = (at: string | undefined): at is string => at !== undefined && at !== '' && !at.startsWith('0001-')

/** scores are the trials of an environment that measured anything, oldest first. */
export function scores(releases: readonly Release[], env: string): Score[] {
  const all: Score[] = []
  for (const r of releases) {
    for (const s of r.stages ?? []) {
      const score = s.trial?.score
      if (s.env !== env || score === undefined) continue
      const at = [s.refused, s.verified, s.trial?.since, r.updated].find(known) ?? r.created
      all.push({ release: r.id, commit: r.commit, message: r.message, at, score, end: known(s.refused) ? 'refused' : known(s.verified) ? 'verified' : 'open' })
    }
  }
  return all.sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
}

/** course draws them as one line; null when there are not two moments to draw it between. */
export function course(all: readonly Score[], name: string): Plot | null {
  const values = new Map(all.map((s) => [Date.parse(s.at) / 1000, s.score] as const).filter(([at]) => Number.isFinite(at)))
  return values.size < 2 ? null : { times: [...values.keys()], series: [{ name, values: [...values.values()] }] }
}

/** figure writes a score with one digit and never rounds it up to 100. */
export function figure(score: number): string { return (Math.floor(score * 10 + 1e-6) / 10).toFixed(1) }
