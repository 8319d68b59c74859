// What a sync would do to each cluster, object by object, with the text of every difference.
import type { Comparison, Difference } from '../api/types'
import { useT, word } from '../i18n'
import { Icon } from '../ui/icons'
import { Failure, Loading, Note, Scroll } from '../ui/parts'
import { Status, type Tone } from '../ui/status'

interface Answer { data?: { items: Comparison[] | null }; error: unknown; isPending: boolean; refetch: () => unknown }

export function Differences({ answer, same }: { answer: Answer; same: string }) {
  if (answer.isPending) return <div className="panel-body"><Loading lines={2} /></div>
  if (!answer.data) return <div className="panel-body"><Failure error={answer.error} retry={() => void answer.refetch()} /></div>
  return <ul className="differences">{(answer.data.items ?? []).map((c) => <Cluster key={c.cluster} comparison={c} same={same} />)}</ul>
}

function Cluster({ comparison: c, same }: { comparison: Comparison; same: string }) {
  const objects = c.objects ?? []
  return (
    <li>
      <div className="row tight"><strong>{c.cluster}</strong>{!c.problem && objects.length === 0 && <Status tone="good">{same}</Status>}</div>
      {c.problem && <Note tone="wait"><span className="break">{c.problem}</span>{c.hint && <span className="quiet">{c.hint}</span>}</Note>}
      {objects.map((o) => <One key={`${o.kind} ${o.namespace ?? ''}/${o.name}`} difference={o} />)}
    </li>
  )
}

const actTone: Record<Difference['act'], Tone> = { create: 'active', change: 'wait', delete: 'bad', wait: 'held' }

function One({ difference: d }: { difference: Difference }) {
  const t = useT()
  const head = <><Status tone={actTone[d.act]}>{word(t.slot.act, d.act)}</Status><code>{d.kind}/{d.name}</code>{d.namespace && <span className="small quiet">{d.namespace}</span>}</>
  if (!d.text) return <div className="row tight difference">{head}</div>
  return (
    <details className="difference">
      <summary className="row tight"><span className="fold"><Icon name="right" size={12} /></span>{head}</summary>
      <Text label={`${d.kind}/${d.name}`} text={d.text} />
    </details>
  )
}

/** Text is a unified diff, from what is there to what is wanted. */
export function Text({ label, text }: { label: string; text: string }) {
  return <Scroll className="diff" label={label}><pre>{text.split('\n').map((line, i) => <span key={i} className={line.startsWith('+') ? 'is-new' : line.startsWith('-') ? 'is-old' : undefined}>{line}{'\n'}</span>)}</pre></Scroll>
}
