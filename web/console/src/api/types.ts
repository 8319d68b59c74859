// The JSON of package release and of the HTTP API, word for word. Times are RFC 3339
// strings; a missing field says nothing.

export type Phase =
  | 'Unknown' | 'Building' | 'Signing' | 'Checking' | 'Approving' | 'Deploying' | 'Trial' | 'Verified'
  | 'Done' | 'RollingBack' | 'RolledBack' | 'Failed' | 'Held' | 'Superseded'

export const phases: readonly Phase[] = [
  'Building', 'Signing', 'Checking', 'Approving', 'Deploying', 'Trial', 'Verified', 'Done',
  'RollingBack', 'RolledBack', 'Failed', 'Held', 'Superseded',
]

export type Step = '' | 'sync' | 'health' | 'slo'
export type Outcome = 'Unknown' | 'Pass' | 'Wait' | 'Refuse' | 'Inconclusive'
export type Health = 'Healthy' | 'Progressing' | 'Degraded' | 'Unknown'
export type Role = string // "viewer" reads only

export interface Hold { by: string; reason: string; at: string }

export interface Platform { name: string; digest: string }
export interface Attached { subject: string; predicateType: string; digest: string }
export interface Artifact {
  repository: string; tag: string; digest: string; platforms: Platform[] | null; built: string; signed?: Attached[]
}

export interface Sample { labels?: Record<string, string>; time: string; value: number }
export interface Query { name: string; expr: string; at: string; samples: Sample[] | null; warnings?: string[] }
export interface FaultRecord {
  experiment: string; kind: string; action: string; name: string; namespace: string; cluster: string
  targets?: string[]; created?: string; injected?: string; recovered?: string; message?: string
}
export interface Evidence {
  gate: string; claim: string; holds: boolean; cluster?: string; revision?: string; from?: string; to?: string
  detail?: string; measured?: number; threshold?: number; facts?: Record<string, string>; queries?: Query[]; fault?: FaultRecord
}
export interface Verdict { outcome: Outcome; code?: string; reason?: string; hint?: string; after?: string; evidence?: Evidence[] }
export interface Judgement { gate: string; env?: string; wave?: string; shift?: string; at: string; verdict: Verdict }

export interface Ratio { good: number; total: number }
export interface Trial {
  experiment: number; step: string; attempt: number; fault?: FaultRecord; since?: string
  cells?: Record<string, Ratio>; evidence?: Evidence[]; score?: number // 0 to 100
}
export interface Target {
  cluster: string; state: string; revision?: string; shift?: string; message?: string; synced?: string; healthy?: string; away?: string
}
/** Shift is one step from the old side to the new one inside the clusters of a wave; the last has no name. */
export interface Shift { name?: string; weight?: number }
export interface Wave { name: string; targets: Target[] | null; shifts?: Shift[]; started?: string; passed?: string; trial?: boolean }
export interface Placed {
  release: string; commit: string; desired: string; image: string; manifests: string; at: string; trial?: Trial
}
export interface Stage {
  env: string; manifests?: string; desired?: string; previous?: Placed; live: boolean; waves?: Wave[]; trial?: Trial
  started?: string; verified?: string; refused?: string; returned?: string; return?: string
}
export interface Transition {
  from: Phase; to: Phase; env?: string; wave?: string; shift?: string; step?: Step; at: string; by: string; reason?: string
}

/** Pull is the pull request that a release builds: nothing of it is signed, kept or deployed. */
export interface Pull { number: number; author: string; base: string; fork?: boolean; pipeline?: string }

export interface Release {
  id: string; service: string; project: string; repo: string; ref: string; commit: string; message: string
  author: string; pusher?: string; origin: Origin; pull?: Pull; set?: string; created: string; updated: string; version: number
  phase: Phase; stage: number; wave: number; shift?: number; step?: Step; attempt: number; tries: number
  reason?: string; hint?: string; due?: string; hold?: Hold
  artifact?: Artifact; stages: Stage[] | null; verdicts?: Judgement[]; history?: Transition[]
}

export type Origin = 'push' | 'desired-state' | 'pull-request'

/** Plan is what a run of an experiment would hit now. */
export interface Plan { experiment: string; cluster?: string; matching: string[]; targets: string[]; refused?: string; code?: string; hint?: string }

