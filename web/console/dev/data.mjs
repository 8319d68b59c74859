// Data for the development server only: a small fleet with one release in every
// situation the console has to show. Nothing of the product or its tests uses it.
import { createHash } from 'node:crypto'
import { tried } from './compared.mjs'

const hex = (s) => createHash('sha1').update(s).digest('hex')
const sha = (s) => 'sha256:' + createHash('sha256').update(s).digest('hex')
export const ago = (s) => new Date(Date.now() - s * 1000).toISOString()

export const environments = [
  { name: 'staging', waves: [{ name: 'all', clusters: ['staging'] }] },
  { name: 'prod', after: 'staging', waves: [{ name: 'canary', clusters: ['prod-canary'] }, { name: 'rest', clusters: ['prod-main', 'prod-south'] }] },
]

const series = (from, n, step, f, labels = {}) => Array.from({ length: n }, (_, i) => ({ labels, time: ago(from - i * step), value: Number(f(i).toFixed(4)) }))

function fault(experiment, cluster, from, recovered = true) {
  return {
    experiment, kind: 'PodChaos', action: 'pod-kill', name: `seatrial-${hex(experiment + from).slice(0, 10)}`, namespace: 'shop', cluster,
    targets: ['shop/web-7c9d5b6f4-x2k8p'], created: ago(from), injected: ago(from - 2), ...(recovered ? { recovered: ago(from - 34) } : {}), message: 'all selected pods were killed; replacements are ready',
  }
}

function sloEvidence(service, cluster, from, { good = 0.9991, threshold = 0.99, withFault, gate = 'slo' } = {}) {
  const labels = { service, cluster, code: '200' }
  const dip = (i) => (withFault && i > 8 && i < 16 ? (good < threshold ? 0.86 : 0.985) : 0.9995 - (i % 3) * 0.0004)
  return {
    gate, claim: `availability of ${service} on ${cluster} is at least 99 %`, holds: good >= threshold, cluster, revision: hex('desired' + service), from: ago(from), to: ago(from - 60),
    measured: good, threshold, detail: good >= threshold ? '' : `${((1 - good) * 100).toFixed(2)} % of the requests failed while one pod was being killed`,
    facts: { slo: service.replace('/', '-') + '-availability', good: '5982', total: '6038', minEvents: '100', observe: '1m0s' },
    queries: [
      { name: 'ratio', expr: `sum(rate(gateway_requests_total{service="${service}",cluster="${cluster}",code=~"2.."}[10s])) / sum(rate(gateway_requests_total{service="${service}",cluster="${cluster}"}[10s]))`, at: ago(from - 60), samples: series(from, 31, 2, dip, { service, cluster }) },
      { name: 'good', expr: `sum(increase(gateway_requests_total{service="${service}",cluster="${cluster}",code=~"2.."}[60s]))`, at: ago(from - 60), samples: [{ labels, time: ago(from - 60), value: 5982 }] },
      { name: 'total', expr: `sum(increase(gateway_requests_total{service="${service}",cluster="${cluster}"}[60s]))`, at: ago(from - 60), samples: [{ labels: {}, time: ago(from - 60), value: 6038 }] },
    ],
    ...(withFault ? { fault: withFault } : {}),
  }
}

const policyEvidence = (service) => ({
  gate: 'policy', claim: `the manifests of ${service} obey signed-images, no-bare-pods, pod-security-restricted`, holds: true, to: ago(900),
  facts: { bundle: sha('bundle'), rules: '14', objects: '5' }, detail: 'staging: 5 objects, 14 rules\nprod: 5 objects, 14 rules',
})
const signatureEvidence = (image) => ({
  gate: 'signature', claim: 'the index is signed by the key of this platform and carries SBOM and provenance', holds: true, to: ago(880),
  facts: { key: sha('key').slice(7, 23), index: image, predicates: 'https://slsa.dev/provenance/v1, https://cyclonedx.org/bom' },
})

