import { expect, test } from 'vitest'
import type { Course } from '../api/types'
import { lines, rows, share, times, worst } from './budget'

const course = (points: Course['points']): Course => ({ name: 'web', title: 'web', service: 'shop/web', objective: 0.99, window: '1d', clusters: [], points, known: 1, queries: [], releases: [], faults: [] })
const at = (i: number) => new Date(Date.UTC(2026, 10, 27, 0, i)).toISOString()

test('what is left is never rounded up, and less than nothing is told', () => {
  expect([share(1), share(0.419), share(0.0999), share(0), share(-0.123), share(-1.5)]).toEqual(['100 %', '41 %', '9.9 %', '0.0 %', '−13 %', '−150 %'])
})

test('a burn rate has two digits', () => {
  expect([times(0), times(1), times(14.44), times(0.034), times(812.4)]).toEqual(['0×', '1×', '14×', '0.034×', '812×'])
})

test('the worst cluster counts, and one of which nothing is known does not', () => {
  const standing = (remaining?: number) => ({ cluster: 'a', env: 'prod', state: 'ok' as const, code: 'kept', remaining })
  expect(worst([standing(0.4), standing(), standing(-0.2)])).toBe(-0.2)
  expect(worst([standing()])).toBeUndefined()
})

test('a gap stays a gap and is no zero', () => {
  expect(lines(course([{ at: at(0), burn: 0 }, { at: at(1) }, { at: at(2), burn: 2 }]), 'burn', 'burn')?.series[0]?.values).toEqual([0, null, 2])
  expect(lines(course([]), 'burn', 'burn')).toBeNull()
})

test('a table has the worst moment of each stretch', () => {
  const points = Array.from({ length: 300 }, (_, i) => ({ at: at(i), burn: i === 137 ? 9 : 1 }))
  const short = rows(course(points), 24)
  expect(short.length).toBeLessThanOrEqual(24)
  expect(short.filter((r) => r.burn === 9)).toHaveLength(1)
  expect(rows(course([]), 24)).toEqual([])
})
