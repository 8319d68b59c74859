// A stand-in for the server's API, for developing the console only: `npm run mock`, then
// `npm run dev`, or open it directly, where it serves dist/ under the real policy (CSP).
// Sign in with admin/admin, or viewer/viewer to see what a viewer sees.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ago, buildOf, clusters, componentsOf, environments, experiments, fleet, logLine, placed, release, runsOf } from './data.mjs'
import { calendarOf, courseOf, slosOf } from './trials.mjs'
import { driftOf, objectOf, placeOf, treeOf } from './place.mjs'

const port = Number(process.env.PORT ?? 8481)
const dist = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'dist')
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const state = {
  releases: fleet(), experiments: experiments(), revision: 18_600, sessions: new Map(), streams: new Set(), logs: new Map(),
  silences: [
    { id: 'k3v9q2m7xa', matchers: ['service=shop/web', 'environment=prod', 'severity!=critical'], from: ago(1_900), until: ago(-5_300), by: 'lin.mei', reason: 'the database moves to the new cluster; checkout answers slowly while it does' },
    { id: 'b8w2n5c1zr', matchers: ['service=~"pay/.*"', 'kind=alert.firing'], from: ago(86_000), until: ago(-200_000), by: 'token:nightly', reason: 'quarter close' },
    { id: 'd4h7j0p6ty', matchers: ['team=search'], from: ago(190_000), until: ago(160_000), by: 'priya.nair', reason: 'index is rebuilt', endedBy: 'jonas.berg', endedFor: 'the rebuild is done' },
    { id: 'f1g3l9s8ku', matchers: ['environment=staging'], from: ago(400_000), until: ago(392_800), by: 'tom.ashby', reason: 'staging is moved' },
  ],
  tokens: [{ id: 'tok1', name: 'ci-shop', role: 'operator', created: ago(900_000), lastUsed: ago(340) }, { id: 'tok2', name: 'grafana', role: 'viewer', created: ago(4_000_000) }],
}
const runs = new Map(state.experiments.map((x) => [x.name, x.last.length ? runsOf(x.name, x.spec.service) : []]))

const waveOf = (r) => (r.phase === 'Deploying' ? r.stages[r.stage]?.waves?.[r.wave]?.name : undefined)
const summary = (r) => ({ id: r.id, service: r.service, commit: r.commit, message: r.message, author: r.author, phase: r.phase, env: r.stages[r.stage]?.env, wave: waveOf(r), step: r.step, reason: r.reason, hint: r.hint, created: r.created, updated: r.updated, version: r.version, hold: r.hold })
const over = ['Done', 'RolledBack', 'Failed', 'Held', 'Superseded']

function board(params) {
  const q = (params.get('q') ?? '').toLowerCase()
  const names = [...new Set(state.releases.map((r) => r.service))].sort()
  const services = names.filter((n) => n.includes(q) && (!params.get('project') || n.startsWith(params.get('project') + '/'))).map((service) => {
    const own = state.releases.filter((r) => r.service === service)
    const slots = environments.map((e) => {
      const current = own.find((r) => r.stages.find((s) => s.env === e.name && s.verified))
      const releasing = own.find((r) => !over.includes(r.phase) && r.stages[r.stage].env === e.name)
      const unreachable = service === 'search/api' && e.name === 'prod'
      const targets = current ? e.waves.flatMap((w) => w.clusters).map((cluster) => ({ cluster, revision: placed(current, e.name).desired, state: unreachable && cluster === 'prod-south' ? 'Unreachable' : 'Healthy', message: '' })) : []
      return { env: e.name, current: current && placed(current, e.name), occupant: releasing?.id, releasing: releasing && summary(releasing), health: !current ? 'Unknown' : unreachable ? 'Degraded' : releasing?.phase === 'Deploying' ? 'Progressing' : 'Healthy', targets, hold: service === 'pay/gateway' && e.name === 'prod' ? { by: 'amina', reason: 'quarter close', at: ago(40_000) } : undefined }
    })
    return { service, project: service.split('/')[0], latest: summary(own[0]), slots }
  })
  return { environments, services, revision: state.revision }
}

