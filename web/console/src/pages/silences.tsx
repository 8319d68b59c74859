// What nobody wants to hear now: silenced with a reason and a name, until a time, or until
// somebody ends it.
import { useQueryClient } from '@tanstack/react-query'
import type { ColumnDef } from '@tanstack/react-table'
import { useCallback, useId, useMemo, useState } from 'react'
import { api } from '../api/client'
import { useMay, useSilences } from '../api/hooks'
import type { Silence } from '../api/types'
import { useT } from '../i18n'
import type { Messages } from '../i18n/en'
import { complete, labels, lengths, lengthUntil, matcher, signs, sorted, type Condition, type Label, type Sign } from '../journey/silences'
import { Confirm } from '../ui/confirm'
import { Icon } from '../ui/icons'
import { Empty, Failure, Loading, Note } from '../ui/parts'
import { DataTable } from '../ui/table'
import { Age, Moment, span, useSecond } from '../ui/time'
import { useTitle } from '../ui/title'
import '../styles/silences.css'

export function Silences() {
  const t = useT()
  const client = useQueryClient()
  const may = useMay()
  const list = useSilences()
  const now = useSecond()
  const [adding, setAdding] = useState(false)
  const [ending, setEnding] = useState<Silence | null>(null)
  const [said, setSaid] = useState('')
  useTitle(t.silences.title)
  const end = useCallback((s: Silence) => { setSaid(''); setEnding(s) }, []) // stable: the cells are kept as they are, and with them the focus
  const again = (what: string) => { setSaid(what); void client.invalidateQueries({ queryKey: ['silences'] }) }
  const { active, over } = sorted(list.data?.items ?? [], now)
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{t.silences.title}</h1><p>{t.silences.lead}</p></div>
        {may && <button type="button" className="button primary" onClick={() => { setSaid(''); setAdding(true) }}><Icon name="plus" />{t.silences.add}</button>}
      </div>
      <span className="visually-hidden" role="status">{said}</span>
      {list.error && (list.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={list.error} retry={() => void list.refetch()} />)}
      {list.isPending && <div className="panel"><Loading lines={4} /></div>}
      {list.data && <Active all={active} end={may ? end : undefined} />}
      {over.length > 0 && <Over all={over} />}
      {adding && <Add onClose={() => setAdding(false)} onDone={() => again(t.silences.added)} />}
      {ending && <End s={ending} onClose={() => setEnding(null)} onDone={() => again(t.silences.ended)} />}
    </>
  )
}

function Active({ all, end }: { all: Silence[]; end: ((s: Silence) => void) | undefined }) {
  const t = useT()
  const columns = useMemo<ColumnDef<Silence>[]>(() => [
    whatColumn(t),
    { id: 'until', header: t.silences.until, cell: ({ row: { original: s } }) => <span className="stack tight"><Moment at={s.until} /><Age className="small quiet" at={s.until} /></span> },
    ...whyColumns(t),
    ...(end ? [endColumn(t, end)] : []),
  ], [t, end])
  if (all.length === 0) return <div className="panel"><Empty title={t.silences.none} hint={t.silences.noneHint} /></div>
  return <DataTable caption={t.silences.caption} data={all} columns={columns} rowId={(s) => s.id} />
}

function endColumn(t: Messages, end: (s: Silence) => void): ColumnDef<Silence> {
  return { id: 'end', header: () => <span className="visually-hidden">{t.silences.end}</span>, meta: { className: 'end' }, cell: ({ row: { original: s } }) => <button type="button" className="button small" onClick={() => end(s)} aria-label={`${t.silences.end}${t.common.colon}${s.matchers.join(' ')}`}>{t.silences.end}</button> }
}

function Over({ all }: { all: Silence[] }) {
  const t = useT()
  const columns = useMemo<ColumnDef<Silence>[]>(() => [
    whatColumn(t),
    { id: 'over', header: t.silences.over, cell: ({ row: { original: s } }) => <span className="stack tight"><Moment at={s.until} />{s.endedBy ? <span className="small break">{t.silences.early(s.endedBy)}{s.endedFor && <><br /><span className="quiet">{s.endedFor}</span></>}</span> : <span className="small quiet">{t.silences.itself}</span>}</span> },
    ...whyColumns(t),
  ], [t])
  return (
    <details className="silences-over">
      <summary className="row tight"><span className="fold"><Icon name="right" size={12} /></span><h2>{t.silences.folded(all.length)}</h2></summary>
      <DataTable caption={t.silences.overCaption} data={all} columns={columns} rowId={(s) => s.id} />
    </details>
  )
}

function whatColumn(t: Messages): ColumnDef<Silence> {
  return { id: 'what', header: t.silences.what, meta: { head: true }, cell: ({ row: { original: s } }) => <Matchers all={s.matchers} /> }
}

function whyColumns(t: Messages): ColumnDef<Silence>[] {
  return [
    { id: 'why', header: t.common.reason, cell: ({ row: { original: s } }) => <p className="silence-why break">{s.reason}</p> },
    { id: 'by', header: t.silences.by, cell: ({ row: { original: s } }) => <span className="stack tight nowrap"><span>{s.by}</span><Age className="small quiet" at={s.from} /></span> },
  ]
}

