import { expect, test } from 'vitest'
import type { Resource } from '../api/types'
import { healths, kinds, lines, shown, troubled } from './tree'

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
  expect(names(shown(all, { q: 'crash' }))).toEqual(['Deployment/web', 'ReplicaSet/web-1', 'Pod/web-1-b'])
  expect(names(shown(all, { q: 'replicaset/web-0' }))).toEqual(['Deployment/web', 'ReplicaSet/web-0'])
  expect(names(shown(all, { q: '' }))).toEqual(names(all))
  expect(shown(all, { q: 'nothing has this' })).toEqual([])
})

test('only what needs a look', () => {
  expect(names(shown(all, { q: '', only: true }))).toEqual(['Deployment/web', 'ReplicaSet/web-1', 'Pod/web-1-b', 'Service/web'])
  expect(names(shown(all, { q: 'web-1-a', only: true }))).toEqual([])
})

test('an object is troubled when it is not as wanted or not well', () => {
  expect([{}, { health: 'Healthy' }, { health: 'Suspended' }, { state: 'Missing' }, { state: 'Waiting' }, { health: 'Unknown' }].map((m) => troubled(at(0, 'Job', 'x', m as Partial<Resource>)))).toEqual([false, false, false, true, true, true])
})

test('kind and health narrow it down, together', () => {
  expect(names(shown(all, { kind: 'Pod', health: 'Healthy' }))).toEqual(['Deployment/web', 'ReplicaSet/web-1', 'Pod/web-1-a'])
  expect(names(shown(all, { kind: 'Service' }))).toEqual(['Service/web'])
  expect(names(shown(all, { kind: 'Pod', health: 'Progressing' }))).toEqual([])
  expect(kinds(all)).toEqual(['ConfigMap', 'Deployment', 'Pod', 'ReplicaSet', 'Service'])
  expect(healths(all)).toEqual(['Degraded', 'Healthy', 'Progressing'])
})
