// English. zh.ts has the same keys; the compiler holds it.
const s = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`

export const en = {
  name: 'English',
  product: 'Seatrial',
  skip: 'Skip to content',
  nav: { label: 'Main', board: 'Board', releases: 'Releases', experiments: 'Experiments', clusters: 'Clusters', slos: 'SLOs', tokens: 'API tokens' },
  common: {
    colon: ': ', comma: ', ',
    loading: 'Loading…', retry: 'Try again', cancel: 'Cancel', close: 'Close', more: 'Load older', copy: 'Copy', copied: 'Copied',
    all: 'All', none: 'none', search: 'Search', clear: 'Clear filters', service: 'Service', environment: 'Environment', phase: 'Phase',
    cluster: 'Cluster', state: 'State', message: 'Message', reason: 'Reason', hint: 'Next step', name: 'Name', since: 'since', by: 'by',
    revision: 'Revision', commit: 'Commit', author: 'Author', updated: 'Updated', created: 'Created', project: 'Project', time: 'Time',
    from: 'from', to: 'to', never: 'never', yes: 'yes', no: 'no', show: 'Show', hide: 'Hide', labels: 'Labels', value: 'Value',
    errorTitle: 'This could not be shown', unreachable: 'The server does not answer.',
    unreachableHint: 'Check that seatrial is running and that this machine can reach it. The page tries again by itself.',
    stale: 'Shown from an earlier answer; the last question failed.',
  },
  time: {
    now: 'just now', ago: (x: string) => `${x} ago`, in: (x: string) => `in ${x}`,
    s: (n: number) => `${n} s`, m: (n: number) => `${n} min`, h: (n: number) => `${n} h`, d: (n: number) => `${n} d`,
    due: 'looking again now',
  },
  connection: {
    label: 'Live updates', live: 'Live', connecting: 'Connecting', lost: 'Not live, asking every 10 s', off: 'Off',
    revision: (n: number) => `rev ${n}`, revisionTitle: 'The store revision of what is shown',
  },
  prefs: { theme: 'Theme', light: 'Light', dark: 'Dark', system: 'As the system', language: 'Language', account: 'Account', signOut: 'Sign out', role: 'Role', version: 'Version', open: 'Account and preferences' },
  signin: {
    title: 'Sign in', lead: 'Every release gets its sea trial before it sails.', user: 'User', password: 'Password', submit: 'Sign in', busy: 'Signing in…',
    wrong: 'User or password is wrong.', first: 'First start? The administrator’s password is in the file admin-password in the server’s data folder.',
    ended: 'Your session has ended. Sign in again to go on.',
  },
  phase: {
    Unknown: 'Unknown', Building: 'Building', Signing: 'Signing', Checking: 'Checking', Approving: 'Approving', Deploying: 'Deploying', Trial: 'Sea trial',
    Verified: 'Verified', Done: 'Done', RollingBack: 'Rolling back', RolledBack: 'Rolled back', Failed: 'Failed', Held: 'Held', Superseded: 'Superseded',
  },
  place: {
    Unknown: 'Unknown', Building: 'Building', Signing: 'Signing', Checking: 'Checking', Approving: 'Approving', Deploying: 'Deploying', Trial: 'Sea trial',
    Verified: 'Verified', Done: 'Done', RollingBack: 'Rolling back', RolledBack: 'Rolled back', Failed: 'Failed', Held: 'Held', Superseded: 'Superseded',
  },
  shift: { warm: 'warm up', replace: 'replace the old', drain: 'drain' },
  step: { '': '', sync: 'sync', health: 'health', slo: 'SLO' },
  health: { Healthy: 'Healthy', Progressing: 'Progressing', Degraded: 'Degraded', Unknown: 'Unknown' },
  target: { Pending: 'Pending', Syncing: 'Syncing', Progressing: 'Progressing', Healthy: 'Healthy', Degraded: 'Degraded', Unreachable: 'Unreachable', Quarantined: 'Quarantined', Left: 'Left', RolledBack: 'Rolled back', Synced: 'Synced', Refused: 'Refused', Unknown: 'Unknown' },
  outcome: { Pass: 'Pass', Wait: 'Wait', Refuse: 'Refuse', Inconclusive: 'Inconclusive', Unknown: 'Unknown' },
  run: { Planned: 'Planned', Injecting: 'Injecting', Measuring: 'Measuring', Reverting: 'Reverting', Passed: 'Passed', Failed: 'Failed', Invalid: 'Invalid', Aborted: 'Aborted' },
  node: {
    done: 'done', active: 'under way', waiting: 'waiting', ahead: 'ahead', refused: 'refused', held: 'held', skipped: 'not reached', returned: 'rolled back',
  },
  gate: {
    build: 'Build', signing: 'Signing', policy: 'Policy', signature: 'Signature', approval: 'Approval', window: 'Window', sync: 'Sync', health: 'Health', slo: 'SLO', trial: 'Sea trial', rollback: 'Roll back', plan: 'Plan', apply: 'Apply',
  },
  board: {
    title: 'Board', lead: 'What is verified where, and what is on its way.', filter: 'Filter services', projects: 'All projects', latest: 'Latest release',
    verified: 'verified', placed: 'placed', empty: 'nothing verified yet', wave: (n: number, of: number) => `wave ${n} of ${of}`, hold: 'held', targets: (ok: number, all: number) => `${ok} of ${all}`,
    none: 'No services yet', noneHint: 'A service appears with its first push: add .seatrial.yaml to a repository of a project and push to its branch.',
    noMatch: 'No service matches these filters', services: (n: number) => s(n, 'service', 'services'), moving: (n: number) => `${n} under way`, stuck: (n: number) => `${n} waiting for a person`,
    after: (env: string) => `after ${env}`, clusters: (n: number) => s(n, 'cluster', 'clusters'), open: 'open the release', notHere: 'not delivered here',
    caption: 'Services by environments',
  },
  slot: {
    in: 'in', fleet: 'Clusters by wave', occupied: 'a release is under way', left: 'no wave', behind: 'catches up', current: 'current', nowhere: 'On no cluster yet', nowhereHint: 'The first release that is verified here brings it.',
    drift: 'Differences', driftLead: 'From what is on the cluster now to the revision it is on; secrets are masked.', same: 'as in git', kept: 'Could return to', keptLead: 'The last verified releases, newest first.',
    act: { create: 'is created', change: 'is changed', delete: 'is deleted', wait: 'waits for approval' } as Record<string, string>,
    together: (set: string) => `Returns with it (set ${set})`, to: 'Return to', last: 'last verified', will: 'What it will do', nothing: 'nothing changes', nothingKept: 'No other release was ever verified here: there is nothing to return to.',
  },
  tree: {
    title: 'Objects', lead: 'What the service has on each cluster, and what that owns.', search: 'Kind, name, namespace or message', only: 'Only what needs a look', object: 'Object', health: 'Health', age: 'Age',
    shown: (n: number, of: number) => (n === of ? s(n, 'object', 'objects') : `${n} of ${s(of, 'object', 'objects')}`), left: (n: number) => `${s(n, 'more object is', 'more objects are')} not shown: there are too many.`, below: (x: string) => `, of ${x}`,
    state: { Synced: 'as in git', Drifted: 'differs', Missing: 'missing', Prune: 'is deleted', Waiting: 'waits for approval' },
  },
  releases: {
    title: 'Releases', lead: 'Newest first.', search: 'Commit, message or author', none: 'No releases yet', noneHint: 'Push a commit to a repository that has a .seatrial.yaml.',
    noMatch: 'No release matches these filters', where: 'Where', end: 'No older releases', shown: (n: number) => `${n} shown`, caption: 'Releases, newest first',
  },
  release: {
    back: 'Releases', journey: 'Journey', graph: 'Chart', table: 'Table', log: 'Build log', targets: 'Waves and targets', verdicts: 'Verdicts', timeline: 'Timeline', artifact: 'Artifact',
    gone: 'There is no such release', goneHint: 'It may belong to a service you cannot see, or the link is cut short.',
    pushedBy: (a: string) => `pushed by ${a}`, desired: 'from a push to the desired state', attempt: (n: number) => `attempt ${n}`, tries: (n: number) => s(n, 'failed question in a row', 'failed questions in a row'),
    waiting: 'Waiting', looking: 'Looks again', held: (by: string) => `Held by ${by}`, superseded: 'A newer commit of this service took over.', why: { Failed: 'Refused', Held: 'Held until a person looks', RolledBack: 'Rolled back', RollingBack: 'Rolling back' },
    lane: { yard: 'Yard', port: 'Port' }, wave: 'Wave', waves: 'Waves', noWaves: 'The waves are planned when the release reaches this environment.', notStarted: 'not reached', desiredState: 'Desired state', returnedBy: 'Returned by', manifests: 'Manifests',
    started: 'Started', ended: 'Ended', synced: 'Synced', healthy: 'Healthy since', previous: 'Replaces', noVerdicts: 'No gate has spoken yet.', noEvidence: 'No evidence attached.', noHistory: 'Nothing has happened yet.',
    pull: (n: number, author: string) => `pull request ${n} of ${author}`, fork: 'from a fork', notKept: 'What is built for a pull request is neither signed nor kept.',
    noArtifact: 'The image is not built yet.', step: 'Step', fromTo: 'From → to', stateNow: 'Now', announce: (x: string) => `Release state: ${x}`, copyImage: 'Copy image reference', pages: 'Pages of this release',
  },
  log: {
    follow: 'Follow', search: 'Search the log', matches: (n: number) => s(n, 'match', 'matches'), lines: (n: number) => s(n, 'line', 'lines'), empty: 'No output yet.', done: 'ended', live: 'live', capped: 'Only the newest lines are kept here.',
    group: 'Group by step', noMatch: 'No line matches.', general: 'general', all: 'Show all steps', failed: 'The log could not be read.', region: 'Build log lines',
    show: (n: number) => `Show line ${n} in its place`, older: 'Searching the older lines …', olderFailed: 'The older lines could not be searched.', olderMost: (n: number) => `Of the older lines, the first ${n} matches.`,
  },
  build: {
    title: 'Build', how: 'How it was built', summary: 'What was built, and why', failed: 'No image', unchanged: 'Proved unchanged', built: 'Built', why: 'Why',
    unchangedHint: (id: string) => `Nothing ran for this commit. What is below is of build ${id}, which made the image.`,
    id: 'Build', steps: 'Steps', ofCache: (cached: number, all: number) => `${cached} of ${all} from the cache`, fileTime: 'Time of every file', base: 'Base image',
    changed: 'Changed since the build before', before: 'Before', now: 'Now', inputs: (n: number) => s(n, 'input of this build', 'inputs of this build'), plan: 'Plan as JSON',
    underWay: 'The build is under way', underWayHint: 'Its report is written when it ends. Until then follow the log below.',
    none: 'There is no report of this build', noneHint: 'It was not built here, or its record was removed from the server’s disk.',
    noSteps: 'No steps were kept', noStepsHint: 'This image was built before steps were recorded.', allCached: 'Every step came from the cache', onlyRan: 'Only what ran',
    shown: (n: number, of: number) => (n === of ? `${n}` : `${n} of ${of}`), leftOut: (n: number) => `${s(n, 'more step was', 'more steps were')} not kept; the log has ${n === 1 ? 'it' : 'them'}.`,
    platform: 'Platform', timeline: 'When it ran', log: 'Log', state: { done: 'done', cached: 'cached', failed: 'failed', stopped: 'stopped' },
    attached: 'Platforms and what is attached', index: 'Index', document: 'Document', key: 'Key', verifiedAt: 'Verified at', digest: 'Digest', verified: 'verified', refused: 'refused', unverified: 'not verified yet', nothingAttached: 'Nothing is attached.',
    sbom: 'What is in the image', sbomSearch: 'Name, version, licence or type', sbomEmpty: 'The SBOM of this platform lists nothing', sbomNoMatch: 'Nothing in this image matches', more: 'Load more', licence: 'Licence', noLicence: 'unknown', type: 'Type', purl: 'Package URL',
  },
  evidence: {
    title: 'Evidence', gate: 'Gate', holds: 'holds', broken: 'does not hold', measured: 'Measured', threshold: 'Threshold', at: 'Asked', query: 'Query', samples: (n: number) => s(n, 'sample', 'samples'), noSamples: 'The answer was empty.', fault: 'Fault', facts: 'Facts', window: 'Window',
    injected: 'Injected', recovered: 'Recovered', notRecovered: 'not recovered', targets: 'Hit', cells: 'Measured cells', good: 'Good', total: 'Total', ratio: 'Ratio', plot: 'Samples over time', warnings: 'Warnings', created: 'Created', kind: 'Kind', more: (n: number) => `and ${n} more`, trial: 'Trial record', before: 'Last verified', now: 'This release', calm: 'no fault', under: 'same fault', experiment: 'Experiment', slo: 'SLO', faultWindow: 'fault',
  },
  act: {
    title: 'Actions', rollback: 'Roll back', hold: 'Hold', free: 'Free', retry: 'Retry', approve: 'Approve', reason: 'Reason', reasonHint: 'It is kept in the history for everyone to read.', required: 'Say why in a few words.', env: 'Environment', sending: 'Sending…', accepted: 'Accepted. The server acts on it now.',
    stale: 'The release has moved on since this page was read. It has been read again: check it and confirm once more.',
    ask: {
      rollback: 'Return an environment to its last verified release. The return is written to the desired-state branch first; this release is then held.',
      hold: 'Stop this release where it is until a person frees it. What is live stays live.',
      free: 'Lift the hold and let the release go on from where it stopped.',
      retry: 'Start the current phase again as a new attempt.',
      approve: 'Approve exactly this content for the environment. Any change of the content voids the approval.',
    },
    no: {
      nothingLive: 'Nothing of this release is live in any environment.', rolling: 'It is rolling back already; a roll back is never rolled back.', isHeld: 'It is held already.', ended: 'The release has ended.', notHeld: 'It is not held.',
      running: 'It is under way; there is nothing to retry.', superseded: 'A newer commit took over; retry that one.', notApproving: 'No approval is asked for now.', held: 'It is held: free it first.', done: 'It is done; there is nothing to retry.',
    },
  },
  experiments: {
    stop: 'Stop all faults', resume: 'Allow faults again', stopped: 'The kill switch is on.', askStop: 'Every active fault is reverted within seconds, and none is injected, by a trial, a schedule or a person, until somebody allows it again.',
    askResume: 'Trials and schedules go on, within their limits.', notNow: 'It would not be run now',
    victims: (n: number, of: number, cluster: string) => (cluster === '' ? 'Nothing would be hit' : `Would hit ${n} of ${s(of, 'pod', 'pods')} on ${cluster}`),
    title: 'Experiments', lead: 'Faults on purpose, within limits, always put back.', none: 'No experiments defined', noneHint: 'Add an Experiment to the platform repository.', next: 'Next run', last: 'Last verdicts', schedule: 'Schedule', onDemand: 'in trials and on demand only', run: 'Run now', abort: 'Abort', history: 'Runs', fault: 'Fault', limits: 'Limits', hypothesis: 'Hypothesis', allSlos: 'all SLOs of the service', noRuns: 'Never run yet.', trialed: 'the service on trial', askRun: 'This breaks something on purpose, within the limits shown, and puts it back.', askAbort: 'The fault is put back at once and the run counts as aborted.', trigger: { schedule: 'schedule', person: 'person', trial: 'trial' }, service: 'Service', serviceHint: 'This experiment names no service, so say which one.', busy: 'A run is under way; abort it or wait.', duration: 'Took', running: 'Running', pick: 'Show runs', selected: 'shown below', mode: 'Mode', maxTargets: (n: number) => `at most ${s(n, 'target', 'targets')}`, maxPercent: (n: number) => `at most ${n} % of the pods`, maxDuration: (x: string) => `at most ${x}`, minReady: (n: number) => `only with ${n} ready`, in: 'in', region: 'Run history', viewer: '',
  },
  clusters: { title: 'Clusters', lead: 'Where releases can go. Environments choose by labels.', none: 'No clusters known', noneHint: 'Add a Cluster to the platform repository and its kubeconfig to the credentials folder.', chaos: 'Chaos Mesh', here: 'available', absent: 'absent', state: { Ready: 'Ready', Unreachable: 'Unreachable', Unknown: 'Unknown' }, caption: 'Clusters' },
  slos: {
    title: 'SLOs', lead: 'What every gate and trial asks Prometheus for.', none: 'No SLOs known', noneHint: 'Add OpenSLO documents with the label seatrial.dev/service to the platform repository.', objective: 'Objective', window: 'Window', caption: 'Service level objectives',
    noMatch: 'No SLO matches these filters', more: 'Load more', slo: 'SLO', state: { ok: 'holds', breach: 'breached', nodata: 'no data', unasked: 'could not ask' } as Record<string, string>,
    measured: 'Good of late', burn: 'Burn', budget: 'Budget left', lasts: 'Lasts', never: 'does not run out', spent: 'nothing is left', unknown: 'not known', nowhere: 'not measured anywhere yet', busy: 'a release is under way',
    code: {
      kept: 'the objective is met', 'page-burn': 'the budget burns as fast as wakes people up', 'no-data': 'Prometheus has no such series', 'not-a-number': 'Prometheus answers no number', implausible: 'the numbers cannot be a count of events',
      'could-not-ask': 'Prometheus does not answer', 'bad-query': 'Prometheus refuses the query', 'no-target': 'it is on no cluster that was measured',
    } as Record<string, string>,
    choose: 'Cluster', course: 'Course of the budget', left: (x: string, w: string) => `${x} of the budget of ${w} is left`, plots: 'The budget through its window', burnPlot: 'Burn rate', burnLead: 'How many times faster than allowed the budget is spent; at 1× it lasts exactly the window.',
    leftPlot: 'Budget left', leftLead: 'Of the whole window that ends at each moment.', none0: 'nothing left', allowed: 'as allowed', release: 'release', refused: 'refused release', faults: 'something broken on purpose', knownShare: (x: string) => `Events are known for ${x} of the window; the rest are gaps.`,
    noPlot: 'There is nothing to draw', table: 'The same as a table', tableLead: 'Of each stretch the moment that burned most.', happened: 'Releases and faults in the window', nothingHappened: 'No release came here and nothing was broken on purpose.', leftOff: 'There are older ones that are not shown.', end: { 'under way': 'under way', verified: 'verified', refused: 'refused' } as Record<string, string>,
    queries: 'What Prometheus was asked', every: (x: string) => `Every ${x}, over twice the window: each moment’s budget is of the window before it.`, until: 'until', still: 'still broken', inTrial: 'in a release’s trial', gone: 'There is no such SLO',
  },
  consent: {
    approve: 'Approve', lead: 'You agree to exactly this experiment. Any change of it makes your approval void; whoever starts a run by hand does not count.',
    schedule: 'its schedule, instead of one run by hand', enough: 'Enough people have agreed.', nobody: (env: string) => `Nobody has to agree in ${env}.`,
    states: { counts: 'counts, until', void: 'void: the experiment has changed', expired: 'expired', used: 'used by a run', withdrawn: 'withdrawn', starter: 'starts the run', outsider: 'in none of the groups', noPerson: 'no person' },
  },
  calendar: {
    title: 'Calendar of experiments', link: 'Calendar', lead: 'What is planned to be broken, what was, and when nothing may be.', back: 'Experiments', month: 'Month', week: 'Week', view: 'View', today: 'Today', earlier: 'Earlier', later: 'Later', keys: 'Arrow keys move by day and week, Page Up and Page Down by month.',
    zone: (z: string) => `Days and times are of ${z}; what is planned tells the time of its own zone, too.`, planned: 'planned', closed: 'nothing may be broken', window: 'open', notThen: 'would be skipped', often: 'Too often to be listed', agenda: 'What happens on', free: 'Nothing is planned and nothing was run.',
    counts: (planned: number, runs: number, failed: number, frozen: string) => [planned > 0 ? `${planned} planned` : '', runs > 0 ? s(runs, 'run', 'runs') : '', failed > 0 ? `${failed} failed` : '', frozen ? `frozen in ${frozen}` : ''].filter(Boolean).join(', ') || 'nothing', frozen: (envs: string) => `frozen: ${envs}`, more: (n: number) => `${n} more`, ownZone: (x: string, z: string) => `${x} ${z}`, leftOff: 'There were more runs than are shown.', runs: 'Runs', allDay: 'all day',
  },
  runPage: {
    back: 'Experiments', timeline: 'Timeline', verdict: 'Verdict', sli: 'What users felt', sliLead: 'The share of good events in each window that was measured.', none: 'Nothing was measured.', noVerdict: 'There is no verdict yet.', calm: 'without the fault', under: 'under the fault', recovery: 'Recovered in', seconds: (n: number) => `within ${n} s`, notBack: 'did not come back', targets: 'Targets', noTargets: 'Nothing was hit.', faultFor: 'Fault lasted', took: 'Took', gone: 'There is no such run', open: 'Open the run', report: 'Report', evidence: 'Evidence',
    moment: { scheduled: 'scheduled for', started: 'began', created: 'fault created', injected: 'fault injected', recovered: 'fault put back', measuredFrom: 'measuring under the fault began', measuredTo: 'measuring under the fault ended', ended: 'ended' } as Record<string, string>,
  },
  tokens: { title: 'API tokens', lead: 'For scripts and the command line. A token is shown once.', none: 'No tokens', noneHint: 'Create one to use the command line or the API.', create: 'Create token', created: 'Token created', once: 'Copy it now: it cannot be shown again.', token: 'Token', role: 'Role', lastUsed: 'Last used', revoke: 'Revoke', askRevoke: (n: string) => `Scripts that use “${n}” stop working at once.`, caption: 'API tokens', nameHint: 'Where it is used, for example ci-shop.', roles: { viewer: 'viewer: reads', operator: 'operator: reads and acts', admin: 'admin: everything' } },
  notFound: { title: 'Not on the chart', lead: 'There is no page at this address.', home: 'To the board' },
  crash: { title: 'This page broke', lead: 'That is our mistake, not yours. The release goes on without the console.', reload: 'Reload' },
}

export type Messages = typeof en
