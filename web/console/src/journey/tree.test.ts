import { expect, test } from 'vitest'
import type { Resource } from '../api/types'
import { lines, shown, troubled } from './tree'

const at = (depth: number, kind: string, name: string, more: Partial<Resource> = {}): Resource => ({ depth, kind, name, ...(depth === 0 ? { state: 'Synced' } : {}), ...more })
const all = lines([
  at(0, 'Deployment', 'web', { health: 'Progressing' }), at(1, 'ReplicaSet', 'web-1'), at(2, 'Pod', 'web-1-a', { health: 'Healthy' }), at(2, 'Pod', 'web-1-b', { health: 'Degraded', message: 'crash loop' }),
  at(1, 'ReplicaSet', 'web-0'), at(0, 'Service', 'web', { state: 'Drifted' }), at(0, 'ConfigMap', 'conf'),
])
const names = (l: ReturnType<typeof lines>) => l.map((x) => `${x.resource.kind}/${x.resource.name}`)

test('each object is below the last one before it that is less deep', () => {
  expect(all.map((l) => l.parent)).toEqual(['', 'Deployment/web', 'ReplicaSet/web-1', 'ReplicaSet/web-1', 'Deployment/web', '', ''])
})

test('what matches comes with what it is below', () => {
  expect(names(shown(all, 'crash', false))).toEqual(['Deployment/web', 'ReplicaSet/web-1', 'Pod/web-1-b'])
  expect(names(shown(all, 'replicaset/web-0', false))).toEqual(['Deployment/web', 'ReplicaSet/web-0'])
  expect(names(shown(all, '', false))).toEqual(names(all))
  expect(shown(all, 'nothing has this', false)).toEqual([])
})

test('only what needs a look', () => {
  expect(names(shown(all, '', true))).toEqual(['Deployment/web', 'ReplicaSet/web-1', 'Pod/web-1-b', 'Service/web'])
  expect(names(shown(all, 'web-1-a', true))).toEqual([])
})

test('an object is troubled when it is not as wanted or not well', () => {
  expect([{}, { health: 'Healthy' }, { health: 'Suspended' }, { state: 'Missing' }, { state: 'Waiting' }, { health: 'Unknown' }].map((m) => troubled(at(0, 'Job', 'x', m as Partial<Resource>)))).toEqual([false, false, false, true, true, true])
})