function artifact(service, commit, built) {
  const index = sha('index' + commit)
  const platforms = ['linux/amd64', 'linux/arm64', 'linux/ppc64le'].map((name) => ({ name, digest: sha(name + commit) }))
  const types = ['https://sigstore.dev/cosign/sign/v1', 'https://slsa.dev/provenance/v1']
  return {
    repository: `198.18.0.1:5000/${service}`, tag: `${commit}-b${hex(commit).slice(0, 6)}`, digest: index, platforms, built,
    signed: [...types.map((predicateType) => ({ subject: index, predicateType, digest: sha(predicateType + commit) })), ...platforms.map((p) => ({ subject: p.digest, predicateType: 'https://cyclonedx.org/bom', digest: sha('bom' + p.digest) }))],
  }
}

/** road lists the places of a full journey in order. */
function road() {
  const places = [{ to: 'Building' }, { to: 'Signing' }, { to: 'Checking' }]
  for (const e of environments) {
    places.push({ to: 'Approving', env: e.name })
    for (const w of e.waves) for (const step of ['sync', 'health', 'slo']) places.push({ to: 'Deploying', env: e.name, wave: w.name, step })
    places.push({ to: 'Trial', env: e.name }, { to: 'Verified', env: e.name })
  }
  return [...places, { to: 'Done', env: 'prod' }]
}

let version = 18_400

/** release builds a release that has come as far as `at` (an index into the road). */
export function release({ service, message, author, seed, at, begin, pace = 22, end }) {
  const commit = hex(service + seed)
  const places = road().slice(0, at + 1)
  const time = (i) => ago(Math.max(0, begin - i * pace))
  const history = places.map((p, i) => ({ from: i === 0 ? 'Unknown' : places[i - 1].to, ...p, at: time(i), by: i === 0 ? author.split(' ')[0].toLowerCase() : 'seatrial', ...(p.to === 'Approving' ? { reason: 'policy passed' } : {}) }))
  const here = places[places.length - 1]
  const stage = here.env === 'prod' ? 1 : 0
  const r = {
    id: service.replace('/', '.') + '.' + commit.slice(0, 12), service, project: service.split('/')[0], repo: `http://127.0.0.1:3000/${service}.git`, ref: 'refs/heads/main', commit, message, author,
    pusher: author.split(' ')[0].toLowerCase(), origin: 'push', created: ago(begin), updated: time(places.length - 1), version: version++,
    phase: here.to, stage, wave: Math.max(0, environments[stage].waves.findIndex((w) => w.name === here.wave)), step: here.step ?? '', attempt: 1, tries: 0, stages: [], verdicts: [], history,
  }
  if (at >= 1) r.artifact = artifact(service, commit, time(1))
  r.stages = environments.map((e, i) => stageOf(r, e, i, places, time))
  r.verdicts = verdictsOf(r, places, time)
  end?.(r)
  return r
}

function stageOf(r, e, i, places, time) {
  const index = (to, wave, step) => places.findIndex((p) => p.to === to && p.env === e.name && (wave === undefined || p.wave === wave) && (step === undefined || p.step === step))
  const s = { env: e.name, live: index('Deploying') >= 0 }
  if (places.length > 3) s.manifests = sha('manifests' + e.name + r.commit)
  if (index('Approving') >= 0) s.started = time(index('Approving'))
  if (!s.live) return s
  s.desired = hex('desired' + e.name + r.commit)
  s.previous = { release: r.service.replace('/', '.') + '.' + hex(r.service + 'old').slice(0, 12), commit: hex(r.service + 'old'), desired: hex('d' + r.service), image: `198.18.0.1:5000/${r.service}@${sha('old')}`, manifests: sha('oldm'), at: ago(86_400 * (i + 1)), trial: trialOf(r, e.name, 90_000) }
  s.waves = e.waves.map((w) => {
    const began = index('Deploying', w.name)
    const slo = index('Deploying', w.name, 'slo')
    const passed = began >= 0 && places.length - 1 > slo && slo >= 0
    const state = passed || (slo >= 0) ? 'Healthy' : index('Deploying', w.name, 'health') >= 0 ? 'Progressing' : began >= 0 ? 'Syncing' : 'Pending'
    return {
      name: w.name, ...(began >= 0 ? { started: time(began) } : {}), ...(passed ? { passed: time(slo + 1) } : {}),
      targets: w.clusters.map((cluster) => ({
        cluster, state, ...(began >= 0 ? { revision: s.desired, synced: time(began + 1) } : {}), ...(state === 'Healthy' ? { healthy: time(slo) } : {}),
        message: state === 'Progressing' ? 'deployment web: 1 of 3 pods updated' : state === 'Healthy' ? '3 of 3 pods ready at this revision' : '',
      })),
    }
  })
  if (index('Verified') >= 0) { s.verified = time(index('Verified')); s.trial = trialOf(r, e.name, 400) }
  else if (index('Trial') >= 0) s.trial = trialOf(r, e.name, 60)
  return s
}

