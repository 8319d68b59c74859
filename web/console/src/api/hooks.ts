// Every question the pages ask, with its cache key. While the stream is live nothing is
// polled; when it is lost everything on screen is asked again every ten seconds.
import { QueryClient, useInfiniteQuery, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useContext, useEffect, useSyncExternalStore } from 'react'
import { api, ApiError, type BoardFilters, type ObjectQuestion, type ReleaseFilters, type SLOFilters } from './client'
import { addPage, emptyLog, mostOlder, type Log } from './log'
import type { Stream, StreamState } from './stream'
import type { LogLine, Platform, Release } from './types'

export const StreamContext = createContext<Stream | null>(null)

const off: StreamState = { connection: 'off', revision: 0 }

export function useStream(): Stream | null { return useContext(StreamContext) }

export function useConnection(): StreamState {
  const stream = useStream()
  return useSyncExternalStore(stream?.subscribe ?? nothing, stream ? stream.snapshot : () => off)
}

function nothing(): () => void { return () => undefined }

function usePoll(): number | false {
  return useConnection().connection === 'live' ? false : 10_000
}

export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        retry: (count, err) => count < 2 && (!(err instanceof ApiError) || err.unreachable || err.status >= 500),
        retryDelay: (count) => 500 * 2 ** count,
      },
      mutations: { retry: false },
    },
  })
}

export function useSession() {
  return useQuery({ queryKey: ['session'], queryFn: ({ signal }) => api.session(signal), staleTime: 5 * 60_000 })
}

/** useAdmin tells whether the person may see and make tokens. */
export function useAdmin(): boolean { return useSession().data?.role === 'admin' }

/** useMay tells whether the person may act; viewers get no action buttons at all. */
export function useMay(): boolean {
  const role = useSession().data?.role
  return role !== undefined && role !== '' && role !== 'viewer'
}

export function useBoard(filters: BoardFilters) {
  const stream = useStream()
  return useQuery({
    queryKey: ['board', filters],
    queryFn: async ({ signal }) => {
      const board = await api.board(filters, signal)
      stream?.sawRevision(board.revision)
      return board
    },
    refetchInterval: usePoll(), placeholderData: (old) => old,
  })
}

export function usePlace(service: string, env: string) {
  return useQuery({ queryKey: ['place', service, env], queryFn: ({ signal }) => api.place(service, env, signal), refetchInterval: 5_000, placeholderData: (old) => old })
}

/** useDrift compares the clusters of a service with the revision they are on, or with that of a release to return to. */
export function useDrift(f: { service: string; env: string; to?: string }, open = true) {
  return useQuery({ queryKey: ['drift', f], queryFn: ({ signal }) => api.drift(f, signal), enabled: open, staleTime: 0, refetchInterval: 10_000 })
}

/** usePlan is what a run of an experiment would hit now. */
export function usePlan(name: string, f: { env: string; service: string }) {
  return useQuery({ queryKey: ['plan', name, f], queryFn: ({ signal }) => api.planExperiment(name, f, signal), enabled: f.env !== '' && f.service !== '', staleTime: 0, retry: false })
}

/** useConsents is who has agreed to an experiment. */
export function useConsents(name: string, f: { env: string; service: string; schedule: boolean }) {
  return useQuery({ queryKey: ['consents', name, f], queryFn: ({ signal }) => api.consents(name, f, signal), enabled: f.env !== '' && f.service !== '', staleTime: 0, retry: false })
}

/** useStop is the kill switch. */
export function useStop() {
  return useQuery({ queryKey: ['chaos'], queryFn: ({ signal }) => api.chaos(signal), refetchInterval: 5_000 })
}

/** useReturning are the releases of its set that a roll back brings back with a release. */
export function useReturning(r: { id: string; set?: string }, env: string) {
  return useQuery({ queryKey: ['returning', r.id, env], queryFn: ({ signal }) => api.returning(r.id, env, signal), enabled: r.set !== undefined && env !== '' })
}

/** useTree is what a service has on one cluster, now. */
export function useTree(f: { service: string; env: string; cluster: string }) {
  return useQuery({ queryKey: ['tree', f], queryFn: ({ signal }) => api.tree(f, signal), staleTime: 0, refetchInterval: 5_000 })
}

/** useObject is what explains the state of one object of a tree, as long as somebody looks. */
export function useObject(f: ObjectQuestion) {
  return useQuery({ queryKey: ['object', f], queryFn: ({ signal }) => api.object(f, signal), staleTime: 0, refetchInterval: 5_000, retry: false })
}

export function useReleases(filters: ReleaseFilters) {
  return useInfiniteQuery({
    queryKey: ['releases', filters],
    queryFn: ({ pageParam, signal }) => api.releases(filters, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: usePoll(), placeholderData: (old) => old,
  })
}

/** useScores are the releases of a service whose trials have scores. */
export function useScores(service: string) {
  return useQuery({ queryKey: ['scores', service], queryFn: ({ signal }) => api.scored(service, signal), refetchInterval: 60_000 })
}

export function useRelease(id: string) {
  const stream = useStream()
  return useQuery({
    queryKey: ['release', id],
    queryFn: async ({ signal }) => {
      const r = await api.release(id, signal)
      stream?.sawRevision(r.version)
      return r
    },
    refetchInterval: usePoll(),
  })
}

/** useLog follows a build: pages until the end, then the stream; a hole is asked for again. */
export function useLog(id: string, open: boolean) {
  const client = useQueryClient()
  const stream = useStream()
  const poll = usePoll()
  const key = ['log', id]
  const log = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      let now = client.getQueryData<Log>(key) ?? emptyLog
      for (let pages = 0; pages < 50; pages++) {
        const page = await api.log(id, now.next, signal)
        const arrived = client.getQueryData<Log>(key) ?? now
        now = addPage(arrived.next > now.next ? arrived : now, page)
        if ((page.lines ?? []).length === 0 || page.done) break
      }
      return now
    },
    enabled: open, structuralSharing: false, staleTime: 0,
    refetchInterval: (q) => (q.state.data?.done ? false : poll === false ? 15_000 : 3_000),
  })
  const { data, refetch } = log
  const follow = open && data !== undefined && !data.done
  useEffect(() => (follow ? stream?.want(`log:${id}`, () => `log:${id}@${client.getQueryData<Log>(['log', id])?.next ?? 0}`) : undefined), [stream, client, id, follow])
  useEffect(() => { if (data?.gap) void refetch() }, [data?.gap, refetch])
  return log
}

