import { QueryClient } from '@tanstack/react-query'
import { expect, test, vi } from 'vitest'
import { receive, withRelease } from './live'
import type { Board, ReleaseSummary } from './types'

const at = '2026-11-23T07:00:00Z'
const summary = (change: Partial<ReleaseSummary>): ReleaseSummary => ({
  id: 'shop.web.aaaaaaaaaaaa', service: 'shop/web', commit: 'a'.repeat(40), message: 'm', author: 'a', phase: 'Deploying', env: 'staging', created: at, updated: at, version: 5, ...change,
})
const board: Board = {
  environments: [{ name: 'staging' }, { name: 'prod', after: 'staging' }], revision: 4,
  services: [{ service: 'shop/web', project: 'shop', slots: [{ env: 'staging' }, { env: 'prod' }] }, { service: 'shop/cart', slots: [{ env: 'staging' }] }],
}
const releasing = (b: Board) => b.services?.[0]?.slots?.map((s) => s.releasing?.phase)

test('a release that deploys appears in its slot only, and leaves when it has ended', () => {
  const moving = withRelease(board, summary({}))
  expect(releasing(moving)).toEqual(['Deploying', undefined])
  expect(moving.services?.[1]).toBe(board.services?.[1])
  expect(releasing(withRelease(moving, summary({ phase: 'Done', env: 'prod', version: 6 })))).toEqual([undefined, undefined])
})

test('an older release that moves does not become the latest', () => {
  const newer = withRelease(board, summary({ id: 'shop.web.bbbbbbbbbbbb', created: '2026-11-23T08:00:00Z', phase: 'Building' }))
  expect(withRelease(newer, summary({ phase: 'RolledBack' })).services?.[0]?.latest?.id).toBe('shop.web.bbbbbbbbbbbb')
})

test('what is built for a pull request is not the latest of its service', () => {
  const before = withRelease(board, summary({}))
  const pull = summary({ id: 'shop.web.pr7.cccccccccccc', created: '2026-11-23T09:00:00Z', phase: 'Building', env: undefined, pull: { number: 7, author: 'eve', base: 'main', fork: true } })
  expect(withRelease(before, pull).services?.[0]?.latest?.id).toBe('shop.web.aaaaaaaaaaaa')
})

test('resync asks for everything again', () => {
  const client = new QueryClient()
  const again = vi.spyOn(client, 'invalidateQueries')
  receive(client, { id: '9', event: 'resync', data: '' })
  expect(again).toHaveBeenCalledOnce()
})

test('a broken message breaks nothing', () => {
  expect(() => receive(new QueryClient(), { id: '9', event: 'release', data: '{' })).not.toThrow()
})

test('an event that is older than what a list shows does not turn it back', () => {
  const client = new QueryClient()
  client.setQueryData(['releases', {}], { pages: [{ items: [summary({ phase: 'Done', version: 9 })] }], pageParams: [undefined] })
  receive(client, { id: '5', event: 'release', data: JSON.stringify(summary({ version: 5 })) })
  expect(client.getQueryData<{ pages: { items: ReleaseSummary[] }[] }>(['releases', {}])?.pages[0]?.items[0]?.phase).toBe('Done')
})
