// What a service has on a cluster, as lines of a tree: whose each is, and which are shown.
import type { Resource } from '../api/types'
import type { Tone } from '../ui/status'

export interface Line { resource: Resource; parent: string; troubled: boolean }

/** healthTone is the colour of a health; of others it is idle. */
export const healthTone: Record<string, Tone> = { Healthy: 'good', Progressing: 'active', Degraded: 'bad', Missing: 'bad', Suspended: 'idle', Unknown: 'idle' }

const calm = new Set(['', 'Healthy', 'Suspended'])

/** troubled says that somebody should look: it is not as it is wanted, or not well. */
export function troubled(r: Resource): boolean {
  return (r.state !== undefined && r.state !== 'Synced') || !calm.has(r.health ?? '')
}

/** lines finds the parent of each object: the last one before it that is less deep. */
export function lines(items: Resource[]): Line[] {
  const above: string[] = []
  return items.map((r) => {
    const parent = r.depth > 0 ? (above[r.depth - 1] ?? '') : ''
    above.length = r.depth
    above[r.depth] = `${r.kind}/${r.name}`
    return { resource: r, parent, troubled: troubled(r) }
  })
}

/** Filter is which objects are looked for; what is left out fits all. */
export interface Filter { q?: string; kind?: string; health?: string; only?: boolean }

/** kinds and healths are those that there are, to choose from. */
export const kinds = (all: readonly Line[]): string[] => [...new Set(all.map((l) => l.resource.kind))].sort()
export const healths = (all: readonly Line[]): string[] => [...new Set(all.flatMap((l) => l.resource.health || []))].sort()

/** shown keeps what matches, together with what it is below. */
export function shown(all: readonly Line[], f: Filter): Line[] {
  const words = (f.q ?? '').trim().toLowerCase()
  const hit = ({ resource: r, troubled }: Line) =>
    (!f.only || troubled) && (f.kind === undefined || r.kind === f.kind) && (f.health === undefined || r.health === f.health) &&
    `${r.kind}/${r.name} ${r.namespace ?? ''} ${r.message ?? ''}`.toLowerCase().includes(words)
  const out: Line[] = []
  let depth = 0 // what is less deep than this holds something that is kept
  for (const l of [...all].reverse()) {
    if (!hit(l) && l.resource.depth >= depth) continue
    out.push(l)
    depth = l.resource.depth
  }
  return out.reverse()
}

/** keyOf names an object within its cluster; two of one name differ in group, kind or namespace. */
export const keyOf = (r: Pick<Resource, 'group' | 'kind' | 'namespace' | 'name'>): string => [r.group ? `${r.kind}.${r.group}` : r.kind, r.namespace ?? '', r.name].join('/')
