// SLOs with their budgets, and the calendar of experiments, for the mock.
import { ago } from './data.mjs'

const standing = (cluster, state, code, more = {}) => ({ cluster, env: cluster.split('-')[0], state, code, at: ago(4), ...more })
const slos = [
  { name: 'pay-ledger-latency', title: 'ledger answers within 300 ms', service: 'pay/ledger', objective: 0.995, window: '28d', clusters: [standing('staging', 'nodata', 'no-data')] },
  { name: 'search-api-availability', title: 'availability', service: 'search/api', objective: 0.9995, window: '28d', clusters: [standing('prod-canary', 'unasked', 'could-not-ask', { problem: 'slo search-api-availability on prod-canary: Prometheus at http://198.18.0.1:9090 does not answer in time' }), standing('staging', 'ok', 'kept', { measured: 0.99998, burn: 0.04, remaining: 0.97, exhausted: 5.8e7 })] },
  { name: 'shop-cart-availability', title: 'availability', service: 'shop/cart', objective: 0.99, window: '7d', clusters: [standing('prod-canary', 'breach', 'page-burn', { measured: 0.9714, burn: 2.86, remaining: -0.41, exhausted: 0, busy: true }), standing('staging', 'ticket', 'ticket-burn', { measured: 0.9823, burn: 1.77, remaining: 0.18, exhausted: 61_000 })] },
  { name: 'shop-web-availability', title: 'availability', service: 'shop/web', objective: 0.99, window: '28d', clusters: [standing('prod-canary', 'ok', 'kept', { measured: 0.99986, burn: 0, remaining: 0.832 }), standing('prod-main', 'ok', 'kept', { measured: 0.99979, burn: 0.021, remaining: 0.791, exhausted: 9.1e7 }), standing('prod-south', 'nodata', 'no-data'), standing('staging', 'ok', 'kept', { measured: 0.99941, burn: 0.059, remaining: 0.413, exhausted: 1.7e7 })] },
]

export function slosOf(params) {
  const env = params.get('env')
  const state = params.get('state')
  const items = slos.filter((o) => !params.get('service') || o.service === params.get('service'))
    .map((o) => ({ ...o, clusters: o.clusters.filter((c) => !env || c.env === env) }))
    .filter((o) => (!env || o.clusters.length) && (!state || o.clusters.some((c) => c.state === state)))
  return { items }
}

export function courseOf(name, cluster, releases) {
  const o = slos.find((x) => x.name === name)
  const here = o && (cluster ? o.clusters.find((c) => c.cluster === cluster) : o.clusters[0])
  if (!here) return undefined
  const n = 300
  const step = Math.round((parseInt(o.window) * 86_400) / n)
  const at = (i) => ago((n - 1 - i) * step)
  const base = { ...o, description: 'Requests that were answered without an error, as the gateway counts them.', cluster: here.cluster, from: at(0), to: at(n - 1), step, points: [], known: 1, queries: [{ name: 'bad', expr: `sum(increase(gateway_requests_total{service="${o.service}",cluster="${here.cluster}",code=~"5.."}[${step}s]))` }, { name: 'total', expr: `sum(increase(gateway_requests_total{service="${o.service}",cluster="${here.cluster}"}[${step}s]))` }], releases: [], faults: [] }
  if (here.state === 'unasked') return { ...base, code: 'could-not-ask', problem: here.problem, hint: 'nothing is promoted without measurements; start Prometheus or correct its address in the server’s settings' }
  if (here.state === 'nodata') return { ...base, code: 'no-data', problem: 'Prometheus has no events of the whole window', known: 0 }
  const bad = [60, 130, 131, 205, 206, 207, 262]
  let left = Math.min(1, here.remaining + 0.55)
  base.points = Array.from({ length: n }, (_, i) => {
    if (i > 90 && i < 104) return { at: at(i), remaining: left }
    const burn = bad.includes(i) ? 9 + (i % 5) : 0.15 + 0.12 * Math.abs(Math.sin(i / 7)) + (i % 11 === 0 ? 0.5 : 0)
    left -= (left - here.remaining) * (bad.includes(i) ? 0.22 : 0.004)
    return { at: at(i), burn: Number(burn.toFixed(3)), remaining: Number(left.toFixed(4)) }
  })
  base.known = 287 / 300
  base.releases = releases.filter((r) => r.service === o.service).slice(0, 4).map((r, i) => ({ at: at(55 + i * 62), release: r.id, commit: r.commit, message: r.message, end: i === 2 ? 'refused' : 'verified' }))
  base.faults = [{ from: at(130), to: at(132), experiment: 'nightly-kill', kind: 'PodChaos pod-kill', run: '20261126T180000Z.nightly-kill.staging' }, { from: at(205), to: at(208), experiment: 'kill-one-pod', kind: 'PodChaos pod-kill' }]
  return base
}

export function calendarOf(params, experiments, runs) {
  const from = Date.parse(params.get('from'))
  const to = Date.parse(params.get('to'))
  const planned = []
  for (let day = Math.floor(from / 86_400_000); day * 86_400_000 < to; day++) {
    const at = day * 86_400_000 + 18 * 3_600_000 // 02:00 in Shanghai
    const closed = new Date(at).getUTCDay() === 5 ? 'nothing is broken until Sunday: the sale' : undefined
    if (at > Date.now() && at < to) planned.push({ at: `${new Date(at + 8 * 3_600_000).toISOString().slice(0, 19)}+08:00`, timeZone: 'Asia/Shanghai', experiment: 'nightly-kill', service: 'shop/web', env: 'staging', ...(closed ? { closed } : {}) })
    for (const hour of [1, 7, 13, 19]) {
      const then = day * 86_400_000 + hour * 3_600_000
      if (then > Date.now() && then < to && experiments.length > 2) planned.push({ at: `${new Date(then).toISOString().slice(0, 19)}Z`, timeZone: 'UTC', experiment: 'cart-container-kill', service: 'shop/cart', env: 'staging' })
    }
  }
  planned.sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
  const sale = Date.now() + 2 * 86_400_000
  return {
    from: params.get('from'), to: params.get('to'), planned,
    often: [{ experiment: 'heartbeat', service: 'shop/web', env: 'staging', cron: '*/5 * * * *', timeZone: 'UTC' }],
    closed: [{ env: 'prod', from: new Date(sale).toISOString(), to: new Date(sale + 2 * 86_400_000).toISOString(), reason: 'the sale' }],
    open: [{ env: 'staging', from: new Date(Date.now() - 3_600_000).toISOString(), to: new Date(Date.now() + 5 * 3_600_000).toISOString() }],
    runs: runs.filter((r) => Date.parse(r.started) >= from && Date.parse(r.started) < to).map((r) => ({ id: r.id, experiment: r.experiment, service: r.service, env: r.env, cluster: r.cluster, trigger: r.trigger, state: r.state, started: r.started, ended: r.ended, reason: r.verdict?.reason || r.message })),
  }
}
