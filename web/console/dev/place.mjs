// A service in an environment for the mock: where it is, how it differs, and its objects.
import { ago, environments, placed } from './data.mjs'

const over = ['Done', 'RolledBack', 'Failed', 'Held', 'Superseded']

export function placeOf(releases, service, env) {
  const e = environments.find((x) => x.name === env)
  const own = releases.filter((r) => r.service === service)
  const kept = own.filter((r) => r.stages.find((s) => s.env === env && s.verified)).map((r) => placed(r, env))
  if (!e || !kept.length) return undefined
  const target = (cluster) => ({ cluster, state: cluster === 'prod-south' ? 'Unreachable' : 'Healthy', revision: kept[0].desired, message: cluster === 'prod-south' ? 'dial tcp 198.18.4.2:6443: connection refused' : '' })
  return { service, env, current: kept[0], occupant: own.find((r) => !over.includes(r.phase) && r.stages[r.stage].env === env)?.id, kept: kept.slice(0, 10), waves: e.waves.map((w) => ({ name: w.name, targets: w.clusters.map(target) })) }
}

export const driftOf = (place) => place.waves.flatMap((w) => w.targets).map((t) => t.cluster === 'prod-south' ? { cluster: t.cluster, revision: t.revision, objects: [], problem: t.message, hint: 'start the cluster' } : {
  cluster: t.cluster, revision: t.revision,
  objects: t.cluster === 'prod-main' ? [{ kind: 'Service', namespace: 'shop', name: 'web', act: 'change', text: ' spec:\n   ports:\n   - name: http\n-    port: 8080\n+    port: 80\n     targetPort: 8080\n' }] : [],
})

export function treeOf(place, cluster) {
  const odd = cluster === 'prod-main'
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