/**
 * useOlder has the server search the lines of a log before a number: those that this tab no longer
 * keeps. The number is rounded up, so that a log that grows is not searched again for every line.
 */
export function useOlder(id: string, q: string, before: number) {
  const to = Math.ceil(before / 5_000) * 5_000
  return useQuery({
    queryKey: ['log-search', id, q, to],
    queryFn: async ({ signal }) => {
      const lines: LogLine[] = []
      for (let after: number | undefined = 0; after !== undefined && lines.length < mostOlder;) {
        const page = await api.searchLog(id, q, after, signal)
        lines.push(...(page.lines ?? []).filter((l) => l.n < to))
        after = page.lines?.some((l) => l.n >= to) ? undefined : page.after || undefined
      }
      return lines.slice(0, mostOlder)
    },
    enabled: q !== '' && q.length <= 200 && before > 0, staleTime: Infinity,
  })
}

/** useBuild asks again whenever the release has moved on: a build ends, a document is verified. */
export function useBuild(r: Release) {
  const ended = r.artifact !== undefined || r.phase !== 'Building' || r.tries > 0 // else nothing is written yet
  return useQuery({ queryKey: ['build', r.id, r.version], enabled: ended, queryFn: ({ signal }) => api.build(r.id, signal), placeholderData: (old, before) => (before?.queryKey[1] === r.id ? old : undefined) })
}

/** useComponents pages through what is in one platform; what a digest holds never changes. */
export function useComponents(id: string, platform: Platform, q: string) {
  return useInfiniteQuery({
    queryKey: ['sbom', id, platform.digest, q],
    queryFn: ({ pageParam, signal }) => api.sbom(id, { platform: platform.name, q, after: pageParam, limit: 50 }, signal),
    initialPageParam: 0, getNextPageParam: (last) => last.next || undefined, staleTime: Infinity,
    placeholderData: (old, before) => (before?.queryKey[2] === platform.digest ? old : undefined),
  })
}

/** useComponentCounts is how many components each platform has, undefined while that is not known. */
export function useComponentCounts(id: string, platforms: readonly Platform[]): (number | undefined)[] {
  return useQueries({
    queries: platforms.map((p) => ({
      queryKey: ['sbom-count', id, p.digest], staleTime: Infinity,
      queryFn: ({ signal }: { signal: AbortSignal }) => api.sbom(id, { platform: p.name, limit: 1 }, signal).then((page) => page.total),
    })),
    combine: (all) => all.map((one) => one.data),
  })
}

export function useExperiments() {
  return useQuery({ queryKey: ['experiments'], queryFn: ({ signal }) => api.experiments(signal), refetchInterval: usePoll() })
}

export function useRuns(name: string) {
  return useInfiniteQuery({
    queryKey: ['runs', name],
    queryFn: ({ pageParam, signal }) => api.runs(name, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    enabled: name !== '', refetchInterval: usePoll(),
  })
}

export function useClusters() {
  return useQuery({ queryKey: ['clusters'], queryFn: ({ signal }) => api.clusters(signal), refetchInterval: 15_000 })
}

export function useSLOs(filters: SLOFilters) {
  return useInfiniteQuery({
    queryKey: ['slos', filters],
    queryFn: ({ pageParam, signal }) => api.slos(filters, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: 30_000, placeholderData: (old) => old,
  })
}

/** useCourse follows an objective on one cluster; undefined: the first. */
export function useCourse(name: string, cluster: string | undefined) {
  return useQuery({ queryKey: ['course', name, cluster], queryFn: ({ signal }) => api.course(name, cluster, signal), refetchInterval: 60_000, placeholderData: (old, before) => (before?.queryKey[1] === name ? old : undefined) })
}

export function useCalendar(from: string, to: string) {
  return useQuery({ queryKey: ['calendar', from, to], queryFn: ({ signal }) => api.calendar(from, to, signal), refetchInterval: 30_000, placeholderData: (old) => old })
}

export function useRun(id: string) {
  return useQuery({ queryKey: ['run', id], queryFn: ({ signal }) => api.run(id, signal), refetchInterval: (q) => (q.state.data?.ended ? false : 3_000) })
}

export function useSilences() {
  return useQuery({ queryKey: ['silences'], queryFn: ({ signal }) => api.silences(signal), refetchInterval: 15_000 })
}

export function useTokens() {
  return useQuery({ queryKey: ['tokens'], queryFn: ({ signal }) => api.tokens(signal) })
}

/** keepRelease puts an accepted mutation's answer in the cache, unless something newer is there. */
export function keepRelease(client: QueryClient, r: Release): void {
  client.setQueryData<Release>(['release', r.id], (old) => (old && old.version > r.version ? old : r))
  void client.invalidateQueries({ queryKey: ['release', r.id] })
  void client.invalidateQueries({ queryKey: ['board'] })
  void client.invalidateQueries({ queryKey: ['releases'] })
}
