// The only place that talks to the server. Every answer that is not 2xx becomes an
// ApiError with the server's own words and hint.
import type { Board, Build, Calendar, Cluster, Comparison, Components, Consents, Course, Experiment, LogMatches, LogPage, NewToken, Objective, ObjectState, Page, Place, Problem, Release, ReleaseSummary, Run, Session, Silence, Token, Tree, Plan, Stop } from './types'
import { summary } from './summary'

export class ApiError extends Error {
  readonly status: number
  readonly detail: string
  readonly hint: string

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title)
    this.name = 'ApiError'
    this.status = problem.status
    this.detail = [problem.detail ?? problem.title, ...(problem.errors ?? []).map((e) => [e.location, e.message].filter(Boolean).join(': '))].join('; ')
    this.hint = problem.hint ?? ''
  }

  /** 0 means that the server did not answer at all. */
  get unreachable(): boolean { return this.status === 0 }
}

export interface Mutation { key: string; version?: number | string | undefined }

export interface ReleaseFilters { service?: string; env?: string; phase?: string; q?: string }
export interface ObjectQuestion { service: string; env: string; cluster: string; group?: string; kind: string; namespace?: string; name: string }
export interface SLOFilters { service?: string; env?: string; state?: string }
export interface BoardFilters { q?: string; project?: string }

const timeout = 20_000
let csrf = ''

export function setCsrf(token: string | undefined): void { csrf = token ?? '' }

