// The pages and their addresses. Filters live in the address, so a view can be shared.
import type { QueryClient } from '@tanstack/react-query'
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import { api, ApiError } from './api/client'
import type { ReleaseFilters, SLOFilters } from './api/client'
import { isDay } from './journey/calendar'
import type { Filter } from './journey/tree'
import { Board } from './pages/board'
import { Crash, NotFound } from './pages/problems'
import { SignIn } from './pages/signin'
import { Root, Shell } from './shell'

interface Context { client: QueryClient }

const text = (v: unknown): string | undefined => (typeof v === 'string' && v !== '' ? v : typeof v === 'number' ? String(v) : undefined)

/** PlaceSearch is which cluster's objects are shown, which of them, and which one is looked at. */
interface PlaceSearch extends Filter { cluster?: string; object?: string }

/** safeNext accepts an address of this console only: "/x", never "//host" or "/\host". */
export function safeNext(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/'
}

const root = createRootRouteWithContext<Context>()({ component: Root, notFoundComponent: NotFound, errorComponent: Crash })

const signIn = createRoute({
  getParentRoute: () => root, path: '/sign-in', component: SignIn,
  validateSearch: (s: Record<string, unknown>): { next?: string; ended?: boolean } => ({
    ...(s.next === undefined ? {} : { next: safeNext(s.next) }), ...(s.ended === true ? { ended: true } : {}),
  }),
})

const shell = createRoute({
  getParentRoute: () => root, id: 'shell', component: Shell,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.client.ensureQueryData({ queryKey: ['session'], queryFn: ({ signal }) => api.session(signal), staleTime: 5 * 60_000 })
    } catch (err) {
      if (err instanceof ApiError && (err.status === 401 || err.status === 403)) {
        throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { next: location.href } })
      }
      throw err
    }
  },
})

const board = createRoute({
  getParentRoute: () => shell, path: '/', component: Board,
  validateSearch: (s: Record<string, unknown>): { q?: string; project?: string } => ({ q: text(s.q), project: text(s.project) }),
})
const releases = createRoute({
  getParentRoute: () => shell, path: '/releases', component: lazyRouteComponent(() => import('./pages/releases'), 'Releases'),
  validateSearch: (s: Record<string, unknown>): ReleaseFilters => ({ q: text(s.q), service: text(s.service), env: text(s.env), phase: text(s.phase) }),
})
const release = createRoute({
  getParentRoute: () => shell, path: '/releases/$id', component: lazyRouteComponent(() => import('./pages/release/page'), 'ReleasePage'),
})
const build = createRoute({
  getParentRoute: () => shell, path: '/releases/$id/build', component: lazyRouteComponent(() => import('./pages/release/build'), 'BuildPage'),
  validateSearch: (s: Record<string, unknown>): { step?: string; platform?: string; q?: string } => ({ step: text(s.step), platform: text(s.platform), q: text(s.q) }),
})
const place = createRoute({
  getParentRoute: () => shell, path: '/places/$team/$name/$env', component: lazyRouteComponent(() => import('./pages/place'), 'PlacePage'),
  validateSearch: (s: Record<string, unknown>): PlaceSearch => ({ cluster: text(s.cluster), object: text(s.object), q: text(s.q), kind: text(s.kind), health: text(s.health), ...(s.only === true ? { only: true } : {}) }),
})
const experiments = createRoute({
  getParentRoute: () => shell, path: '/experiments', component: lazyRouteComponent(() => import('./pages/experiments'), 'Experiments'),
  validateSearch: (s: Record<string, unknown>): { name?: string } => ({ name: text(s.name) }),
})
const clusters = createRoute({
  getParentRoute: () => shell, path: '/clusters', component: lazyRouteComponent(() => import('./pages/places'), 'Clusters'),
})
const calendar = createRoute({
  getParentRoute: () => shell, path: '/experiments/calendar', component: lazyRouteComponent(() => import('./pages/calendar'), 'CalendarPage'),
  validateSearch: (s: Record<string, unknown>): { view?: 'week'; day?: string } => ({ ...(s.view === 'week' ? { view: 'week' } : {}), ...(isDay(s.day) ? { day: s.day } : {}) }),
})
const run = createRoute({
  getParentRoute: () => shell, path: '/experiments/$name/runs/$run', component: lazyRouteComponent(() => import('./pages/run'), 'RunPage'),
})
const slos = createRoute({
  getParentRoute: () => shell, path: '/slos', component: lazyRouteComponent(() => import('./pages/slos/list'), 'SLOs'),
  validateSearch: (s: Record<string, unknown>): SLOFilters => ({ service: text(s.service), env: text(s.env), state: text(s.state) }),
})
const slo = createRoute({
  getParentRoute: () => shell, path: '/slos/$name', component: lazyRouteComponent(() => import('./pages/slos/page'), 'SLOPage'),
  validateSearch: (s: Record<string, unknown>): { cluster?: string } => ({ cluster: text(s.cluster) }),
})
const silences = createRoute({
  getParentRoute: () => shell, path: '/silences', component: lazyRouteComponent(() => import('./pages/silences'), 'Silences'),
})
const tokens = createRoute({
  getParentRoute: () => shell, path: '/tokens', component: lazyRouteComponent(() => import('./pages/tokens'), 'Tokens'),
})

const tree = root.addChildren([signIn, shell.addChildren([board, releases, release, build, place, experiments, calendar, run, clusters, slos, slo, silences, tokens])])

export function newRouter(client: QueryClient) {
  return createRouter({ routeTree: tree, context: { client }, defaultPreload: 'intent', defaultPreloadStaleTime: 0, scrollRestoration: true, defaultErrorComponent: Crash })
}

declare module '@tanstack/react-router' {
  interface Register { router: ReturnType<typeof newRouter> }
}
