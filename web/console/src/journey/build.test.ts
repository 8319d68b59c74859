import { expect, test } from 'vitest'
import type { BuildStep } from '../api/types'
import { barsOf, bytes, cachedOf, msOf, stateOf, took } from './build'

const at = (s: number) => new Date(1_700_000_000_000 + s * 1_000).toISOString()
const step = (name: string, from: number | undefined, to: number | undefined, more: Partial<BuildStep> = {}): BuildStep => ({
  name, cached: false, logBytes: 0, ...(from === undefined ? {} : { started: at(from) }), ...(to === undefined ? {} : { finished: at(to) }), ...more,
})

test('a step is what it ended as', () => {
  expect(stateOf(step('a', 0, 1))).toBe('done')
  expect(stateOf(step('a', 0, 0, { cached: true }))).toBe('cached')
  expect(stateOf(step('a', 0, 1, { cached: true, error: 'exit code 1' }))).toBe('failed')
  expect(stateOf(step('a', 0, undefined))).toBe('stopped')
  expect(stateOf(step('a', 0, undefined, { finished: '0001-01-01T00:00:00Z' }))).toBe('stopped')
})

test('bars share one line of time, from the first start to the last end', () => {
  expect(barsOf([step('a', 10, 15), step('b', 12, 20), step('c', 20, 20, { cached: true }), step('d', 11, undefined)])).toEqual([
    { from: 0, to: 0.5 }, { from: 0.2, to: 1 }, { from: 1, to: 1 }, { from: 0.1, to: 1 },
  ])
})

test('without a length of time there are no bars', () => {
  expect(barsOf([])).toEqual([])
  expect(barsOf([step('a', 3, 3)])).toEqual([undefined])
  expect(barsOf([step('a', undefined, undefined)])).toEqual([undefined])
})

test('a clock that went back gives no negative length', () => {
  expect(msOf(step('a', 5, 4))).toBe(0)
  expect(barsOf([step('a', 5, 4)])[0]).toEqual({ from: 1, to: 1 })
  expect(msOf(step('a', 5, undefined))).toBeUndefined()
})

test('cached steps are counted, failed ones are not', () => {
  expect(cachedOf([step('a', 0, 0, { cached: true }), step('b', 0, 1), step('c', 0, 1, { cached: true, error: 'x' })])).toBe(1)
})

test('lengths and amounts are as exact as they matter', () => {
  expect([0, 38.4, 999, 1_000, 4_249, 59_949, 59_950, 67_400, 3_600_000].map(took)).toEqual(['0 ms', '38 ms', '999 ms', '1.0 s', '4.2 s', '59.9 s', '1:00', '1:07', '60:00'])
  expect([0, 830, 1_000, 12_345, 999_499, 999_500, 3_400_000].map(bytes)).toEqual(['0 B', '830 B', '1 kB', '12 kB', '999 kB', '1.0 MB', '3.4 MB'])
})