/** Consents is who has agreed to an experiment as it is now. */
export interface Consents { required: number; groups: string[]; digest: string; verdict: Verdict; said: Said[] }
export type ConsentState = 'counts' | 'void' | 'expired' | 'used' | 'withdrawn' | 'starter' | 'outsider' | 'noPerson'
export interface Said { by: string; at: string; until: string; state: ConsentState; reason?: string }

/** Stop is the kill switch. */
export interface Stop { stopped: boolean; why?: string }

export interface ReleaseSummary {
  id: string; service: string; commit: string; message: string; author: string; origin?: Origin; pull?: Pull; phase: Phase
  env?: string; wave?: string | number; step?: Step; reason?: string; hint?: string
  created: string; updated: string; version: number; hold?: Hold
}

export interface Slot {
  service: string; env: string; version: number; occupant?: string; current?: Placed; verified?: Placed[]
  targets?: Record<string, string>; hold?: Hold
}

export interface BoardTarget { cluster: string; revision?: string; state?: string; message?: string }
export interface BoardSlot {
  env: string; current?: Placed; occupant?: string; releasing?: ReleaseSummary; hold?: Hold; health?: Health
  targets?: BoardTarget[] | null
}
export interface BoardService { service: string; project?: string; latest?: ReleaseSummary; slots: BoardSlot[] | null }
export interface BoardWave { name: string; clusters?: string[] | null }
export interface BoardEnvironment { name: string; after?: string; waves?: BoardWave[] | null }
export interface Board { environments: BoardEnvironment[] | null; services: BoardService[] | null; revision: number }

export interface Page<T> { items: T[] | null; next?: string }

export interface LogLine { n: number; at: string; step: string; stream: string; text: string }
export interface LogPage { lines: LogLine[] | null; next: number; done: boolean }
export interface LogMatches { lines: LogLine[] | null; after?: number }

export interface BuildStep {
  name: string; platform?: string; started?: string; finished?: string; cached: boolean; error?: string; logBytes: number
}
export interface BuildChange { name: string; before?: string; after?: string }
export interface BuildDocument {
  subject: string; platform?: string; predicateType: string; digest: string; key?: string; verified: boolean; at?: string; detail?: string
}
export interface Build {
  release: string; id: string; ranFor: string; failed?: string; why?: string; unchanged: boolean; changed: BuildChange[] | null
  inputs: { name: string; value: string }[] | null; image?: string; tag?: string; platforms: Platform[] | null
  bases: { name: string; digest: string }[] | null; committed?: string; started?: string; finished?: string; buildkit?: string
  plan?: unknown; steps: BuildStep[] | null; leftOut?: number; attached: BuildDocument[] | null
}
export interface Component { name: string; version?: string; purl?: string; type: string; licences: string[] | null }
export interface Components { platform: Platform; items: Component[] | null; total: number; matches: number; next?: number }

export type RunState =
  | 'Planned' | 'Injecting' | 'Measuring' | 'Reverting' | 'Passed' | 'Failed' | 'Invalid' | 'Aborted'
export interface Run {
  id: string; experiment: string; service: string; env: string; cluster: string; trigger: 'schedule' | 'person' | 'trial'
  by?: string; state: RunState; scheduled?: string; started?: string; ended?: string; fault?: FaultRecord; verdict?: Verdict; message?: string
}
export interface Fault {
  kind: string; action: string; mode?: string; value?: string; selector: { matchLabels: Record<string, string> | null }
  namespace: string; container?: string; duration?: string
}
export interface Limits { maxTargets?: number; maxPercent?: number; maxDuration?: string; minReady?: number }
export interface ExperimentSpec {
  service?: string; fault: Fault; limits?: Limits; hypothesis?: string[]; observe?: string
  schedule?: { cron: string; timeZone?: string; environments: string[] | null }
}
export interface Experiment { name: string; spec: ExperimentSpec; next?: string; running?: Run; last: Run[] | null }

