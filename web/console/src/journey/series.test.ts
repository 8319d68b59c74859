import { expect, test } from 'vitest'
import { percent, plotOf } from './series'

const t = (s: number) => new Date(Date.UTC(2026, 10, 23, 7, 0, s)).toISOString()

test('series are aligned by time and a missing sample is a hole', () => {
  const plot = plotOf({ name: 'ratio', expr: 'x', at: t(9), samples: [{ labels: { c: 'a' }, time: t(1), value: 1 }, { labels: { c: 'b' }, time: t(2), value: 2 }, { labels: { c: 'a' }, time: t(2), value: 3 }] })
  expect(plot?.series).toEqual([{ name: '{c="a"}', values: [1, 3] }, { name: '{c="b"}', values: [null, 2] }])
})

test('a single moment is no line', () => {
  expect(plotOf({ name: 'good', expr: 'x', at: t(9), samples: [{ time: t(1), value: 1 }] })).toBeNull()
  expect(plotOf({ name: 'good', expr: 'x', at: t(9), samples: null })).toBeNull()
})

test('a share is never rounded up to 100 per cent', () => {
  expect([1, 0.99996, 0.99, 0.8596, 0].map(percent)).toEqual(['100 %', '99.996 %', '99.00 %', '85.96 %', '0.00 %'])
  expect(percent(0.99999999)).not.toMatch(/^100/)
})
