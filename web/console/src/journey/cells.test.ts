import { expect, test } from 'vitest'
import type { Evidence, Trial } from '../api/types'
import { effect, points, squares, sure, word, type Finding } from './cells'

const cell = { good: 9, total: 10 }
const key = 'kill/web-availability@canary'
const trial = (cells: NonNullable<Trial['cells']>, evidence: Evidence[] = []): Trial => ({ experiment: 0, step: '', attempt: 1, cells, evidence })
const compared = (attempt: number, holds: boolean, facts: Record<string, string>): Evidence => ({
  gate: 'trial', claim: 'no worse', holds, detail: 'as it was found', facts: { about: 'compared', experiment: 'kill', slo: 'web-availability', title: 'availability', attempt: String(attempt), ...facts },
})
const four = { 'verified.without': '999/1000', 'verified.under': '990/1000', 'candidate.without': '998/1000', 'candidate.under': '950/1000' }
const own = { [`${key}/baseline`]: { good: 998, total: 1000 }, [`${key}/fault`]: { good: 950, total: 1000 } }

test('a trial is set beside the last verified release', () => {
  expect(squares(trial({ [`${key}/baseline`]: cell, [`${key}/fault`]: cell }), trial({ [`${key}/fault`]: cell, odd: cell }))).toEqual([
    { key, experiment: 'kill', slo: 'web-availability', cluster: 'canary', before: { fault: cell }, now: { baseline: cell, fault: cell } },
  ])
})

test('what was found is of the last attempt, with the cells that it was found from', () => {
  const facts = { ...four, code: 'less-resilient', worse: 'refuse', tolerance: '0.005', confidence: '0.9999', beside: 'rest', extra: '-0.039', 'extra.low': '-0.06', 'extra.high': '-0.02', 'difference.under': '-0.04' }
  const [s] = squares(trial(own, [compared(2, false, facts), compared(1, false, { ...facts, extra: '-0.5' })]), undefined)
  expect(s?.before).toEqual({ baseline: { good: 999, total: 1000 }, fault: { good: 990, total: 1000 } })
  expect(s?.found).toMatchObject({ code: 'less-resilient', holds: false, policy: 'refuse', tolerance: 0.005, beside: 'rest', worse: 2, attempts: 2, extra: { by: -0.039, low: -0.06, high: -0.02 }, under: { by: -0.04 }, detail: 'as it was found' })
  expect(s?.found?.under?.low).toBeUndefined() // recorded before intervals were
})

test('a comparison of another SLO or experiment is not taken for this one', () => {
  expect(squares(trial(own, [compared(1, true, { ...four, slo: 'other' }), compared(1, true, { ...four, experiment: 'delay' })]), undefined)[0]?.found).toBeUndefined()
})

test('of another fault only the cell without it is shown beside', () => {
  const [s] = squares(trial(own, [compared(1, false, { code: 'another-fault' })]), trial(own))
  expect(s?.before).toEqual({ baseline: { good: 998, total: 1000 } })
  expect(s?.found?.worse).toBe(0)
})

test('where nothing was decided there is no difference, whatever older records have', () => {
  const [s] = squares(trial(own, [compared(1, true, { ...four, code: 'too-few-events', extra: '0', confidence: '0' })]), undefined)
  expect([s?.found?.extra, s?.found?.confidence]).toEqual([undefined, undefined])
})

test('cells that are no counts are left as they were measured', () => {
  const [s] = squares(trial(own, [compared(1, true, { code: 'no-event-counts', 'candidate.under': 'NaN/1000', 'verified.under': '' })]), undefined)
  expect([s?.now.fault, s?.before.fault]).toEqual([{ good: 950, total: 1000 }, undefined])
})

test('each finding has its word', () => {
  const f = (code: string, holds: boolean, low?: number): Finding => ({ code, holds, detail: '', title: 'a', worse: 0, attempts: 1, under: low === undefined ? undefined : { by: low, low } })
  expect([f('alike', true, -0.01), f('alike', true, 0.001), f('alike', true), f('worse-anyway', false), f('too-few-events', true), f('another-fault', false)].map(word)).toEqual(['alike', 'better', 'alike', 'worse', 'untold', 'untold'])
})

test('what the fault did is known only with both cells', () => {
  expect(effect({ baseline: { good: 10, total: 10 }, fault: { good: 9, total: 10 } })).toBeCloseTo(-0.1)
  expect([effect({ fault: cell }), effect({ baseline: { good: 0, total: 0 }, fault: cell })]).toEqual([undefined, undefined])
})

test('differences have a sign, and nothing is quite sure', () => {
  expect([-0.028, 0.005, 0.00001, -0.00001].map(points)).toEqual(['−2.80', '+0.50', '0.00', '0.00'])
  expect([1, 0.9994, 0.5].map(sure)).toEqual(['99.9 %', '99.9 %', '50.0 %'])
})