export function trialOf(r, env, from, bad) {
  const cluster = env === 'prod' ? 'prod-canary' : 'staging'
  const f = fault('kill-one-pod', cluster, from - 30)
  return { experiment: 0, step: 'done', attempt: 1, since: ago(from - 60), fault: f, ...tried(r.service, cluster, bad, r.commit) }
}

function verdictsOf(r, places, time) {
  const out = []
  const last = places.length - 1
  places.forEach((p, i) => {
    if (i >= last) return
    const add = (gate, evidence, reason) => out.push({ gate, ...(p.env ? { env: p.env } : {}), ...(p.wave ? { wave: p.wave } : {}), at: time(i + 1), verdict: { outcome: 'Pass', ...(reason ? { reason } : {}), ...(evidence.length ? { evidence } : {}) } })
    const cluster = p.env === 'prod' ? (p.wave === 'rest' ? 'prod-main' : 'prod-canary') : 'staging'
    const from = (Date.now() - Date.parse(time(i))) / 1000
    if (p.to === 'Building') add('build', [], 'built for 3 platforms in 1m12s, 11 of 14 steps from the cache')
    if (p.to === 'Signing') add('signing', [])
    if (p.to === 'Checking') add('policy', [policyEvidence(r.service), signatureEvidence(sha('index' + r.commit))])
    if (p.to === 'Approving') add('approval', [{ gate: 'approval', claim: `${p.env} asks for no approval`, holds: true, to: time(i) }])
    if (p.step === 'sync') add('sync', [])
    if (p.step === 'health') add('health', [{ gate: 'health', claim: `every object of ${r.service} is healthy at ${hex('desired').slice(0, 12)}`, holds: true, cluster, to: time(i + 1), detail: 'Deployment web 3/3, Service web, ConfigMap web-config' }])
    if (p.step === 'slo') add('slo', [sloEvidence(r.service, cluster, from)])
    if (p.to === 'Trial') add('trial', [sloEvidence(r.service, cluster, from, { good: 0.994, withFault: fault('kill-one-pod', cluster, from - 20), gate: 'trial' })], 'held under kill-one-pod: 99.40 %, last verified 99.37 % under the same fault')
  })
  return out
}

/** stop appends an end that was not Done. */
function stop(r, to, gate, reason, hint, evidence = [], after = 4) {
  const from = r.phase
  const at = new Date(Date.parse(r.updated) + after * 1000).toISOString()
  const env = r.stages[r.stage].env
  r.verdicts.push({ gate, ...(from === 'Building' ? {} : { env }), at, verdict: { outcome: to === 'Held' ? 'Inconclusive' : 'Refuse', reason, hint, evidence } })
  r.history.push({ from, to, ...(from === 'Building' ? {} : { env }), at, by: 'seatrial', reason })
  Object.assign(r, { phase: to, reason, hint, updated: at, wave: 0, step: '' })
}

function rolledBack(r, gate, reason, hint, evidence, bad) {
  stop(r, 'RollingBack', gate, reason, hint, evidence)
  const s = r.stages[r.stage]
  const at = new Date(Date.parse(r.updated) + 8_400).toISOString()
  r.history.push({ from: 'RollingBack', to: 'RolledBack', env: s.env, at, by: 'seatrial', reason })
  Object.assign(s, { refused: r.updated, returned: at, return: hex('return' + r.commit) })
  s.waves.forEach((w) => w.targets.forEach((t) => { if (t.state !== 'Pending') Object.assign(t, { state: 'RolledBack', revision: s.previous.desired, message: 'back on the last verified revision, 3 of 3 pods ready' }) }))
  if (bad) s.trial = trialOf(r, s.env, 500, true)
  r.verdicts.push({ gate: 'rollback', env: s.env, at, verdict: { outcome: 'Pass', reason: `returned to ${s.previous.commit.slice(0, 12)}` } })
  Object.assign(r, { phase: 'RolledBack', updated: at, hold: { by: 'seatrial', reason, at } })
}

