// How bad what an object says about itself is: its conditions, containers and events.
import type { Condition, Container } from '../api/types'
import type { Tone } from '../ui/status'

const wanted = new Set(['Ready', 'Available', 'Progressing', 'Initialized', 'ContainersReady', 'PodScheduled', 'PodReadyToStartContainers', 'Complete', 'SuccessCriteriaMet', 'Established', 'NamesAccepted', 'AbleToScale', 'ScalingActive', 'Bound', 'Synced', 'Healthy', 'Accepted', 'Programmed', 'ResolvedRefs'])
const feared = /Fail|Error|Pressure|Unavailable|Degraded|Stalled|DisruptionTarget/

/** conditionTone knows which conditions are good when they are true; of others it says nothing. */
export function conditionTone(c: Condition): Tone {
  if (wanted.has(c.type)) return c.status === 'True' ? 'good' : c.reason === 'PodCompleted' ? 'idle' : 'wait'
  return feared.test(c.type) && c.status === 'True' ? 'bad' : 'idle'
}

/** containerTone is bad where it does not come up by itself. */
export function containerTone(c: Container): Tone {
  if (c.state === 'Terminated') return c.exit === 0 ? 'idle' : 'bad'
  if (c.state === 'Waiting') return /BackOff|Err|Invalid/.test(c.reason ?? '') ? 'bad' : 'wait'
  if (c.state === 'Running') return c.ready || c.role === 'ephemeral' ? 'good' : c.role === 'init' ? 'active' : 'wait'
  return 'idle'
}
