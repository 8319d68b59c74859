// A state is always an icon, a word and a colour together.
import type { Health, Outcome, Phase, RunState } from '../api/types'
import { useT, word } from '../i18n'
import { Icon, type IconName } from './icons'

export type Tone = 'good' | 'active' | 'wait' | 'bad' | 'back' | 'held' | 'idle'

const icons: Record<Tone, IconName> = { good: 'check', active: 'route', wait: 'clock', bad: 'cross', back: 'back', held: 'pause', idle: 'ring' }

interface StatusProps { tone: Tone; children: string; icon?: IconName; badge?: boolean; big?: boolean; title?: string }

export function Status({ tone, children, icon, badge, big, title }: StatusProps) {
  const sign = icon ?? icons[tone]
  return (
    <span className={`status ${tone}${badge ? ' badge' : ''}${big ? ' big' : ''}`} title={title}>
      <Icon name={sign} className={sign === 'route' ? 'turning' : undefined} />
      {children}
    </span>
  )
}

const phaseTone: Record<Phase, Tone> = {
  Unknown: 'idle', Building: 'active', Signing: 'active', Checking: 'active', Approving: 'wait', Deploying: 'active', Trial: 'active',
  Verified: 'good', Done: 'good', RollingBack: 'back', RolledBack: 'back', Failed: 'bad', Held: 'held', Superseded: 'idle',
}

export function toneOf(phase: Phase): Tone { return phaseTone[phase] ?? 'idle' }

export function PhaseStatus({ phase, held, badge = true, big }: { phase: Phase; held?: boolean; badge?: boolean; big?: boolean }) {
  const t = useT()
  const stopped = held === true && phase !== 'Held' && phase !== 'RolledBack'
  return (
    <span className="row tight">
      <Status tone={toneOf(phase)} badge={badge} big={big}>{word(t.phase, phase)}</Status>
      {stopped && <Status tone="held" badge={badge} big={big}>{t.board.hold}</Status>}
    </span>
  )
}

const healthTone: Record<Health, Tone> = { Healthy: 'good', Progressing: 'active', Degraded: 'bad', Unknown: 'idle' }

export function HealthStatus({ health }: { health: Health }) {
  const t = useT()
  return <Status tone={healthTone[health] ?? 'idle'} icon={health === 'Unknown' ? 'question' : undefined}>{word(t.health, health)}</Status>
}

const targetTone: Record<string, Tone> = {
  Pending: 'idle', Syncing: 'active', Progressing: 'active', Healthy: 'good', Degraded: 'bad', Unreachable: 'wait', Quarantined: 'wait', Left: 'idle', RolledBack: 'back', Synced: 'active', Refused: 'bad',
}

export function TargetStatus({ state }: { state: string }) {
  const t = useT()
  return <Status tone={targetTone[state] ?? 'idle'} icon={state === 'Unreachable' || state === 'Quarantined' ? 'nosignal' : undefined}>{word(t.target, state)}</Status>
}

const outcomeTone: Record<Outcome, Tone> = { Pass: 'good', Wait: 'wait', Refuse: 'bad', Inconclusive: 'held', Unknown: 'idle' }

export function OutcomeStatus({ outcome }: { outcome: Outcome }) {
  const t = useT()
  return <Status tone={outcomeTone[outcome] ?? 'idle'} icon={outcome === 'Inconclusive' ? 'question' : undefined} badge>{word(t.outcome, outcome)}</Status>
}

const runTone: Record<RunState, Tone> = {
  Planned: 'idle', Injecting: 'active', Measuring: 'active', Reverting: 'back', Passed: 'good', Failed: 'bad', Invalid: 'wait', Aborted: 'held',
}

export function RunStatus({ state, badge = true }: { state: RunState; badge?: boolean }) {
  const t = useT()
  return <Status tone={runTone[state] ?? 'idle'} icon={state === 'Invalid' ? 'question' : undefined} badge={badge}>{word(t.run, state)}</Status>
}
