import { expect, test } from 'vitest'
import { complete, lengthUntil, matcher, sorted, type Condition } from './silences'

const now = Date.UTC(2026, 10, 27, 9, 0, 0)
const at = (minutes: number) => new Date(now + minutes * 60_000).toISOString()

test('a condition is written as the server reads it', () => {
  const say = (sign: Condition['sign'], value: string) => matcher({ label: 'service', sign, value })
  expect([say('=', ' shop/web '), say('!~', 'shop/.*'), say('=', '"odd"')]).toEqual(['service=shop/web', 'service!~shop/.*', 'service="\\"odd\\""'])
})

test('every condition needs a value', () => {
  expect([complete([]), complete([{ label: 'team', sign: '=', value: ' ' }]), complete([{ label: 'team', sign: '=', value: 'shop' }])]).toEqual([false, false, true])
})

test('an end is in the next 30 days', () => {
  expect([at(90), at(0), at(-1), at(31 * 1440), 'soon', ''].map((x) => lengthUntil(x, now))).toEqual([5_400, undefined, undefined, undefined, undefined, undefined])
})

test('what holds comes by its end, what is over is apart', () => {
  const all = [-60, 120, -1, 30].map((m) => ({ id: String(m), matchers: [], from: at(-100), until: at(m), by: 'ann', reason: 'r' }))
  const { active, over } = sorted(all, now)
  expect([active.map((s) => s.id), over.map((s) => s.id)]).toEqual([['30', '120'], ['-1', '-60']])
})
