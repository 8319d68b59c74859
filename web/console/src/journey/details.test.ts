import { expect, test } from 'vitest'
import type { Container } from '../api/types'
import { conditionTone, containerTone } from './details'
import { keyOf } from './tree'

test.each([
  ['Ready', 'True', undefined, 'good'], ['Ready', 'False', 'ContainersNotReady', 'wait'], ['Ready', 'False', 'PodCompleted', 'idle'], ['Available', 'Unknown', undefined, 'wait'],
  ['ReplicaFailure', 'True', undefined, 'bad'], ['ReplicaFailure', 'False', undefined, 'idle'], ['Failed', 'True', 'BackoffLimitExceeded', 'bad'], ['SomebodysOwn', 'False', undefined, 'idle'],
])('the condition %s=%s (%s) is %s', (type, status, reason, tone) => {
  expect(conditionTone({ type, status, reason })).toBe(tone)
})

const at = (more: Partial<Container>): Container => ({ role: 'main', name: 'web', ready: false, restarts: 0, ...more })

test.each<[string, Partial<Container>, string]>([
  ['one that crashes again and again', { state: 'Waiting', reason: 'CrashLoopBackOff' }, 'bad'], ['an image that cannot be pulled', { state: 'Waiting', reason: 'ErrImagePull' }, 'bad'],
  ['one that is being made', { state: 'Waiting', reason: 'ContainerCreating' }, 'wait'], ['one that is ready', { state: 'Running', ready: true }, 'good'], ['one that is not ready', { state: 'Running' }, 'wait'],
  ['an init container at work', { state: 'Running', role: 'init' }, 'active'], ['a debug container, which is never ready', { state: 'Running', role: 'ephemeral' }, 'good'],
  ['one that has done its work', { state: 'Terminated', exit: 0 }, 'idle'], ['one that was killed', { state: 'Terminated', exit: 137, reason: 'OOMKilled' }, 'bad'], ['one of which nothing is known', {}, 'idle'],
])('%s', (_, more, tone) => {
  expect(containerTone(at(more))).toBe(tone)
})

test('objects of one name have keys of their own', () => {
  const keys = [{ kind: 'Service', namespace: 'a', name: 'web' }, { kind: 'Service', namespace: 'b', name: 'web' }, { kind: 'Service', group: 'serving.knative.dev', namespace: 'a', name: 'web' }, { kind: 'Namespace', name: 'web' }].map(keyOf)
  expect(new Set(keys).size).toBe(4)
  expect(keys[2]).toBe('Service.serving.knative.dev/a/web')
})
