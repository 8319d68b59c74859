import { useT } from '../../i18n'
import type { WaypointState } from '../../journey/journey'
import type { IconName } from '../../ui/icons'
import { Status, type Tone } from '../../ui/status'

const looks: Record<WaypointState, { tone: Tone; icon?: IconName }> = {
  done: { tone: 'good' }, active: { tone: 'active' }, waiting: { tone: 'wait' }, ahead: { tone: 'idle' }, refused: { tone: 'bad' },
  held: { tone: 'held' }, skipped: { tone: 'idle', icon: 'dash' }, returned: { tone: 'back' },
}

export function WaypointStatus({ state }: { state: WaypointState }) {
  const t = useT()
  return <Status tone={looks[state].tone} icon={looks[state].icon}>{t.node[state]}</Status>
}