export function fleet() {
  const all = []
  const add = (r) => { all.push(r); return r }
  add(release({ service: 'shop/web', message: 'checkout: show delivery date before payment', author: 'Lin Mei', seed: 'live', at: 0, begin: 30, end: (r) => { r.reason = 'building linux/amd64, linux/arm64, linux/ppc64le' } }))
  add(release({ service: 'pay/ledger', message: 'ledger: round half to even in interest postings', author: 'Jonas Berg', seed: 'a', at: 9, begin: 2_400, end: (r) => Object.assign(r, { reason: '1 of 2 approvals for prod: wang.lei approved, one more of group sre is needed', hint: 'ask somebody of group sre who is neither author nor pusher', due: ago(-20), stage: 1, phase: 'Approving' }) }))
  add(release({ service: 'search/api', message: 'api: drop the second tokenizer pass', author: 'Priya Nair', seed: 'b', at: 14, begin: 900, end: (r) => {
    Object.assign(r, { tries: 4, due: ago(-8), reason: 'sync prod-south: dial tcp 198.18.4.2:6443: connection refused', hint: 'the cluster’s API server does not answer; the release goes on by itself once it is back' })
    r.stages[1].waves[1].targets[1].state = 'Unreachable'
    r.stages[1].waves[1].targets[1].message = 'dial tcp 198.18.4.2:6443: connection refused'
  } }))
  add(release({ service: 'shop/cart', message: 'cart: keep items in memory for speed', author: 'Tom Ashby', seed: 'c', at: 12, begin: 4_000, end: (r) => rolledBack(r, 'slo', 'availability of shop/cart on prod-canary was 86.00 %, wanted at least 99 %', 'look at the failing requests in the window of the evidence, fix, push again', [sloEvidence('shop/cart', 'prod-canary', 3_700, { good: 0.86 })]) }))
  add(release({ service: 'shop/search', message: 'search: one replica is enough', author: 'Lin Mei', seed: 'd', at: 7, begin: 7_300, end: (r) => rolledBack(r, 'trial', 'held without a fault (99.95 %) but not under kill-one-pod: 85.96 %, last verified 99.37 % under the same fault', 'run at least two ready pods and a preStop pause, then push again', [sloEvidence('shop/search', 'staging', 7_100, { good: 0.8596, withFault: fault('kill-one-pod', 'staging', 7_090), gate: 'trial' })], true) }))
  add(release({ service: 'pay/gateway', message: 'gateway: new TLS settings', author: 'Amina Diallo', seed: 'e', at: 6, begin: 12_000, end: (r) => stop(r, 'Held', 'slo', 'only 12 requests in 5m0s, at least 100 are needed to judge availability', 'send traffic to staging or lower minEvents, then free the release', [], 300) }))
  add(release({ service: 'shop/mail', message: 'mail: move templates to the new engine', author: 'Noor Haddad', seed: 'f', at: 0, begin: 16_000, end: (r) => stop(r, 'Failed', 'build', 'Dockerfile:14: RUN go build ./cmd/mail: exit status 1\ncmd/mail/main.go:31:9: undefined: templates.Load', 'the last lines of the step are in the log; fix and push again', [], 71) }))
  add(release({ service: 'shop/web', message: 'web: cache the catalogue for one minute', author: 'Tom Ashby', seed: 'old', at: 18, begin: 90_000 }))
  add(release({ service: 'shop/web', message: 'web: typo in the footer', author: 'Lin Mei', seed: 'sup', at: 2, begin: 91_000, end: (r) => { r.history.push({ from: 'Checking', to: 'Superseded', at: ago(90_800), by: 'seatrial', reason: 'a newer commit came' }); Object.assign(r, { phase: 'Superseded', reason: 'a newer commit came: ' + all[all.length - 1].id }) } }))
  for (const service of ['pay/ledger', 'search/api', 'shop/cart', 'shop/search', 'pay/gateway', 'shop/mail']) add(release({ service, message: 'deps: raise base image to debian 12.14', author: 'Renovate', seed: 'old', at: 18, begin: 200_000 }))
  const words = ['fix a race in', 'log less in', 'document', 'simplify', 'speed up', 'test', 'rename fields of']
  for (let i = 0; i < 110; i++) {
    const service = ['shop/web', 'shop/cart', 'pay/ledger', 'search/api', 'shop/search'][i % 5]
    add(release({ service, message: `${service.split('/')[1]}: ${words[i % 7]} handler ${i}`, author: ['Lin Mei', 'Jonas Berg', 'Priya Nair', 'Tom Ashby'][i % 4], seed: 'h' + i, at: 18, begin: 250_000 + i * 9_000 }))
  }
  return all
}