function Matchers({ all }: { all: string[] }) {
  return <span className="row tight">{all.map((m) => <code key={m} className="tag break">{m}</code>)}</span>
}

function End({ s, onClose, onDone }: { s: Silence; onClose: () => void; onDone: () => void }) {
  const t = useT()
  return (
    <Confirm title={t.silences.askEnd} lead={t.silences.endLead} verb={t.silences.end} most={400} send={(reason, key) => api.endSilence(s.id, { reason }, { key })} onDone={onDone} onStale={onDone} onClose={onClose}>
      <Matchers all={s.matchers} />
    </Confirm>
  )
}

const first: Condition = { label: 'service', sign: '=', value: '' }

function Add({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const t = useT()
  const now = useSecond()
  const [conditions, setConditions] = useState<Condition[]>([first])
  const [length, setLength] = useState('7200') // seconds, or "until"
  const [until, setUntil] = useState('')
  const seconds = length === 'until' ? lengthUntil(until, now) : Number(length)
  const send = (reason: string, key: string) => {
    const left = length === 'until' ? lengthUntil(until, Date.now()) : seconds
    return api.addSilence({ matchers: conditions.map(matcher), for: `${left ?? 0}s`, reason }, { key })
  }
  const ready = complete(conditions) && seconds !== undefined
  return (
    <Confirm title={t.silences.add} lead={t.silences.addLead} verb={t.silences.confirm} most={400} ready={ready} send={send} onDone={onDone} onClose={onClose}>
      <Conditions all={conditions} onChange={setConditions} />
      <Length length={length} until={until} wrong={until !== '' && seconds === undefined} onLength={setLength} onUntil={setUntil} />
      <p className="note wait silence-sum"><Icon name="pause" /><span>{ready ? <>{t.silences.sum} <Matchers all={conditions.map(matcher)} /> {length === 'until' ? <>{t.silences.sumUntil} <Moment at={new Date(until).toISOString()} /></> : t.silences.sumFor(span(seconds * 1000, t.time))}</> : t.silences.unready}</span></p>
    </Confirm>
  )
}

function Conditions({ all, onChange }: { all: Condition[]; onChange: (all: Condition[]) => void }) {
  const t = useT()
  const id = useId()
  const set = (i: number, part: Partial<Condition>) => onChange(all.map((c, j) => (i === j ? { ...c, ...part } : c)))
  return (
    <fieldset className="stack tight silence-what">
      <legend className="label">{t.silences.what}</legend>
      {all.map((c, i) => (
        <div key={i} className="silence-condition" role="group" aria-label={t.silences.condition(i + 1)}>
          <select className="select" aria-label={t.silences.label} value={c.label} onChange={(e) => set(i, { label: e.target.value as Label })}>{labels.map((l) => <option key={l} value={l}>{t.silences.labels[l]}</option>)}</select>
          <select className="select" aria-label={t.silences.sign} value={c.sign} onChange={(e) => set(i, { sign: e.target.value as Sign })}>{signs.map((x) => <option key={x} value={x}>{t.silences.signs[x]}</option>)}</select>
          <input className="input" aria-label={t.common.value} placeholder={t.silences.like[c.label]} aria-describedby={`${id}-hint`} required maxLength={400} value={c.value} onChange={(e) => set(i, { value: e.target.value })} spellCheck={false} autoCapitalize="off" autoComplete="off" />
          {all.length > 1 && <button type="button" className="button small plain" aria-label={t.silences.remove(i + 1)} onClick={() => onChange(all.filter((_, j) => j !== i))}><Icon name="cross" /></button>}
        </div>
      ))}
      <p id={`${id}-hint`} className="small quiet">{t.silences.whatHint}</p>
      {all.length < 20 && <p><button type="button" className="button small" onClick={() => onChange([...all, { ...first, label: labels[all.length % labels.length] ?? 'service' }])}><Icon name="plus" />{t.silences.another}</button></p>}
    </fieldset>
  )
}

function Length({ length, until, wrong, onLength, onUntil }: { length: string; until: string; wrong: boolean; onLength: (v: string) => void; onUntil: (v: string) => void }) {
  const t = useT()
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{t.silences.length}</label>
      <div className="row tight">
        <select id={id} className="select silence-length" value={length} onChange={(e) => onLength(e.target.value)}>
          {lengths.map((s) => <option key={s} value={s}>{span(s * 1000, t.time)}</option>)}
          <option value="until">{t.silences.untilTime}</option>
        </select>
        {length === 'until' && <input className="input silence-length" type="datetime-local" aria-label={t.silences.until} aria-invalid={wrong} aria-describedby={`${id}-hint`} required value={until} onChange={(e) => onUntil(e.target.value)} />}
      </div>
      <p id={`${id}-hint`} className={wrong ? 'error' : 'small quiet'}>{t.silences.most}</p>
    </div>
  )
}
