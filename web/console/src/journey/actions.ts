// What a person may do with a release now, and why not. The server decides; this only
// saves a person from asking in vain.
import type { Release } from '../api/types'
import type { Messages } from '../i18n/en'

export type ActionName = 'approve' | 'rollback' | 'hold' | 'free' | 'retry'
export const actionNames: readonly ActionName[] = ['approve', 'retry', 'free', 'hold', 'rollback']

/** why says why an action cannot be used; undefined means that it can. */
export function why(action: ActionName, r: Release, no: Messages['act']['no']): string | undefined {
  const ended = r.phase === 'Done' || r.phase === 'RolledBack' || r.phase === 'Failed' || r.phase === 'Held' || r.phase === 'Superseded'
  switch (action) {
    case 'approve':
      if (r.phase !== 'Approving') return no.notApproving
      return r.hold ? no.held : undefined
    case 'hold':
      if (r.hold) return no.isHeld
      return ended ? no.ended : undefined
    case 'free':
      return r.hold ? undefined : no.notHeld
    case 'retry':
      if (r.phase === 'Done') return no.done
      return ended ? undefined : no.running
    case 'rollback':
      if (r.phase === 'RollingBack' || r.phase === 'RolledBack') return no.rolling
      return liveEnvironments(r).length === 0 ? no.nothingLive : undefined
  }
}

/** liveEnvironments are where something of the release is live and could be returned; the latest first. */
export function liveEnvironments(r: Release): string[] {
  return (r.stages ?? []).filter((s) => s.live).map((s) => s.env).reverse()
}