function list(params) {
  const has = (v, f) => !params.get(f) || v === params.get(f)
  const q = (params.get('q') ?? '').toLowerCase()
  const all = state.releases.filter((r) => has(r.service, 'service') && has(r.phase, 'phase') && has(r.stages[r.stage].env, 'env') && (!q || (r.message + r.author + r.commit).toLowerCase().includes(q)))
  const start = params.get('after') ? all.findIndex((r) => r.id === params.get('after')) + 1 : 0
  const limit = Number(params.get('limit') ?? 50)
  const items = all.slice(start, start + limit).map((r) => ({ ...r, verdicts: undefined }))
  return { items, next: start + limit < all.length ? items.at(-1).id : '' }
}

function log(id, from) {
  const lines = state.logs.get(id) ?? Array.from({ length: 420 }, (_, n) => logLine(n))
  state.logs.set(id, lines)
  const r = state.releases.find((x) => x.id === id)
  const page = lines.slice(from, from + 1000)
  return { lines: page, next: from + page.length, done: r.phase !== 'Building' && from + page.length >= lines.length }
}

function searchLog(id, params) {
  const q = (params.get('q') ?? '').toLowerCase()
  const at = Number(params.get('after') ?? 0) // the server counts bytes, this one lines
  const part = log(id, 0) && state.logs.get(id).slice(at, at + 5000)
  const more = at + part.length < state.logs.get(id).length
  return { lines: part.filter((l) => (l.text + '\n' + l.step).toLowerCase().includes(q)), ...(more ? { after: at + part.length } : {}) }
}

