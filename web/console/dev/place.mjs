// A service in an environment for the mock: where it is, how it differs, and its objects.
import { ago, environments, placed } from './data.mjs'

const over = ['Done', 'RolledBack', 'Failed', 'Held', 'Superseded']

export function placeOf(releases, service, env) {
  const e = environments.find((x) => x.name === env)
  const own = releases.filter((r) => r.service === service)
  const kept = own.filter((r) => r.stages.find((s) => s.env === env && s.verified)).map((r) => placed(r, env))
  if (!e || !kept.length) return undefined
  const target = (cluster) => ({ cluster, state: cluster === 'prod-south' ? 'Unreachable' : 'Healthy', revision: kept[0].desired, ...(cluster === 'prod-south' ? { variant: 'south' } : {}), message: cluster === 'prod-south' ? 'dial tcp 198.18.4.2:6443: connection refused' : '' })
  return { service, env, current: kept[0], occupant: own.find((r) => !over.includes(r.phase) && r.stages[r.stage].env === env)?.id, kept: kept.slice(0, 10), waves: e.waves.map((w) => ({ name: w.name, targets: w.clusters.map(target) })) }
}

export const driftOf = (place) => place.waves.flatMap((w) => w.targets).map((t) => t.cluster === 'prod-south' ? { cluster: t.cluster, revision: t.revision, objects: [], problem: t.message, hint: 'start the cluster' } : {
  cluster: t.cluster, revision: t.revision,
  objects: t.cluster === 'prod-main' ? [{ kind: 'Service', namespace: 'shop', name: 'web', act: 'change', text: ' spec:\n   ports:\n   - name: http\n-    port: 8080\n+    port: 80\n     targetPort: 8080\n' }] : [],
})

