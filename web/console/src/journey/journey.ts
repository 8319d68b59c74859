// The road of one release as a list of waypoints: pure, so that the chart and the table
// cannot differ. Start at journey.
import type { Phase, Release, Stage, Step, Transition } from '../api/types'

export type WaypointState = 'done' | 'active' | 'waiting' | 'ahead' | 'refused' | 'held' | 'skipped' | 'returned'

export interface Waypoint {
  id: string
  phase: Phase
  env?: string
  wave?: string
  lane: number // 0: the yard; then one for each environment
  state: WaypointState
  step?: Step // of the wave under way
  began?: string
  ended?: string
}

interface Place { phase: Phase; env?: string; wave?: string; step?: Step }

const ends = new Set<Phase>(['RollingBack', 'RolledBack', 'Failed', 'Held', 'Superseded'])

/** journey lists the waypoints in order; one for rolling back follows where it happened. */
export function journey(r: Release): Waypoint[] {
  const road = roadOf(r)
  const here = standing(r)
  const at = indexOf(road, here)
  const points = road.map((p, i): Waypoint => ({
    ...p, id: [p.phase, p.env, p.wave].filter(Boolean).join('/'), lane: laneOf(r, p), ...times(r, p),
    state: i < at ? 'done' : i > at ? (ends.has(r.phase) ? 'skipped' : 'ahead') : stateHere(r),
    ...(i === at && r.phase === 'Deploying' ? { step: r.step } : {}),
  }))
  return withReturn(r, points)
}

function roadOf(r: Release): Place[] {
  if (r.pull) return [{ phase: 'Building' }, { phase: 'Done' }]
  const road: Place[] = [{ phase: 'Building' }, { phase: 'Signing' }, { phase: 'Checking' }]
  for (const s of r.stages ?? []) {
    const env = s.env
    road.push({ phase: 'Approving', env })
    const waves = s.waves ?? []
    if (waves.length === 0) road.push({ phase: 'Deploying', env })
    for (const w of waves) {
      road.push({ phase: 'Deploying', env, wave: w.name })
      if (w.trial) road.push({ phase: 'Trial', env })
    }
    if (!waves.some((w) => w.trial)) road.push({ phase: 'Trial', env })
    road.push({ phase: 'Verified', env })
  }
  return [...road, { phase: 'Done' }]
}

/** standing is the place the release is at, or was at when it was stopped. */
function standing(r: Release): Place {
  const stage = (r.stages ?? [])[r.stage]
  if (!ends.has(r.phase)) {
    return { phase: r.phase, env: stage?.env, wave: r.phase === 'Deploying' ? (stage?.waves ?? [])[r.wave]?.name : undefined, step: r.step }
  }
  const history = r.history ?? []
  let i = history.length
  while (i > 0 && ends.has(history[i - 1]?.to ?? 'Unknown')) i--
  const arrived = history[i - 1]
  if (arrived) return { phase: arrived.to, env: arrived.env, wave: arrived.wave, step: arrived.step }
  return { phase: history[0]?.from ?? 'Building', env: stage?.env }
}

/** stoppedAt says where a release that did not arrive was stopped. */
export function stoppedAt(r: Release): Place | null { return ends.has(r.phase) ? standing(r) : null }

function indexOf(road: Place[], here: Place): number {
  const exact = road.findIndex((p) => same(p, here))
  if (exact >= 0) return exact
  const loose = road.findIndex((p) => p.phase === here.phase && (p.env === undefined || p.env === here.env))
  return loose >= 0 ? loose : 0
}

function same(p: Place, q: Place): boolean {
  return p.phase === q.phase && (p.env === undefined || p.env === q.env) && (p.wave === undefined || p.wave === q.wave)
}

function stateHere(r: Release): WaypointState {
  if (r.phase === 'Done') return 'done'
  if (r.phase === 'Superseded') return 'skipped'
  if (r.phase === 'Held') return arrivedBefore(r) ? 'done' : 'held'
  if (ends.has(r.phase)) return arrivedBefore(r) ? 'done' : 'refused'
  if (r.hold) return 'held'
  if (r.phase === 'Approving' || r.tries > 0) return 'waiting'
  return r.phase === 'Verified' ? 'done' : 'active'
}

/** arrivedBefore: a person returned what had been verified; the place itself refused nothing. */
function arrivedBefore(r: Release): boolean {
  const place = standing(r).phase
  return place === 'Verified' || place === 'Done'
}

function laneOf(r: Release, p: Place): number {
  const stages = r.stages ?? []
  if (p.phase === 'Done') return stages.length
  return p.env === undefined ? 0 : stages.findIndex((s) => s.env === p.env) + 1
}

function times(r: Release, p: Place): { began?: string; ended?: string } {
  const history = r.history ?? []
  const reached = (t: Transition) => t.to === p.phase && (p.env === undefined || t.env === p.env) && (p.wave === undefined || t.wave === p.wave)
  const first = history.findLastIndex((t, i) => reached(t) && !(i > 0 && history[i - 1] !== undefined && reached(history[i - 1] as Transition)))
  if (first < 0) return p.phase === 'Building' ? { began: r.created, ended: history.find((t) => t.from === 'Building')?.at } : {}
  const left = history.slice(first + 1).find((t) => !reached(t))
  return { began: history[first]?.at, ended: left?.at }
}

/** withReturn adds the way back where an environment was returned. */
function withReturn(r: Release, points: Waypoint[]): Waypoint[] {
  const stages = r.stages ?? []
  const stage: Stage | undefined = stages[r.stage]
  const back = (r.history ?? []).findLast((t) => t.to === 'RollingBack')
  const rolling = r.phase === 'RollingBack' || r.phase === 'RolledBack' || (r.phase === 'Held' && (r.history ?? []).at(-1)?.from === 'RollingBack')
  if (!rolling || !stage) return points
  const lane = r.stage + 1
  const way: Waypoint = {
    id: `RollingBack/${stage.env}`, phase: r.phase === 'RolledBack' ? 'RolledBack' : 'RollingBack', env: stage.env, lane,
    state: r.phase === 'RolledBack' ? 'returned' : r.phase === 'Held' ? 'held' : r.tries > 0 ? 'waiting' : 'active',
    began: back?.at ?? stage.refused, ended: stage.returned,
  }
  const refused = points.findIndex((p) => p.state === 'refused' && p.lane === lane)
  const at = refused >= 0 ? refused : points.findLastIndex((p) => p.lane === lane)
  return [...points.slice(0, at + 1), way, ...points.slice(at + 1)]
}

/** stageNow is the stage the release is in. */
export function stageNow(r: Release): Stage | undefined { return (r.stages ?? [])[r.stage] }