export const placed = (r, env) => ({ release: r.id, commit: r.commit, desired: hex('desired' + env + r.commit), image: `${r.artifact.repository}@${r.artifact.digest}`, manifests: sha(env + r.commit), at: r.stages.find((s) => s.env === env).verified ?? r.updated })

const podKill = (service) => ({ kind: 'PodChaos', action: 'pod-kill', mode: 'one', selector: { matchLabels: { app: service } }, namespace: 'shop', duration: '30s' })

const about = (what, e) => ({ ...e, facts: { ...e.facts, title: 'availability', about: what } })

export function runsOf(name, service) {
  const states = ['Passed', 'Passed', 'Failed', 'Passed', 'Invalid', 'Passed', 'Aborted', 'Passed']
  return states.map((state, i) => {
    const from = 30_000 + i * 86_400
    const f = fault(name, 'staging', from - 5)
    return {
      id: `${new Date(Date.now() - from * 1000).toISOString().replace(/[-:]|\.\d+/g, '')}.${name}.staging`, experiment: name, service, env: 'staging', cluster: 'staging', trigger: i === 6 ? 'person' : 'schedule', by: i === 6 ? 'mei' : '', state,
      scheduled: ago(from + 80), started: ago(from + 79), ended: ago(from - 75), fault: f, message: state === 'Invalid' ? 'the fault was not injected: no pod matched app=web' : state === 'Aborted' ? 'aborted by mei: deploy freeze' : '',
      verdict: { outcome: state === 'Passed' ? 'Pass' : state === 'Failed' ? 'Refuse' : 'Inconclusive', reason: state === 'Failed' ? 'availability was 98.10 %, wanted 99 %' : '', evidence: state === 'Invalid' ? [] : [
        about('baseline', sloEvidence(service, 'staging', from + 75)), about('fault', sloEvidence(service, 'staging', from - 5, { good: state === 'Failed' ? 0.981 : 0.9972, withFault: f })),
        { gate: 'trial', claim: 'the service recovered', holds: true, cluster: 'staging', measured: 11.4, facts: { about: 'recovered' } },
      ] },
    }
  })
}

export function experiments() {
  return [
    { name: 'nightly-kill', spec: { service: 'shop/web', fault: podKill('web'), limits: { maxTargets: 1, maxPercent: 50, maxDuration: '1m0s', minReady: 2 }, hypothesis: ['shop-web-availability'], observe: '30s', schedule: { cron: '0 2 * * *', timeZone: 'Asia/Shanghai', environments: ['staging'] } }, next: ago(-31_000), last: runsOf('nightly-kill', 'shop/web').slice(0, 5) },
    { name: 'kill-one-pod', spec: { fault: podKill('web'), limits: { maxTargets: 1, maxPercent: 50, maxDuration: '1m0s', minReady: 2 } }, last: [] },
    { name: 'cart-container-kill', spec: { service: 'shop/cart', fault: { ...podKill('cart'), action: 'container-kill', container: 'cart', mode: 'fixed-percent', value: '30' }, limits: { maxTargets: 2 }, schedule: { cron: '@every 6h', environments: ['staging'] } }, next: ago(-4_000), last: runsOf('cart-container-kill', 'shop/cart').slice(1, 4) },
  ]
}

export const clusters = [
  { name: 'staging', labels: { env: 'staging' }, state: 'Ready', message: 'v1.36.4, 1 node', chaos: true },
  { name: 'prod-canary', labels: { env: 'prod', ring: 'canary' }, state: 'Ready', message: 'v1.36.4, 1 node', chaos: false },
  { name: 'prod-main', labels: { env: 'prod', ring: 'main' }, state: 'Ready', message: 'v1.36.4, 1 node', chaos: false },
  { name: 'prod-south', labels: { env: 'prod', ring: 'main', region: 'south' }, state: 'Unreachable', message: 'dial tcp 198.18.4.2:6443: connection refused', chaos: false },
]

