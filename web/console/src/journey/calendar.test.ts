import { expect, test } from 'vitest'
import type { Calendar } from '../api/types'
import { dayOf, days, idOf, isDay, ownTime, range, shift, step } from './calendar'

const empty: Calendar = { from: '', to: '', planned: [], often: [], closed: [], open: [], runs: [] }

test('a month is shown in whole weeks from Monday on', () => {
  const { from, to } = range('2026-11-27', 'month') // the first is a Sunday
  expect([idOf(from), idOf(to)]).toEqual(['2026-10-26', '2026-12-07'])
  expect([idOf(range('2026-02-10', 'month').from), idOf(range('2026-02-10', 'month').to)]).toEqual(['2026-01-26', '2026-03-02'])
  for (let m = 0; m < 48; m++) {
    const month = days(shift('2026-01-31', m, 'month'), 'month', undefined)
    expect(month.length % 7).toBe(0)
    expect(month.length).toBeLessThanOrEqual(42)
    expect(new Set(month.map((d) => d.id)).size).toBe(month.length)
  }
})

test('a week has the seven days around a day', () => {
  expect(days('2026-11-29', 'week', empty).map((d) => d.id)).toEqual(['2026-11-23', '2026-11-24', '2026-11-25', '2026-11-26', '2026-11-27', '2026-11-28', '2026-11-29'])
})

test('the last of a month stays the last of a shorter one', () => {
  expect([shift('2026-01-31', 1, 'month'), shift('2026-03-31', -1, 'month'), shift('2026-12-31', 1, 'day')]).toEqual(['2026-02-28', '2026-02-28', '2027-01-01'])
})

test('keys lead from day to day', () => {
  expect(['ArrowLeft', 'ArrowDown', 'Home', 'End', 'PageDown', 'Enter'].map((k) => step('2026-11-27', k))).toEqual(['2026-11-26', '2026-12-04', '2026-11-23', '2026-11-29', '2026-12-27', null])
})

test('a run is on the day of the reader, and a freeze on every day it touches', () => {
  const at = (id: string, hour: number) => { const d = dayOf(id); d.setHours(hour); return d.toISOString() }
  const c: Calendar = {
    ...empty,
    planned: [{ at: at('2026-11-28', 0), timeZone: 'Asia/Shanghai', experiment: 'nightly', service: 'shop/web', env: 'prod' }],
    runs: [{ id: 'r', experiment: 'nightly', service: 'shop/web', env: 'prod', trigger: 'schedule', state: 'Passed', started: at('2026-11-26', 23) }],
    closed: [{ env: 'prod', from: at('2026-11-27', 12), to: at('2026-11-29', 0) }],
  }
  const week = days('2026-11-27', 'week', c)
  expect(week.filter((d) => d.planned.length > 0).map((d) => d.id)).toEqual(['2026-11-28'])
  expect(week.filter((d) => d.runs.length > 0).map((d) => d.id)).toEqual(['2026-11-26'])
  expect(week.filter((d) => d.closed.length > 0).map((d) => d.id)).toEqual(['2026-11-27', '2026-11-28'])
})

test('a schedule keeps the time of its own zone', () => {
  expect(ownTime('2026-11-28T02:00:00+08:00')).toBe('02:00')
})

test('only days are days', () => {
  expect([isDay('2026-11-27'), isDay('2026-02-30'), isDay('27.11.2026'), isDay(20261127)]).toEqual([true, false, false, false])
})
