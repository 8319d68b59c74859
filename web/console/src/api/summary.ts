import type { Release, ReleaseSummary } from './types'

/** summary is the short form of a release: where it stands, without how it came there. */
export function summary(r: Release | ReleaseSummary): ReleaseSummary {
  if (!('stages' in r)) return r
  const stage = (r.stages ?? [])[r.stage]
  const wave = r.phase === 'Deploying' ? (stage?.waves ?? [])[r.wave]?.name : undefined
  return {
    id: r.id, service: r.service, commit: r.commit, message: r.message, author: r.author, phase: r.phase, env: stage?.env, wave, step: r.step,
    reason: r.reason, hint: r.hint, created: r.created, updated: r.updated, version: r.version, hold: r.hold,
  }
}

/** waveNumber is the place of a summary's wave among the environment's, from 0; -1 when unknown. */
export function waveNumber(wave: string | number | undefined, names: readonly string[]): number {
  if (typeof wave === 'number') return wave < names.length ? wave : -1
  return wave === undefined ? -1 : names.indexOf(wave)
}
