import { expect, test } from 'vitest'
import { addLines, addPage, byStep, cut, emptyLog, matching, maxLines, withOlder } from './log'
import type { LogLine } from './types'

const line = (n: number, step = 'build'): LogLine => ({ n, step, at: '2026-11-23T07:00:00Z', stream: 'stdout', text: `line ${n}` })
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i))

test('lines told twice are kept once', () => {
  const log = addLines(addLines(emptyLog, lines(0, 5)), lines(3, 8))
  expect(log.lines.map((l) => l.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(log).toMatchObject({ next: 8, gap: false })
})

test('a hole is noticed, what is behind it is left for the next question', () => {
  const log = addLines(addLines(emptyLog, lines(0, 3)), lines(5, 7))
  expect(log).toMatchObject({ next: 3, gap: true })
  expect(addPage(log, { lines: lines(3, 7), next: 7, done: true })).toMatchObject({ next: 7, gap: false, done: true })
})

test('an endless log keeps its newest lines', () => {
  const log = addLines(emptyLog, lines(0, maxLines + 10))
  expect(log.lines).toHaveLength(maxLines)
  expect(log.lines[0]?.n).toBe(10)
})

test('steps that run side by side are grouped in the order they began', () => {
  expect(byStep([line(0, 'a'), line(1, 'b'), line(2, 'a')]).map((s) => [s.name, s.lines.length])).toEqual([['a', 2], ['b', 1]])
})

test('a search takes the text as it stands, in whichever letter case, in the line or its step', () => {
  const found = (text: string) => matching([line(0, 'RUN make'), line(1, 'a(.*'), line(12)], text).map((l) => l.n)
  expect(found('LINE 1')).toEqual([1, 12])
  expect(found('run M')).toEqual([0])
  expect(found('(.*')).toEqual([1])
  expect(found('')).toEqual([0, 1, 12])
})

test('what the server finds among older lines comes first, and nothing twice', () => {
  expect(withOlder([line(3), line(8), line(11)], [line(8), line(11), line(40)], 8).map((l) => l.n)).toEqual([3, 8, 11, 40])
  expect(withOlder([], [line(8)], 8).map((l) => l.n)).toEqual([8])
})

test('a line is cut at its matches', () => {
  expect(cut('Error: no error', 'ERROR')).toEqual(['', 'Error', ': no ', 'error', ''])
  expect(cut('构建失败', '失败')).toEqual(['构建', '失败', ''])
  expect(cut('nothing', 'x')).toEqual(['nothing'])
  expect(cut('İstanbul', 'stan')).toEqual(['İstanbul'])
  expect(cut('a', '')).toEqual(['a'])
})
