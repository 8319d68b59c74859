import { expect, test } from 'vitest'
import type { Evidence, Run } from '../api/types'
import { moments, recovery, slis } from './trial'

const at = (s: number) => new Date(Date.UTC(2026, 10, 27, 2, 0, s)).toISOString()
const measured = (about: string, from: number, to: number, share?: number): Evidence => ({ gate: 'slo', claim: 'available', holds: true, from: at(from), to: at(to), measured: share, threshold: 0.99, facts: { slo: 'web', title: 'availability', about } })

test('each window is a level line, with a gap in between', () => {
  const [sli, ...rest] = slis([measured('fault', 40, 70, 0.98), measured('baseline', 0, 30, 0.999), measured('compared', 0, 0, 0.5)])
  expect(rest).toEqual([])
  expect(sli?.name).toBe('availability')
  expect(sli?.windows.map((w) => w.fault)).toEqual([false, true])
  expect(sli?.plot?.series[0]?.values).toEqual([0.999, 0.999, null, 0.98, 0.98])
  const x = sli?.plot?.times ?? []
  expect(x.every((t, i) => i === 0 || t > (x[i - 1] ?? 0))).toBe(true)
})

test('windows that touch are still in order, and what was not measured is not drawn', () => {
  const x = slis([measured('baseline', 0, 30, 1), measured('fault', 30, 60, 0.9)])[0]?.plot?.times ?? []
  expect(x.every((t, i) => i === 0 || t > (x[i - 1] ?? 0))).toBe(true)
  expect(slis([measured('fault', 0, 30)])[0]?.plot).toBeNull()
})

test('recovery is what the evidence says', () => {
  expect(recovery([{ gate: 'trial', claim: 'it recovered', holds: true, measured: 12, facts: { about: 'recovered' } }])).toEqual({ seconds: 12, holds: true })
  expect(recovery([])).toBeUndefined()
})

test('moments are in order, and what is not known is left out', () => {
  const run: Run = {
    id: 'r', experiment: 'kill', service: 'shop/web', env: 'prod', cluster: 'a', trigger: 'person', state: 'Passed', started: at(0), ended: at(90),
    fault: { experiment: 'kill', kind: 'PodChaos', action: 'pod-kill', name: 'x', namespace: 'shop', cluster: 'a', injected: at(10), recovered: '0001-01-01T00:00:00Z' },
    verdict: { outcome: 'Pass', evidence: [measured('fault', 10, 40, 1)] },
  }
  expect(moments(run).map((m) => m.what)).toEqual(['started', 'injected', 'measuredFrom', 'measuredTo', 'ended'])
})