export function treeOf(place, cluster) {
  const odd = cluster === 'prod-main'
  if (cluster === 'prod-south') return { cluster, revision: place.current.desired, left: 0, items: [], problem: 'cluster prod-south does not answer: dial tcp 198.18.4.2:6443: connection refused', hint: 'start it or correct its kubeconfig; this is tried again' }
  const pod = (n, more) => ({ depth: 2, kind: 'Pod', namespace: 'shop', name: `web-7c9d5b6f4-${n}`, health: 'Healthy', created: ago(90_000), ...more })
  return {
    cluster, revision: place.current.desired, left: odd ? 1480 : 0,
    items: [
      { depth: 0, group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web', state: 'Synced', health: odd ? 'Progressing' : 'Healthy', created: ago(900_000) },
      { depth: 1, group: 'apps', kind: 'ReplicaSet', namespace: 'shop', name: 'web-7c9d5b6f4', health: 'Healthy', created: ago(90_000) },
      pod('x2k8p'), pod('m4q1z'), odd ? pod('t9v3c', { health: 'Degraded', message: 'container web: back-off 40s restarting failed container', created: ago(300) }) : pod('t9v3c'),
      { depth: 0, kind: 'Service', namespace: 'shop', name: 'web', state: odd ? 'Drifted' : 'Synced', health: 'Healthy', created: ago(900_000) },
      ...(odd ? [{ depth: 0, kind: 'ConfigMap', namespace: 'shop', name: 'web-old', state: 'Waiting', created: ago(2_000_000) }, { depth: 0, group: 'policy', kind: 'PodDisruptionBudget', namespace: 'shop', name: 'web', state: 'Missing' }] : []),
    ],
  }
}

const event = (type, reason, message, count, from, last, first) => ({ type, reason, message, count, from, first: ago(first ?? last), last: ago(last) })
const condition = (type, status, since, reason, message) => ({ type, status, since: ago(since), ...(reason ? { reason } : {}), ...(message ? { message } : {}) })

/** objectOf explains an object: pods, one of them in a crash loop, their ReplicaSet and Deployment; of others little is known. */
export function objectOf(place, query) {
  const cluster = query.get('cluster')
  if (!place) return undefined
  if (cluster === 'prod-south') return { conditions: [], events: [], left: 0, problem: 'cluster prod-south does not answer: connection refused', hint: 'start the cluster' }
  const r = treeOf(place, cluster).items.find((x) => x.state !== 'Missing' && x.kind === query.get('kind') && x.name === query.get('name') && (x.group ?? null) === query.get('group') && (x.namespace ?? null) === query.get('namespace'))
  if (!r) return undefined
  if (r.kind === 'Pod') return r.health === 'Degraded' ? crashing() : running()
  if (r.kind === 'Deployment') {
    return { conditions: [condition('Available', cluster === 'prod-main' ? 'False' : 'True', 290, 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'), condition('Progressing', 'True', 90_000, 'NewReplicaSetAvailable', 'ReplicaSet "web-7c9d5b6f4" has successfully progressed.')], events: [event('Normal', 'ScalingReplicaSet', 'Scaled up replica set web-7c9d5b6f4 from 2 to 3', 1, 'deployment-controller', 300)], left: 0 }
  }
  if (r.kind === 'ReplicaSet') return { conditions: [], events: [event('Normal', 'SuccessfulCreate', 'Created pod: web-7c9d5b6f4-t9v3c', 1, 'replicaset-controller', 300)], left: 0 }
  if (r.state === 'Waiting') return { deleting: ago(600), finalizers: ['example.com/backup'], conditions: [], events: [], left: 0 }
  return { conditions: [], events: [], left: 0 }
}

function running() {
  return {
    phase: 'Running', left: 0,
    conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((x) => condition(x, 'True', 89_990)),
    containers: [{ role: 'init', name: 'migrate', state: 'Terminated', reason: 'Completed', exit: 0, since: ago(89_995), ready: true, restarts: 0 }, { role: 'main', name: 'web', state: 'Running', since: ago(89_990), ready: true, restarts: 0 }],
    events: [],
  }
}

function crashing() {
  const broken = 'containers with unready status: [web]'
  return {
    phase: 'Running', left: 12,
    conditions: [condition('PodReadyToStartContainers', 'True', 296), condition('Initialized', 'True', 290), condition('Ready', 'False', 300, 'ContainersNotReady', broken), condition('ContainersReady', 'False', 300, 'ContainersNotReady', broken), condition('PodScheduled', 'True', 300)],
    containers: [
      { role: 'init', name: 'migrate', state: 'Terminated', reason: 'Completed', exit: 0, since: ago(290), ready: true, restarts: 0 },
      { role: 'sidecar', name: 'proxy', state: 'Running', since: ago(288), ready: true, restarts: 0 },
      { role: 'main', name: 'web', state: 'Waiting', reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container=web pod=web-7c9d5b6f4-t9v3c_shop(5d0a4f2e-8f0e-4a5e-9c33-1f1f6d0a7b11)', ready: false, restarts: 5, last: { exit: 137, reason: 'OOMKilled', message: 'panic: runtime error: out of memory\n\tmain.load(0xc000018030)\n\t\t/src/main.go:41 +0x1f', at: ago(22) } },
      { role: 'ephemeral', name: 'debugger-k2x9q', state: 'Running', since: ago(60), ready: false, restarts: 0 },
    ],
    events: [
      event('Warning', 'BackOff', 'Back-off restarting failed container web in pod web-7c9d5b6f4-t9v3c_shop(5d0a4f2e-8f0e-4a5e-9c33-1f1f6d0a7b11)', 23, 'kubelet', 9, 280),
      event('Warning', 'Unhealthy', 'Readiness probe failed: Get "http://10.42.1.17:8080/healthz": dial tcp 10.42.1.17:8080: connect: connection refused', 7, 'kubelet', 24, 270),
      event('Normal', 'Pulled', 'Container image "registry.example/shop/web@sha256:0f1d" already present on machine', 5, 'kubelet', 64, 288),
      event('Normal', 'Started', 'Container started', 5, 'kubelet', 63, 287), event('Normal', 'Scheduled', 'Successfully assigned shop/web-7c9d5b6f4-t9v3c to node-2', 1, 'default-scheduler', 300),
    ],
  }
}
