import { expect, test } from 'vitest'
import type { Phase, Release, Step, Transition } from '../api/types'
import { en } from '../i18n/en'
import { why } from './actions'
import { journey, stoppedAt } from './journey'

const at = (n: number) => new Date(Date.UTC(2026, 10, 23, 7, 0, n)).toISOString()
let clock = 0
const to = (phase: Phase, from: Phase, env?: string, wave?: string, step?: Step): Transition => ({ from, to: phase, at: at(clock++), by: 'seatrial', env, wave, step })

const stages = () => [
  { env: 'staging', live: true, waves: [{ name: 'all', targets: [] }] },
  { env: 'prod', live: false, waves: [{ name: 'canary', targets: [] }, { name: 'rest', targets: [] }] },
]
const release = (change: Partial<Release>): Release => ({
  id: 'shop.web.aaaaaaaaaaaa', service: 'shop/web', project: 'shop', repo: 'r', ref: 'refs/heads/main', commit: 'a'.repeat(40), message: 'm', author: 'a', origin: 'push',
  created: at(0), updated: at(0), version: 1, phase: 'Building', stage: 0, wave: 0, attempt: 1, tries: 0, stages: stages(), ...change,
})
const say = (r: Release) => journey(r).map((p) => `${p.id} ${p.state}`)
const history = () => [to('Building', 'Unknown'), to('Signing', 'Building'), to('Checking', 'Signing'), to('Approving', 'Checking', 'staging'), to('Deploying', 'Approving', 'staging', 'all', 'sync'), to('Deploying', 'Deploying', 'staging', 'all', 'health')]

test('what lies behind is done, what lies ahead is ahead', () => {
  expect(say(release({ phase: 'Deploying', stage: 1, wave: 0, step: 'slo' }))).toEqual([
    'Building done', 'Signing done', 'Checking done', 'Approving/staging done', 'Deploying/staging/all done', 'Trial/staging done', 'Verified/staging done',
    'Approving/prod done', 'Deploying/prod/canary active', 'Deploying/prod/rest ahead', 'Trial/prod ahead', 'Verified/prod ahead', 'Done ahead',
  ])
})

test('a trial between two waves stands between them', () => {
  const ringed = [{ env: 'prod', live: true, waves: [{ name: 'canary', targets: [], trial: true }, { name: 'rest', targets: [] }] }]
  expect(say(release({ phase: 'Trial', stage: 0, wave: 0, stages: ringed })).slice(3)).toEqual([
    'Approving/prod done', 'Deploying/prod/canary done', 'Trial/prod active', 'Deploying/prod/rest ahead', 'Verified/prod ahead', 'Done ahead',
  ])
})

test('waves that are not planned yet are one waypoint', () => {
  expect(say(release({ stages: [{ env: 'staging', live: false }] }))).toContain('Deploying/staging ahead')
})

test('a refused wave is where it was refused, with the return behind it', () => {
  const r = release({ phase: 'RolledBack', history: [...history(), to('RollingBack', 'Deploying', 'staging'), to('RolledBack', 'RollingBack', 'staging')] })
  const said = say(r)
  expect(said.slice(3, 8)).toEqual(['Approving/staging done', 'Deploying/staging/all refused', 'RollingBack/staging returned', 'Trial/staging skipped', 'Verified/staging skipped'])
  expect(stoppedAt(r)).toMatchObject({ phase: 'Deploying', wave: 'all', step: 'health' })
})

test('the road of a pull request ends with its build', () => {
  const pull = { origin: 'pull-request' as const, pull: { number: 7, author: 'eve', base: 'main', fork: true }, stages: null }
  expect(say(release({ ...pull, hold: { by: 'seatrial', reason: 'waits', at: at(0) } }))).toEqual(['Building held', 'Done ahead'])
  expect(say(release({ ...pull, phase: 'Done', history: [to('Building', 'Unknown'), to('Done', 'Building')] }))).toEqual(['Building done', 'Done done'])
})

test('a failed build reached nothing else', () => {
  const said = say(release({ phase: 'Failed', history: [to('Building', 'Unknown'), to('Failed', 'Building')] }))
  expect(said[0]).toBe('Building refused')
  expect(said.slice(1).every((s) => s.endsWith('skipped'))).toBe(true)
})

test('a person who returns a verified release refuses nothing that was verified', () => {
  const said = say(release({ phase: 'RollingBack', history: [...history(), to('Trial', 'Deploying', 'staging'), to('Verified', 'Trial', 'staging'), to('RollingBack', 'Verified', 'staging')] }))
  expect(said).toContain('Verified/staging done')
  expect(said).toContain('RollingBack/staging active')
})

test('waiting, held and under way are told apart', () => {
  const here = (r: Release) => journey(r).find((p) => p.phase === r.phase)?.state
  expect(here(release({ phase: 'Checking' }))).toBe('active')
  expect(here(release({ phase: 'Checking', tries: 2 }))).toBe('waiting')
  expect(here(release({ phase: 'Approving' }))).toBe('waiting')
  expect(here(release({ phase: 'Approving', hold: { by: 'a', reason: 'r', at: at(0) } }))).toBe('held')
})

test('times are those of the last attempt', () => {
  const r = release({ phase: 'Signing', history: [...history().slice(0, 2), to('Failed', 'Signing'), to('Signing', 'Failed')] })
  expect(journey(r)[1]?.began).toBe(r.history?.[3]?.at)
})

test('a disabled action says why', () => {
  const no = en.act.no
  expect(why('rollback', release({ phase: 'RolledBack' }), no)).toBe(no.rolling)
  expect(why('rollback', release({ stages: [{ env: 'staging', live: false }] }), no)).toBe(no.nothingLive)
  expect(why('rollback', release({ phase: 'Done' }), no)).toBeUndefined()
  expect(why('retry', release({ phase: 'Deploying' }), no)).toBe(no.running)
  expect(why('retry', release({ phase: 'Failed' }), no)).toBeUndefined()
  expect(why('approve', release({ phase: 'Building' }), no)).toBe(no.notApproving)
  expect(why('free', release({}), no)).toBe(no.notHeld)
})
