import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Message } from './sse'
import { Stream } from './stream'

interface Line { url: string; lastId: string | null; send: (text: string) => void; end: () => void }

const lines: Line[] = []
let status = 200

beforeEach(() => {
  vi.useFakeTimers()
  lines.length = 0
  status = 200
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        init.signal?.addEventListener('abort', () => { try { c.error(new Error('aborted')) } catch { /* ended before */ } })
        lines.push({ url, lastId: new Headers(init.headers).get('Last-Event-ID'), send: (s) => c.enqueue(new TextEncoder().encode(s)), end: () => c.close() })
      },
    })
    return Promise.resolve(new Response(status === 200 ? body : null, { status }))
  })
})
afterEach(() => { vi.useRealTimers(); vi.unstubAllGlobals() })

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms)

test('the stream goes on after the last id when the line drops', async () => {
  const got: Message[] = []
  const stream = new Stream((m) => got.push(m), () => undefined)
  stream.start()
  await settle()
  expect(stream.snapshot().connection).toBe('live')
  lines[0]?.send('id: 42\nevent: slot\ndata: {}\n\n')
  await settle()
  expect(stream.snapshot().revision).toBe(42)
  lines[0]?.end()
  await settle()
  expect(stream.snapshot().connection).toBe('lost')
  await settle(1_100)
  expect(lines[1]?.lastId).toBe('42')
  expect(got.map((m) => m.event)).toEqual(['resync', 'slot']) // the first connection knows no id
  stream.stop()
})

test('a new topic reopens the one stream and asks from the line it has', async () => {
  const stream = new Stream(() => undefined, () => undefined)
  stream.start()
  await settle()
  const drop = stream.want('log:a', () => 'log:a@7')
  await settle(100)
  expect(decodeURIComponent(lines.at(-1)?.url ?? '')).toContain('experiments,log:a@7')
  drop()
  await settle(100)
  expect(lines.at(-1)?.url).not.toContain('log')
  stream.stop()
})

test('a silent line is given up', async () => {
  const stream = new Stream(() => undefined, () => undefined)
  stream.start()
  await settle(30_000)
  lines[0]?.send(': ping\n\n')
  await settle(30_000)
  expect(lines).toHaveLength(1)
  await settle(20_000)
  expect(lines.length).toBeGreaterThan(1)
  stream.stop()
})

test('a session that has ended is told once and not tried again', async () => {
  status = 401
  const denied = vi.fn()
  const stream = new Stream(() => undefined, denied)
  stream.start()
  await settle(60_000)
  expect(denied).toHaveBeenCalledOnce()
  expect(lines).toHaveLength(1)
})
