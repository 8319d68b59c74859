import { expect, test } from 'vitest'
import { parser, type Message } from './sse'

function read(...chunks: string[]): Message[] {
  const out: Message[] = []
  const feed = parser((m) => out.push(m), () => undefined)
  chunks.forEach(feed)
  return out
}

test('an event is complete only with its empty line', () => {
  expect(read('id: 7\nevent: release\ndata: {"a":1}\n')).toEqual([])
  expect(read('id: 7\nevent: release\ndata: {"a":1}\n\n')).toEqual([{ id: '7', event: 'release', data: '{"a":1}' }])
})

test('chunks may end anywhere, inside a line ending as well', () => {
  expect(read('id: 18423\r', '\nevent: sl', 'ot\r\nda', 'ta: {}\r\n\r', '\n')).toEqual([{ id: '18423', event: 'slot', data: '{}' }])
})

test('comments keep the line alive and are no events', () => {
  let alive = 0
  const out: Message[] = []
  const feed = parser((m) => out.push(m), () => alive++)
  feed(': ping\n\n')
  expect(out).toEqual([])
  expect(alive).toBe(1)
})

test('several data lines are one text and the id stays for events without one', () => {
  expect(read('id: 1\ndata: a\ndata: b\n\nevent: resync\n\n')).toEqual([{ id: '1', event: 'message', data: 'a\nb' }, { id: '1', event: 'resync', data: '' }])
})