export interface Cluster {
  name: string; labels?: Record<string, string>; state: 'Ready' | 'Unreachable' | 'Unknown'; message?: string; chaos?: boolean
}
/** Place is one service in one environment: what is verified there, where it is, and what it could return to. */
export interface Place {
  service: string; env: string; current?: Placed; occupant?: string; hold?: Hold; kept: Placed[] | null
  waves: { name: string; targets: PlaceTarget[] | null }[] | null; left?: PlaceTarget[]
}
export interface PlaceTarget { cluster: string; state: string; revision?: string; variant?: string; message?: string }
/** Comparison is how a cluster differs from a revision: from what is there to what is wanted. */
export interface Comparison { cluster: string; revision: string; objects: Difference[] | null; problem?: string; hint?: string }
export interface Difference { kind: string; namespace?: string; name: string; act: 'create' | 'change' | 'delete' | 'wait'; text?: string }
/** Tree is what a service has on a cluster; each object is below the last one before it that is less deep. */
export interface Tree { cluster: string; revision: string; items: Resource[] | null; left: number; problem?: string; hint?: string }
export interface Resource {
  depth: number; group?: string; kind: string; namespace?: string; name: string
  state?: 'Synced' | 'Drifted' | 'Missing' | 'Prune' | 'Waiting'; health?: string; message?: string; created?: string
}
/** ObjectState is what explains the state of an object of a tree. */
export interface ObjectState {
  phase?: string; reason?: string; message?: string; deleting?: string; finalizers?: string[]
  conditions: Condition[] | null; containers?: Container[]; events: ObjectEvent[] | null; left: number; problem?: string; hint?: string
}
export interface Condition { type: string; status: string; reason?: string; message?: string; since?: string }
export interface Container {
  role: 'init' | 'sidecar' | 'main' | 'ephemeral'; name: string; state?: string; reason?: string; message?: string; exit?: number; since?: string
  ready: boolean; restarts: number; last?: { exit: number; signal?: number; reason?: string; message?: string; at?: string }
}
export interface ObjectEvent { type: string; reason: string; message?: string; from?: string; count: number; first?: string; last?: string }
/** Standing is an objective on one cluster; what is left out is not known. */
export interface Standing {
  cluster: string; env: string; state: StandingState; code: string; problem?: string; busy?: boolean
  measured?: number; burn?: number; remaining?: number; exhausted?: number; at?: string
}
export type StandingState = 'ok' | 'ticket' | 'breach' | 'nodata' | 'unasked'
export interface Objective { name: string; title: string; service: string; objective: number; window: string; clusters: Standing[] | null }
/** Course is the way of an objective's budget on one cluster; without points it says why. */
export interface Course extends Objective {
  description?: string; cluster?: string; from?: string; to?: string; step?: number; points: CoursePoint[] | null; known: number
  queries: { name: string; expr: string }[] | null; code?: string; problem?: string; hint?: string
  releases: CourseMark[] | null; faults: CourseShade[] | null; leftOff?: boolean
}
export interface CoursePoint { at: string; burn?: number; remaining?: number }
export interface CourseMark { at: string; release: string; commit: string; message?: string; end: 'under way' | 'verified' | 'refused' }
export interface CourseShade { from: string; to?: string; experiment: string; kind: string; run?: string }

/** Calendar is when things are broken on purpose, and when they may not be. */
export interface Calendar {
  from: string; to: string; planned: Planned[] | null; often: Often[] | null; closed: Span[] | null; open: Span[] | null
  runs: Entry[] | null; leftOff?: boolean; stopped?: string
}
export interface Planned { at: string; timeZone: string; experiment: string; service: string; env: string; closed?: string }
export interface Often { experiment: string; service: string; env: string; cron: string; timeZone: string }
export interface Span { env: string; from: string; to: string; reason?: string }
export interface Entry {
  id: string; experiment: string; service: string; env: string; cluster?: string; trigger: Run['trigger']; state: RunState
  started: string; ended?: string; reason?: string
}

export interface Session { user: string; role: Role; version?: string; csrf?: string }
export interface Token { id: string; name: string; role: Role; by?: string; created: string; lastUsed?: string }
export interface NewToken { id: string; name: string; token: string }

/** Silence holds messages back until it ends; endedBy: somebody ended it early. */
export interface Silence { id: string; matchers: string[]; from: string; until: string; by: string; reason: string; endedBy?: string; endedFor?: string }

export interface Problem { type?: string; title: string; status: number; detail?: string; hint?: string; errors?: { location?: string; message: string }[] | null }
