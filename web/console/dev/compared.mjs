// Trials for the mock, with what the two-by-two has found: one service for each finding.
const counted = (r) => `${r.good}/${r.total}`
const share = (r) => r.good / r.total

function wilson({ good, total }, z) {
  const p = good / total
  const middle = (p + (z * z) / (2 * total)) / (1 + (z * z) / total)
  const half = (z / (1 + (z * z) / total)) * Math.sqrt((p * (1 - p)) / total + (z * z) / (4 * total * total))
  return [p - (middle - half), middle + half - p]
}

function sum(...terms) {
  let [by, down, up] = [0, 0, 0]
  for (const [sign, r] of terms) {
    const [low, high] = wilson(r, 2.326)
    by += sign * share(r)
    down += (sign < 0 ? high : low) ** 2
    up += (sign < 0 ? low : high) ** 2
  }
  return { by, low: by - Math.sqrt(down), high: by + Math.sqrt(up) }
}

const of = (good, total = 6038) => ({ good, total })
// what was found of each service: [verified without, verified under, candidate without, candidate under]
const found = {
  alike: [of(6031, 6034), of(6000), of(6031, 6034), of(6002)],
  better: [of(6031, 6034), of(5940), of(6031, 6034), of(6027)],
  'less-resilient': [of(6031, 6034), of(6000), of(6031, 6034), of(5190)],
  'worse-without': [of(6031, 6034), of(6000), of(5871, 6034), of(5850)],
  'too-few-events': [of(41, 41), of(44, 44), of(43, 43), of(38, 40)],
  'another-fault': [of(6031, 6034), of(6000), of(6031, 6034), of(6010)],
}

function comparison(code, slo, title, cluster, { attempt = 1, worse = 'refuse', beside = '' } = {}) {
  const [vw, vu, cw, cu] = found[code]
  const facts = { slo, title, outcome: 'Pass', code: code === 'better' ? 'alike' : code, experiment: 'kill-one-pod', attempt: String(attempt), about: 'compared', beside }
  if (code === 'another-fault') return { gate: 'trial', claim: `${title} under the fault is compared with the last verified release's`, holds: false, cluster, detail: 'the last verified release was tried with another fault: PodChaos pod-kill of 1, now NetworkChaos delay of 2 with {"latency":"200ms"}', facts: { ...facts, outcome: 'Inconclusive' } }
  Object.assign(facts, { worse, tolerance: '0.005', 'verified.without': counted(vw), 'verified.under': counted(vu), 'candidate.without': counted(cw), 'candidate.under': counted(cu), confidence: '0' })
  const bad = code.startsWith('less') || code.startsWith('worse')
  const e = { gate: 'trial', claim: `${title} under the fault is no worse than the last verified release's`, holds: !bad, cluster, measured: share(cu), threshold: share(vu), facts, detail: '40 events in one of the four cells, each needs 50' }
  if (code === 'too-few-events') return { ...e, facts: { ...facts, outcome: 'Inconclusive' } }
  const extra = sum([1, cu], [-1, vu], [-1, cw], [1, vw])
  for (const [key, d] of [['difference.without', sum([1, cw], [-1, vw])], ['difference.under', sum([1, cu], [-1, vu])], ['extra', extra]]) Object.assign(facts, { [key]: String(d.by), [`${key}.low`]: String(d.low), [`${key}.high`]: String(d.high) })
  Object.assign(facts, { outcome: bad ? 'Refuse' : 'Pass', confidence: String(extra.high < 0 ? 0.9999 : extra.low > 0 ? 0.002 : 0.46) })
  const p = (d) => (d * 100).toFixed(2)
  return { ...e, detail: `the fault changes it by ${p(extra.by)} points more than it changed the last verified release (98 %: ${p(extra.low)} to ${p(extra.high)}, ${extra.high < 0 ? '99.9' : '46.0'} % sure that it is worse)` }
}

const findings = { 'pay/ledger': 'better', 'search/api': 'another-fault', 'pay/gateway': 'too-few-events' }

/** tried is the cells of a trial and its evidence; bad: it was worse, twice. */
export function tried(service, cluster, bad, commit) {
  if (service === 'shop/mail') return {} // nobody has told what to break
  const name = service.replace('/', '-')
  const code = bad ? 'less-resilient' : (findings[service] ?? 'alike')
  const cells = {}
  const evidence = []
  const add = (slo, title, what, more) => {
    const [, , without, under] = found[what]
    Object.assign(cells, { [`kill-one-pod/${slo}@${cluster}/baseline`]: without, [`kill-one-pod/${slo}@${cluster}/fault`]: under })
    evidence.push(comparison(what, slo, title, cluster, more))
  }
  add(`${name}-availability`, 'availability', code, bad ? {} : { beside: cluster === 'prod-canary' ? 'prod-main' : '' })
  if (bad) { add(`${name}-availability`, 'availability', code, { attempt: 2 }); add(`${name}-latency`, 'answers within 300 ms', 'worse-without', { attempt: 2, worse: 'tell' }) }
  const lost = (what) => { const [, , without, under] = found[what]; return Math.max(0, share(without) - share(under)) / 0.01 }
  const score = Math.max(0, 100 * (1 - Math.min(1, lost(code))) - (parseInt(commit.slice(0, 2), 16) % 23)) // varies a little
  return { cells, evidence, score }
}