/** newKey names one intent of a person; sending it twice acts once. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
}

export function query(params: Record<string, string | number | undefined>): string {
  const out = new URLSearchParams()
  for (const [k, v] of Object.entries(params)) if (v !== undefined && v !== '') out.set(k, String(v))
  const s = out.toString()
  return s === '' ? '' : `?${s}`
}

async function problemOf(res: Response): Promise<Problem> {
  const fallback = { title: `${res.status} ${res.statusText}`.trim(), status: res.status }
  try {
    const body = (await res.json()) as Partial<Problem>
    return { ...fallback, ...body, status: res.status }
  } catch {
    return fallback
  }
}

async function call<T>(method: string, path: string, body?: unknown, mutation?: Mutation, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (csrf !== '' && method !== 'GET') headers['X-CSRF-Token'] = csrf
  if (mutation) headers['Idempotency-Key'] = mutation.key
  if (mutation?.version !== undefined) headers['If-Match'] = `"${mutation.version}"`
  const limit = AbortSignal.timeout(timeout)
  let res: Response
  try {
    res = await fetch(`/api/v1${path}`, {
      method, headers, credentials: 'same-origin', cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    })
  } catch (err) {
    if (signal?.aborted) throw err
    throw new ApiError({ title: 'unreachable', status: 0, detail: '' })
  }
  if (!res.ok) throw new ApiError(await problemOf(res))
  if (res.status === 204) return undefined as T
  return (await res.json()) as T
}

function summaries(page: Page<Release | ReleaseSummary>): Page<ReleaseSummary> {
  return { ...page, items: (page.items ?? []).map(summary) }
}

const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, undefined, undefined, signal)
const enc = encodeURIComponent
const release = (id: string) => `/releases/${enc(id)}`

export const api = {
  session: (s?: AbortSignal) => get<Session>('/session', s),
  signIn: (user: string, password: string) => call<Session>('POST', '/session', { user, password }),
  signOut: () => call<undefined>('DELETE', '/session'),

  board: (f: BoardFilters, s?: AbortSignal) => get<Board>(`/board${query({ ...f })}`, s),
  releases: (f: ReleaseFilters, after: string | undefined, s?: AbortSignal) =>
    get<Page<Release | ReleaseSummary>>(`/releases${query({ ...f, after, limit: 50 })}`, s).then(summaries),
  /** scored are the newest releases of a service, with the score of each trial. */
  scored: (service: string, s?: AbortSignal) => get<Page<Release>>(`/releases${query({ service, limit: 200 })}`, s).then((p) => p.items ?? []),
  release: (id: string, s?: AbortSignal) => get<Release>(release(id), s),
  returning: (id: string, env: string, s?: AbortSignal) => get<Page<Release>>(`${release(id)}/returning${query({ env })}`, s),
  log: (id: string, from: number, s?: AbortSignal) => get<LogPage>(`${release(id)}/log${query({ from })}`, s),
  searchLog: (id: string, q: string, after: number | undefined, s?: AbortSignal) => get<LogMatches>(`${release(id)}/log/search${query({ q, after, limit: 1000 })}`, s),
  build: (id: string, s?: AbortSignal) => get<Build>(`${release(id)}/build`, s),
  sbom: (id: string, f: { platform: string; q?: string; after?: number; limit: number }, s?: AbortSignal) => get<Components>(`${release(id)}/sbom${query({ ...f })}`, s),

  place: (service: string, env: string, s?: AbortSignal) => get<Place>(`/place${query({ service, env })}`, s),
  drift: (f: { service: string; env: string; to?: string }, s?: AbortSignal) => get<Page<Comparison>>(`/drift${query({ ...f })}`, s),

  object: (f: ObjectQuestion, s?: AbortSignal) => get<ObjectState>(`/tree/object${query({ ...f })}`, s),
  tree: (f: { service: string; env: string; cluster: string }, s?: AbortSignal) => get<Tree>(`/tree${query({ ...f })}`, s),

  rollback: (id: string, body: { env: string; to?: string; reason: string }, m: Mutation) => call<Release>('POST', `${release(id)}/rollback`, body, m),
  approve: (id: string, body: { env: string; reason: string }, m: Mutation) => call<Release>('POST', `${release(id)}/approve`, body, m),
  hold: (id: string, body: { reason: string }, m: Mutation) => call<Release>('POST', `${release(id)}/hold`, body, m),
  free: (id: string, body: { reason: string }, m: Mutation) => call<Release>('POST', `${release(id)}/free`, body, m),
  retry: (id: string, body: { reason: string }, m: Mutation) => call<Release>('POST', `${release(id)}/retry`, body, m),

  experiments: (s?: AbortSignal) => get<Page<Experiment>>('/experiments', s),
  runs: (name: string, after: string | undefined, s?: AbortSignal) =>
    get<Page<Run>>(`/experiments/runs${query({ name, after, limit: 20 })}`, s),
  planExperiment: (name: string, f: { env: string; service: string }, s?: AbortSignal) => get<Plan>(`/experiments/${enc(name)}/plan${query({ ...f })}`, s),
  chaos: (s?: AbortSignal) => get<Stop>('/chaos', s),
  switchChaos: (body: { stopped: boolean; reason: string }, m: Mutation) => call<Stop>('POST', '/chaos', body, m),
  consents: (name: string, f: { env: string; service: string; schedule: boolean }, s?: AbortSignal) =>
    get<Consents>(`/experiments/${enc(name)}/approvals${query({ ...f, schedule: f.schedule ? 'true' : '' })}`, s),
  agree: (name: string, body: { env: string; service?: string; schedule: boolean; reason: string }, m: Mutation) =>
    call<Consents>('POST', `/experiments/${enc(name)}/approve`, body, m),
  withdraw: (name: string, body: { env: string; service?: string; schedule: boolean; reason: string }, m: Mutation) =>
    call<Consents>('POST', `/experiments/${enc(name)}/withdraw`, body, m),
  runExperiment: (name: string, body: { env: string; service?: string; reason: string }, m: Mutation) =>
    call<Run>('POST', `/experiments/${enc(name)}/run`, body, m),
  abortRun: (id: string, body: { reason: string }, m: Mutation) => call<Run>('POST', `/experiments/runs/${enc(id)}/abort`, body, m),

  clusters: (s?: AbortSignal) => get<Page<Cluster>>('/clusters', s),
  slos: (f: SLOFilters, after: string | undefined, s?: AbortSignal) => get<Page<Objective>>(`/slos${query({ ...f, after })}`, s),
  course: (name: string, cluster: string | undefined, s?: AbortSignal) => get<Course>(`/slos/${enc(name)}${query({ cluster })}`, s),
  calendar: (from: string, to: string, s?: AbortSignal) => get<Calendar>(`/experiments/calendar${query({ from, to })}`, s),
  run: (id: string, s?: AbortSignal) => get<Run>(`/experiments/runs/${enc(id)}/record`, s),

  silences: (s?: AbortSignal) => get<Page<Silence>>('/silences', s),
  addSilence: (body: { matchers: string[]; for: string; reason: string }, m: Mutation) => call<Silence>('POST', '/silences', body, m),
  endSilence: (id: string, body: { reason: string }, m: Mutation) => call<Silence>('POST', `/silences/${enc(id)}/end`, body, m),

  tokens: (s?: AbortSignal) => get<Page<Token>>('/tokens', s),
  createToken: (body: { name: string; role: Role }, m: Mutation) => call<NewToken>('POST', '/tokens', body, m),
  revokeToken: (id: string, m: Mutation) => call<undefined>('DELETE', `/tokens/${enc(id)}`, undefined, m),
}

/** reportOf is where a person reads the report of a run. */
export const reportOf = (run: string, language: string) => `/api/v1/experiments/runs/${enc(run)}/report?format=html&language=${language}`

type Role = string