const steps = ['[internal] load build definition from Dockerfile', '[linux/amd64 build 1/4] FROM docker.io/library/golang:1.26', '[linux/amd64 build 2/4] COPY go.mod go.sum ./', '[linux/amd64 build 3/4] RUN go mod download', '[linux/amd64 build 4/4] RUN GOARCH=amd64 go build -trimpath ./cmd/web', '[linux/amd64->arm64 build 4/4] RUN GOARCH=arm64 go build -trimpath ./cmd/web', '[linux/amd64->ppc64le build 4/4] RUN GOARCH=ppc64le go build -trimpath -ldflags "-s -w -buildid= -X example.org/shop/web/internal/version.commit=4f2a91c0" ./cmd/web', 'exporting to image']

export function logLine(n, total = 420) {
  const step = steps[Math.min(steps.length - 1, Math.floor((n / total) * steps.length))]
  const texts = ['#' + (n % 23) + ' DONE 0.' + (n % 9) + 's', 'go: downloading golang.org/x/net v0.' + n + '.0', 'compile ' + hex('pkg' + n).slice(0, 8) + ' internal/route', 'sha256:' + hex('l' + n) + ' 3.' + (n % 9) + ' MB / 12.4 MB', 'resolve ' + hex('r' + n).slice(0, 12)]
  return { n, at: ago(Math.max(0, (total - n) * 0.2)), step, stream: n % 17 === 0 ? 'stderr' : 'stdout', text: n % 41 === 40 ? 'warning: GOFLAGS=-mod=mod is set; the vendor folder is ignored' : texts[n % 5] }
}

// [name, platform, second it began, seconds it took; none: from the cache]
const stepTimes = [
  ['[internal] load build definition from Dockerfile', '', 0, 0.02], ['[internal] load metadata for docker.io/library/golang:1.26', '', 0.05, 0.31], ['[internal] load .dockerignore', '', 0.36, 0.01], ['[internal] load build context', '', 0.4, 0.22],
  ['[linux/amd64 build 1/4] FROM docker.io/library/golang:1.26', 'linux/amd64', 0.4], ['[linux/amd64 build 2/4] COPY go.mod go.sum ./', 'linux/amd64', 0.65], ['[linux/amd64 build 3/4] RUN go mod download', 'linux/amd64', 0.66],
  ['[linux/amd64 build 4/4] RUN GOARCH=amd64 go build -trimpath ./cmd/web', 'linux/amd64', 0.9, 9.4], ['[linux/amd64->arm64 build 4/4] RUN GOARCH=arm64 go build -trimpath ./cmd/web', 'linux/arm64', 0.9, 14.2],
  ['[linux/amd64->ppc64le build 4/4] RUN GOARCH=ppc64le go build -trimpath -ldflags "-s -w -buildid= -X example.org/shop/web/internal/version.commit=4f2a91c0" ./cmd/web', 'linux/ppc64le', 0.9, 16.7],
  ['[linux/amd64 stage-1 1/1] COPY --from=build /web /web', 'linux/amd64', 10.4, 0.1], ['[linux/arm64 stage-1 1/1] COPY --from=build /web /web', 'linux/arm64', 15.2, 0.11], ['[linux/ppc64le stage-1 1/1] COPY --from=build /web /web', 'linux/ppc64le', 17.7, 0.1], ['exporting to image', '', 17.9, 1.4],
]

