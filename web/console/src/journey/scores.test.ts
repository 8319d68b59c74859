import { expect, test } from 'vitest'
import type { Release, Stage } from '../api/types'
import { course, figure, scores } from './scores'

const at = (s: number) => new Date(Date.UTC(2026, 10, 27, 2, 0, s)).toISOString()
const trial = (score?: number, since?: string) => ({ experiment: 0, step: 'ended', attempt: 1, score, since })
const release = (id: string, ...stages: Partial<Stage>[]): Release => ({
  id, service: 'shop/web', project: 'shop', repo: '', ref: '', commit: `c${id}`, message: '', author: '', origin: 'push', created: at(0), updated: at(50), version: 1, phase: 'Done', stage: 0, wave: 0, attempt: 1, tries: 0,
  stages: stages.map((s) => ({ env: 'prod', live: true, ...s })),
})

test('the trials of an environment that measured anything, oldest first', () => {
  const all = scores([
    release('c', { trial: trial(80), verified: at(9), refused: at(30) }), release('b', { trial: trial(100, at(1)), verified: at(20) }, { env: 'staging', trial: trial(0), verified: at(2) }),
    release('a', { trial: trial(0, at(10)), verified: '0001-01-01T00:00:00Z' }), release('none', { trial: trial() }), release('never', {}),
  ], 'prod')
  expect(all.map((s) => [s.release, s.at, s.score, s.end])).toEqual([['a', at(10), 0, 'open'], ['b', at(20), 100, 'verified'], ['c', at(30), 80, 'refused']])
})

test('a line needs two moments, in order', () => {
  const all = scores([release('b', { trial: trial(50), verified: at(2) }), release('a', { trial: trial(90), verified: at(1) })], 'prod')
  expect(course(all, 'score')).toEqual({ times: [Date.parse(at(1)) / 1000, Date.parse(at(2)) / 1000], series: [{ name: 'score', values: [90, 50] }] })
  expect([course(all.slice(1), 'score'), course([], 'score')]).toEqual([null, null])
  expect(course([...all, ...all], 'score')?.times).toHaveLength(2) // uPlot wants each moment once
})

test('a score is never rounded up', () => {
  expect([100, 99.99, 49.95, 0].map(figure)).toEqual(['100.0', '99.9', '49.9', '0.0'])
})