function send(event, data) {
  state.revision++
  for (const s of state.streams) s.write(`id: ${state.revision}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

function act(r, what, body, user) {
  const now = new Date().toISOString()
  if (what === 'hold') r.hold = { by: user, reason: body.reason, at: now }
  else if (what === 'free') { r.hold = undefined; r.reason = `freed by ${user}` }
  else if (what === 'rollback') { r.history.push({ from: r.phase, to: 'RollingBack', env: body.env, at: now, by: user, reason: body.reason }); r.phase = 'RollingBack' }
  else if (what === 'retry') { r.history.push({ from: r.phase, to: 'Approving', env: 'staging', at: now, by: user, reason: body.reason }); r.phase = 'Approving'; r.hold = undefined; r.stage = 0 }
  else r.reason = '2 of 2 approvals'
  r.version = ++state.revision
  r.updated = now
  send('release', summary(r))
  return r
}

// agree keeps the last word of each person; the run by hand and the schedule ask for two.
const words = new Map()
async function agree(req, res, url, name, act) {
  const user = sessionOf(req)?.user
  const body = act === 'approvals' ? { env: url.searchParams.get('env'), schedule: url.searchParams.get('schedule') === 'true' } : await bodyOf(req)
  const key = `${name} ${body.env} ${body.schedule}`
  const said = words.get(key) ?? [{ by: 'lin.mei', at: ago(40), until: ago(-10_000), state: 'counts' }]
  words.set(key, act === 'approvals' ? said : [...said.filter((s) => s.by !== user), { by: user, at: ago(0), until: ago(-10_080), state: act === 'approve' ? 'counts' : 'withdrawn' }])
  const counting = words.get(key).filter((s) => s.state === 'counts').length
  const verdict = counting >= 2 ? { outcome: 'Pass' } : { outcome: 'Refuse', code: 'approvals-missing', reason: `${counting} of 2 approvals of group sre`, hint: 'ask somebody of group sre' }
  return json(res, 200, { required: 2, groups: ['sre'], digest: `sha256:${'5e'.repeat(32)}`, verdict, said: words.get(key) }, { ETag: `"sha256:${'5e'.repeat(32)}"` })
}

function problem(res, status, title, detail, hint) {
  res.writeHead(status, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify({ type: 'about:blank', title, status, detail, hint }))
}
const json = (res, status, body, headers = {}) => res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))

async function bodyOf(req) {
  let text = ''
  for await (const chunk of req) text += chunk
  return text === '' ? {} : JSON.parse(text)
}

function sessionOf(req) {
  const id = /seatrial=(\w+)/.exec(req.headers.cookie ?? '')?.[1]
  return id ? state.sessions.get(id) : undefined
}

async function signIn(req, res) {
  const { user, password } = await bodyOf(req)
  if (password !== user || !['admin', 'viewer'].includes(user)) return problem(res, 401, 'Unauthorized', 'user or password is wrong', '')
  const id = randomBytes(16).toString('hex')
  const session = { user, role: user }
  state.sessions.set(id, session)
  return json(res, 200, session, { 'Set-Cookie': `seatrial=${id}; HttpOnly; SameSite=Lax; Path=/` })
}

async function handle(req, res, url) {
  const path = url.pathname.slice('/api/v1'.length)
  if (path === '/session' && req.method === 'POST') return signIn(req, res)
  const session = sessionOf(req)
  if (!session) return problem(res, 401, 'Unauthorized', 'no session', 'sign in')
  if (path === '/session') return req.method === 'DELETE' ? (state.sessions.clear(), res.writeHead(204).end()) : json(res, 200, { ...session, version: 'dev-mock' })
  if (path === '/stream') return stream(req, res)
  if (req.method !== 'GET' && session.role === 'viewer') return problem(res, 403, 'Forbidden', 'viewers may not act', '')
  if (path === '/board') return json(res, 200, board(url.searchParams))
  if (path === '/releases') return json(res, 200, list(url.searchParams))
  if (path === '/clusters') return json(res, 200, { items: clusters })
  if (path === '/slos') return json(res, 200, slosOf(url.searchParams))
  if (path.startsWith('/slos/')) {
    const c = courseOf(decodeURIComponent(path.slice(6)), url.searchParams.get('cluster'), state.releases)
    return c ? json(res, 200, c) : problem(res, 404, 'Not Found', 'no such SLO', '')
  }
  if (['/place', '/drift', '/tree'].includes(path)) {
    const p = placeOf(state.releases, url.searchParams.get('service'), url.searchParams.get('env'))
    if (!p) return problem(res, 404, 'Not Found', 'nothing was verified there', '')
    return json(res, 200, path === '/place' ? p : path === '/drift' ? { items: driftOf(p) } : treeOf(p, url.searchParams.get('cluster')))
  }
  if (path === '/tree/object') {
    const o = objectOf(placeOf(state.releases, url.searchParams.get('service'), url.searchParams.get('env')), url.searchParams)
    return o ? json(res, 200, o) : problem(res, 404, 'Not Found', 'not among the objects of the service', 'look at the objects again')
  }
  if (path === '/chaos') {
    if (req.method === 'POST') { const body = await bodyOf(req); state.stop = body.stopped ? `${session.user}: ${body.reason}` : '' }
    return json(res, 200, { stopped: Boolean(state.stop), ...(state.stop ? { why: `the kill switch is on: ${state.stop}` } : {}) })
  }
  if (path.startsWith('/experiments')) return experiment(req, res, url, path)
  if (path.startsWith('/silences')) return silences(req, res, path, session.user)
  if (path.startsWith('/tokens')) return tokens(req, res, path)
  const m = /^\/releases\/([^/]+)(?:\/(\w+(?:\/search)?))?$/.exec(path)
  const r = m && state.releases.find((x) => x.id === decodeURIComponent(m[1]))
  if (!r) return problem(res, 404, 'Not Found', `no release ${m?.[1] ?? path}`, 'list them: seatrial release list')
  if (m[2] === 'build') {
    const b = buildOf(r)
    return b ? json(res, 200, b) : problem(res, 404, 'Not Found', `report of the build of ${r.id}: not found`, 'it is written when a build ends; until then follow the log')
  }
  if (m[2] === 'sbom') return sbom(res, r, url.searchParams)
  if (m[2] === 'log') return json(res, 200, log(r.id, Number(url.searchParams.get('from') ?? 0)))
  if (m[2] === 'log/search') return json(res, 200, searchLog(r.id, url.searchParams))
  if (m[2] && req.method === 'POST') return json(res, 202, act(r, m[2], await bodyOf(req), session.user))
  return json(res, 200, r, { ETag: `"${r.version}"` })
}

function sbom(res, r, params) {
  const platform = r.artifact?.platforms.find((p) => p.name === params.get('platform'))
  if (!platform) return problem(res, 404, 'Not Found', `SBOM of ${r.id}: its image has no platform ${params.get('platform')}`, '')
  const all = componentsOf(platform.name)
  const words = (params.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean)
  const found = all.filter((c) => words.every((w) => JSON.stringify(Object.values(c)).toLowerCase().includes(w)))
  const after = Number(params.get('after') ?? 0)
  const end = after + Number(params.get('limit') ?? 50)
  return json(res, 200, { platform, items: found.slice(after, end), total: all.length, matches: found.length, ...(end < found.length ? { next: end } : {}) })
}

async function experiment(req, res, url, path) {
  if (path.endsWith('/plan')) return json(res, 200, { experiment: 'x', cluster: 'staging', matching: ['shop/web-7c9d5b6f4-x2k8p', 'shop/web-7c9d5b6f4-9fj2m', 'shop/web-7c9d5b6f4-lq0zd'], targets: ['shop/web-7c9d5b6f4-x2k8p'] })
  if (path === '/experiments/calendar') return json(res, 200, { ...calendarOf(url.searchParams, state.experiments, [...runs.values()].flat()), ...(state.stop ? { stopped: `the kill switch is on: ${state.stop}` } : {}) })
  const one = /^\/experiments\/runs\/([^/]+)\/record$/.exec(path)
  if (one && req.method === 'GET') {
    const run = [...runs.values()].flat().find((r) => r.id === decodeURIComponent(one[1]))
    return run ? json(res, 200, run) : problem(res, 404, 'Not Found', 'no such run', '')
  }
  if (path === '/experiments') return json(res, 200, { items: state.experiments })
  const consent = /^\/experiments\/([^/]+)\/(approvals|approve|withdraw)$/.exec(path)
  if (consent) return agree(req, res, url, decodeURIComponent(consent[1]), consent[2])
  if (path === '/experiments/runs') return json(res, 200, { items: url.searchParams.get('name') ? (runs.get(url.searchParams.get('name')) ?? []) : [...runs.values()].flat(), next: '' })
  const [, , name, verb] = path.split('/')
  const body = await bodyOf(req)
  const x = state.experiments.find((e) => (verb === 'run' ? e.name === decodeURIComponent(name) : e.running))
  if (!x) return problem(res, 404, 'Not Found', 'no such run', '')
  if (verb !== 'run') {
    const run = { ...x.running, state: 'Aborted', ended: new Date().toISOString() }
    x.running = undefined
    runs.set(x.name, [run, ...(runs.get(x.name) ?? []).filter((r) => r.id !== run.id)])
    send('experiment', run)
    return json(res, 202, run)
  }
  const run = { id: `run${Date.now()}.${x.name}.${body.env}`, experiment: x.name, service: body.service ?? x.spec.service, env: body.env, cluster: body.env, trigger: 'person', by: 'admin', state: 'Injecting', started: new Date().toISOString() }
  x.running = run
  runs.set(x.name, [run, ...(runs.get(x.name) ?? [])])
  send('experiment', run)
  return json(res, 202, run)
}

async function silences(req, res, path, by) {
  if (req.method === 'GET') return json(res, 200, { items: state.silences })
  const body = await bodyOf(req)
  if (path === '/silences') {
    const odd = body.matchers.find((m) => !/^(service|environment|severity|kind|project|team)(=~|!~|!=|=)/.test(m))
    if (odd) return problem(res, 422, 'Unprocessable Entity', `unknown label ${odd}`, '')
    if (body.matchers.every((m) => /!=|=~\.\*$/.test(m))) return problem(res, 422, 'Unprocessable Entity', `${JSON.stringify(body.matchers)} fits what has no labels at all`, 'add a matcher that says what to silence: service=shop/web')
    const one = { id: 's' + Date.now(), matchers: body.matchers, from: ago(0), until: ago(-parseInt(body.for)), by, reason: body.reason }
    state.silences.push(one)
    return json(res, 201, one)
  }
  const one = state.silences.find((s) => s.id === path.split('/')[2])
  if (!one) return problem(res, 404, 'Not Found', `silence ${path.split('/')[2]}: not found`, 'see which there are: seatrial silence list')
  if (Date.parse(one.until) <= Date.now()) return problem(res, 409, 'Conflict', `silence ${one.id} is over since ${one.until}: refused`, '')
  Object.assign(one, { until: ago(0), endedBy: by, endedFor: body.reason })
  return json(res, 200, one)
}

async function tokens(req, res, path) {
  if (req.method === 'POST') {
    const body = await bodyOf(req)
    const token = { id: 'tok' + Date.now(), name: body.name, role: body.role, created: new Date().toISOString() }
    state.tokens.push(token)
    return json(res, 200, { ...token, token: 'st_' + randomBytes(24).toString('base64url') })
  }
  if (req.method === 'DELETE') { state.tokens = state.tokens.filter((t) => t.id !== path.split('/')[2]); return res.writeHead(204).end() }
  return json(res, 200, { items: state.tokens })
}

function stream(req, res) {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' })
  res.write(': hello\n\n')
  state.streams.add(res)
  req.on('close', () => state.streams.delete(res))
}

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }

async function file(res, url) {
  const name = normalize(url.pathname).replace(/^(\.\.[/\\])+/, '')
  const asset = extname(name) !== '' && name.startsWith('/assets/')
  try {
    const body = await readFile(join(dist, asset ? name : 'index.html'))
    res.writeHead(200, { 'Content-Type': types[asset ? extname(name) : '.html'] ?? 'application/octet-stream', 'Content-Security-Policy': csp, 'X-Content-Type-Options': 'nosniff' }).end(body)
  } catch { res.writeHead(404).end('not found') }
}

// The first release lives: it builds for a minute, then travels its road, then starts again.
let at = 0
let lines = 180
state.logs.set(state.releases[0].id, Array.from({ length: lines }, (_, n) => logLine(n)))
setInterval(() => {
  const r = state.releases[0]
  if (r.phase !== 'Building') return
  const fresh = Array.from({ length: 4 }, (_, i) => logLine(lines + i))
  lines += 4
  state.logs.get(r.id).push(...fresh)
  send('log', { release: r.id, lines: fresh })
}, 1_000)
if (process.env.STILL === undefined) setInterval(() => {
  at = (at + 1) % 19
  const old = state.releases[0]
  const next = release({ service: old.service, message: old.message, author: old.author, seed: 'live', at, begin: 40 + at * 8, pace: 8 })
  Object.assign(old, next, { version: state.revision + 1, due: undefined, reason: at === 0 ? 'building 3 platforms' : undefined })
  send('release', summary(old))
}, Number(process.env.PACE ?? 8_000))
setInterval(() => { for (const s of state.streams) s.write(': ping\n\n') }, 15_000)

createServer((req, res) => {
  const url = new URL(req.url, 'http://mock')
  const answer = url.pathname.startsWith('/api/') ? handle(req, res, url) : file(res, url)
  Promise.resolve(answer).catch((err) => problem(res, 500, 'Internal', String(err), ''))
}).listen(port, '127.0.0.1', () => console.log(`mock of the Seatrial API, for development only: http://127.0.0.1:${port} (admin/admin, viewer/viewer)`))
