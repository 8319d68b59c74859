// The lines of a build as they come: from the answer to a question and from the stream.
import type { LogLine, LogPage } from './types'

export interface Log { lines: LogLine[]; next: number; done: boolean; gap: boolean }

export const emptyLog: Log = { lines: [], next: 0, done: false, gap: false }
export const maxLines = 20_000 // what a tab keeps; older lines are dropped from the top

/** addLines appends lines by number: repeated ones are dropped, a hole sets gap. */
export function addLines(log: Log, more: readonly LogLine[]): Log {
  let next = log.next
  const fresh: LogLine[] = []
  for (const line of more) {
    if (line.n < next) continue
    if (line.n > next && log.lines.length + fresh.length > 0) return { ...log, lines: keep(log.lines, fresh), next, gap: true }
    fresh.push(line)
    next = line.n + 1
  }
  if (fresh.length === 0) return log
  return { ...log, lines: keep(log.lines, fresh), next }
}

/** addPage appends an answer; after it there is no hole. */
export function addPage(log: Log, page: LogPage): Log {
  const grown = addLines({ ...log, gap: false }, page.lines ?? [])
  return { ...grown, next: Math.max(grown.next, page.next), done: page.done, gap: false }
}

function keep(old: LogLine[], fresh: LogLine[]): LogLine[] {
  const all = fresh.length === 0 ? old : [...old, ...fresh]
  return all.length > maxLines ? all.slice(all.length - maxLines) : all
}

export const mostOlder = 1_000 // matches among the lines that a tab no longer keeps

/** matching are the lines that have a text in them or in the name of their step, as the server finds them. */
export function matching(lines: readonly LogLine[], text: string): readonly LogLine[] {
  const wanted = text.toLowerCase()
  return wanted === '' ? lines : lines.filter((l) => l.text.toLowerCase().includes(wanted) || l.step.toLowerCase().includes(wanted))
}

/** withOlder puts what the server found before what was found here; a line that is here is not told twice. */
export function withOlder(older: readonly LogLine[], here: readonly LogLine[], first: number): readonly LogLine[] {
  return older.length === 0 ? here : [...older.filter((l) => l.n < first), ...here]
}

/** cut divides a text at what was searched for: every second part is a match. */
export function cut(text: string, wanted: string): string[] {
  const low = text.toLowerCase()
  const part = wanted.toLowerCase()
  if (part === '' || low.length !== text.length) return [text] // letters that change their length cannot be counted
  const out: string[] = []
  let from = 0
  for (let at = low.indexOf(part); at >= 0; at = low.indexOf(part, from)) {
    out.push(text.slice(from, at), text.slice(at, at + part.length))
    from = at + part.length
  }
  return [...out, text.slice(from)]
}

export interface LogStep { name: string; lines: LogLine[] }

/** byStep groups lines by step, in the order in which the steps began. */
export function byStep(lines: readonly LogLine[]): LogStep[] {
  const steps = new Map<string, LogLine[]>()
  for (const line of lines) {
    const group = steps.get(line.step)
    if (group) group.push(line)
    else steps.set(line.step, [line])
  }
  return Array.from(steps, ([name, group]) => ({ name, lines: group }))
}
