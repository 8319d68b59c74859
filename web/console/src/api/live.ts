// What a message of the stream does to the caches. Answers of the server stay the truth:
// a message patches what it carries in full and marks the rest for a new look.
import type { InfiniteData, QueryClient } from '@tanstack/react-query'
import type { Message } from './sse'
import type { Board, BoardService, Experiment, LogLine, Page, Release, ReleaseSummary, Run, Slot } from './types'
import { addLines, type Log } from './log'

// The phases in which a release occupies its slot.
const occupying = new Set(['Deploying', 'Trial', 'RollingBack'])

/** receive applies one message. It never throws: a broken message means "look again". */
export function receive(client: QueryClient, m: Message): void {
  if (m.event === 'resync') {
    void client.invalidateQueries()
    return
  }
  let data: unknown
  try {
    data = JSON.parse(m.data)
  } catch {
    return
  }
  if (m.event === 'release') onRelease(client, data as ReleaseSummary)
  else if (m.event === 'slot') onSlot(client, data as Slot)
  else if (m.event === 'log') onLog(client, data as LogEvent)
  else if (m.event === 'experiment') onRun(client, data as Run)
}

function onRelease(client: QueryClient, s: ReleaseSummary): void {
  client.setQueriesData<InfiniteData<Page<ReleaseSummary>>>({ queryKey: ['releases'] }, (old) => old && {
    ...old,
    pages: old.pages.map((p) => ({ ...p, items: (p.items ?? []).map((r) => (r.id === s.id && r.version <= s.version ? { ...r, ...s } : r)) })),
  })
  client.setQueriesData<Board>({ queryKey: ['board'] }, (old) => old && withRelease(old, s))
  const known = client.getQueryData<Release>(['release', s.id])
  if (known === undefined || known.version < s.version) soon(client, ['release', s.id])
  soon(client, ['board'])
  if (!listed(client, s.id)) soon(client, ['releases'])
}

function listed(client: QueryClient, id: string): boolean {
  const lists = client.getQueriesData<InfiniteData<Page<ReleaseSummary>>>({ queryKey: ['releases'] })
  return lists.every(([, d]) => d?.pages.some((p) => p.items?.some((r) => r.id === id)))
}

/** withRelease is the board after a release has moved. */
export function withRelease(board: Board, s: ReleaseSummary): Board {
  const service = (b: BoardService): BoardService => {
    if (b.service !== s.service) return b
    const newer = s.pull === undefined && (b.latest === undefined || b.latest.id === s.id || b.latest.created <= s.created)
    return {
      ...b,
      latest: newer ? s : b.latest,
      slots: (b.slots ?? []).map((slot) => {
        const here = slot.env === s.env && occupying.has(s.phase)
        if (here && (slot.occupant === undefined || slot.occupant === s.id)) return { ...slot, releasing: s }
        if (slot.releasing?.id === s.id && !here) return { ...slot, releasing: undefined }
        return slot
      }),
    }
  }
  return { ...board, services: (board.services ?? []).map(service) }
}

function onSlot(client: QueryClient, slot: Slot): void {
  client.setQueriesData<Board>({ queryKey: ['board'] }, (old) => old && {
    ...old,
    services: (old.services ?? []).map((b) => (b.service !== slot.service ? b : {
      ...b,
      slots: (b.slots ?? []).map((s) => (s.env !== slot.env ? s : { ...s, current: slot.current, occupant: slot.occupant, hold: slot.hold })),
    })),
  })
  soon(client, ['board'])
}

interface LogEvent { release: string; lines: LogLine[] | null; done?: boolean }

function onLog(client: QueryClient, e: LogEvent): void {
  client.setQueryData<Log>(['log', e.release], (old) => {
    if (!old) return old
    const grown = addLines(old, e.lines ?? [])
    return e.done && !grown.gap ? { ...grown, done: true } : grown
  })
}

function onRun(client: QueryClient, run: Run): void {
  client.setQueryData<Page<Experiment>>(['experiments'], (old) => old && {
    ...old,
    items: (old.items ?? []).map((x) => {
      if (x.name !== run.experiment) return x
      if (run.ended) return { ...x, running: x.running?.id === run.id ? undefined : x.running }
      return { ...x, running: run }
    }),
  })
  soon(client, ['experiments'])
  soon(client, ['runs', run.experiment])
  soon(client, ['run', run.id])
  soon(client, ['calendar'])
}

const pending = new WeakMap<QueryClient, Map<string, readonly unknown[]>>()

/** soon asks again for a key, at most once in a quarter of a second. */
function soon(client: QueryClient, key: readonly unknown[]): void {
  const waiting = pending.get(client) ?? new Map<string, readonly unknown[]>()
  pending.set(client, waiting)
  if (waiting.size === 0) {
    setTimeout(() => {
      const keys = [...waiting.values()]
      waiting.clear()
      keys.forEach((queryKey) => void client.invalidateQueries({ queryKey }))
    }, 250)
  }
  waiting.set(JSON.stringify(key), key)
}