/** buildOf is the report of a release's build, undefined while it runs. */
export function buildOf(r) {
  const failed = r.phase === 'Failed' && !r.artifact
  if (!r.artifact && !failed) return undefined
  const begin = Date.parse(r.created)
  const when = (s) => new Date(begin + s * 1000).toISOString()
  const steps = stepTimes.slice(0, failed ? 10 : undefined).map(([name, platform, from, took], i) => ({
    name, ...(platform ? { platform } : {}), started: when(from), ...(failed && i > 7 ? {} : { finished: when(from + (took ?? 0)) }), cached: took === undefined, logBytes: took > 1 ? 12_400 * (i + 1) : 0,
    ...(failed && i === 7 ? { error: 'process "/bin/sh -c GOARCH=amd64 go build ./cmd/web" did not complete successfully: exit code: 1' } : {}),
  }))
  const subjects = r.artifact ? [r.artifact, ...r.artifact.platforms] : []
  const types = ['https://slsa.dev/provenance/v1', 'https://cyclonedx.org/bom', 'https://sigstore.dev/cosign/sign/v1']
  const attached = r.phase === 'Signing' ? [] : subjects.flatMap((s) => types.map((predicateType) => ({ subject: s.digest, ...(s.name ? { platform: s.name } : {}), predicateType, digest: sha(predicateType + s.digest), key: sha('key').slice(7), verified: true, at: when(24), detail: 'key, subject, repository and content hold' })))
  const unchanged = r.commit.charCodeAt(1) % 3 === 0
  return {
    release: r.id, ranFor: r.id, id: hex(r.commit).slice(0, 8), unchanged: !failed && unchanged, steps, attached, platforms: r.artifact?.platforms ?? [], buildkit: 'v0.29.0', committed: when(-60), started: when(0), finished: when(19.3),
    ...(failed ? { failed: r.reason } : { image: `${r.artifact.repository}@${r.artifact.digest}`, tag: r.artifact.tag }),
    why: unchanged ? `unchanged: proved against build ${hex(r.commit).slice(0, 8)}` : `rebuilt because, since build 9b1c22d0, the tree of ${r.service.split('/')[1]}/ changed: 3f2a91c -> 9b1c22d; the commit changed: 77c0e1a -> ${r.commit.slice(0, 7)}`,
    changed: unchanged ? [] : [{ name: `the tree of ${r.service.split('/')[1]}/`, before: hex('t0'), after: hex('t1') }, { name: 'argument GOFLAGS', after: '-trimpath' }, { name: 'the commit', before: hex('c0'), after: r.commit }],
    inputs: [{ name: `the tree of ${r.service.split('/')[1]}/`, value: hex('t1') }, { name: 'the context', value: '.' }, { name: "the Dockerfile's name", value: 'Dockerfile' }, { name: 'the platforms', value: 'linux/amd64, linux/arm64, linux/ppc64le' }, { name: 'argument GOFLAGS', value: '-trimpath' }, { name: "BuildKit's compatibility version", value: '30' }, { name: 'the commit', value: r.commit }],
    bases: [{ name: 'docker.io/library/golang:1.26', digest: sha('golang') }],
    plan: { service: r.service, repository: r.repo, ref: r.ref, commit: r.commit, pipeline: sha('pipeline'), context: '.', dockerfile: 'Dockerfile', args: { GOFLAGS: '-trimpath' }, platforms: ['linux/amd64', 'linux/arm64', 'linux/ppc64le'] },
  }
}

const modules = ['golang.org/x/net', 'golang.org/x/sys', 'golang.org/x/text', 'google.golang.org/grpc', 'google.golang.org/protobuf', 'github.com/prometheus/client_golang', 'github.com/cespare/xxhash/v2', 'github.com/beorn7/perks', 'github.com/klauspost/compress', 'go.etcd.io/bbolt', 'stdlib', 'sigs.k8s.io/structured-merge-diff/v6']

export function componentsOf(platform) {
  const n = { 'linux/amd64': 137, 'linux/arm64': 136 }[platform] ?? 134
  const licences = [['BSD-3-Clause'], ['Apache-2.0'], ['MIT'], [], ['MIT', 'Apache-2.0'], ['BSD-2-Clause']]
  const libraries = Array.from({ length: n - 2 }, (_, i) => {
    const name = i < modules.length ? modules[i] : `github.com/example/module-${String(i).padStart(3, '0')}`
    const version = `v0.${i % 40}.${i % 7}`
    return { name, version, purl: `pkg:golang/${name}@${version}`, type: 'library', licences: licences[i % licences.length] }
  }).sort((a, b) => (a.name < b.name ? -1 : 1))
  return [...libraries, { name: '/etc/passwd', type: 'file', licences: [] }, { name: '/etc/ssl/certs/ca-certificates.crt', type: 'file', licences: [] }]
}
