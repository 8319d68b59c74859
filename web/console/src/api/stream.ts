// One multiplexed stream per tab. Start at Stream.start; subscribers name topics, the
// stream reconnects with Last-Event-ID when the set of topics changes or the line drops.
import { parser, type Message } from './sse'

export type Connection = 'connecting' | 'live' | 'lost' | 'off'
export interface StreamState { connection: Connection; revision: number }

const base = ['releases', 'board', 'experiments']
const silence = 40_000 // the server pings every 15 s
const backoff = [1_000, 2_000, 4_000, 8_000, 15_000]

export class Stream {
  private state: StreamState = { connection: 'off', revision: 0 }
  private readonly watchers = new Set<() => void>()
  private readonly topics = new Map<string, () => string>()
  private lastId = ''
  private tries = 0
  private abort: AbortController | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly onMessage: (m: Message) => void
  private readonly onDenied: () => void

  constructor(onMessage: (m: Message) => void, onDenied: () => void) {
    this.onMessage = onMessage
    this.onDenied = onDenied
  }

  subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  snapshot = (): StreamState => this.state

  /** sawRevision notes the revision of an answer, so that the newest one is shown. */
  sawRevision(revision: number): void {
    if (revision > this.state.revision) this.set({ revision })
  }

  start(): void {
    if (this.abort) return
    void this.open()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.abort?.abort()
    this.abort = null
    this.lastId = ''
    this.set({ connection: 'off' })
  }

  /** want keeps a topic open until the returned function is called; ask words it anew each time. */
  want(topic: string, ask: () => string): () => void {
    this.topics.set(topic, ask)
    this.reopenSoon()
    return () => {
      this.topics.delete(topic)
      this.reopenSoon()
    }
  }

  private set(change: Partial<StreamState>): void {
    this.state = { ...this.state, ...change }
    this.watchers.forEach((w) => w())
  }

  private reopenSoon(): void {
    if (!this.abort) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => { this.abort?.abort(); void this.open() }, 50)
  }

  private again(): void {
    this.set({ connection: 'lost' })
    const wait = backoff[Math.min(this.tries, backoff.length - 1)] ?? 15_000
    this.tries++
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.open(), wait)
  }

  private async open(): Promise<void> {
    const mine = new AbortController()
    this.abort = mine
    if (this.state.connection !== 'live') this.set({ connection: 'connecting' })
    let watchdog: ReturnType<typeof setTimeout> | undefined
    const alive = () => {
      clearTimeout(watchdog)
      watchdog = setTimeout(() => mine.abort(new Error('silent')), silence)
    }
    try {
      const topics = [...base, ...Array.from(this.topics.values(), (ask) => ask())].map(encodeURIComponent).join(',')
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      if (this.lastId !== '') headers['Last-Event-ID'] = this.lastId
      const res = await fetch(`/api/v1/stream?topics=${topics}`, { headers, cache: 'no-store', credentials: 'same-origin', signal: mine.signal })
      if (res.status === 401) { this.stop(); this.onDenied(); return }
      if (!res.ok || !res.body) throw new Error(`stream: ${res.status}`)
      // Without an id to go on from, what changed since the page was read is not known.
      if (this.lastId === '') this.onMessage({ id: '', event: 'resync', data: '' })
      this.set({ connection: 'live' })
      this.tries = 0
      alive()
      await this.read(res.body, alive)
      throw new Error('stream ended')
    } catch {
      if (this.abort === mine) this.again()
    } finally {
      clearTimeout(watchdog)
    }
  }

  private async read(body: ReadableStream<Uint8Array>, alive: () => void): Promise<void> {
    const feed = parser((m) => this.receive(m), alive)
    const decoder = new TextDecoder()
    const reader = body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      feed(decoder.decode(value, { stream: true }))
    }
  }

  private receive(m: Message): void {
    if (m.id !== '') {
      this.lastId = m.id
      const revision = Number(m.id)
      if (Number.isFinite(revision)) this.sawRevision(revision)
    }
    this.onMessage(m)
  }
}
