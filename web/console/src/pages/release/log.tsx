// The build log: followed live, searched, grouped by step, drawn only where it is seen.
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useLog, useOlder } from '../../api/hooks'
import { byStep, cut, matching, maxLines, mostOlder, withOlder, type Log } from '../../api/log'
import type { LogLine, Release } from '../../api/types'
import { useT } from '../../i18n'
import { Icon } from '../../ui/icons'
import { Failure, Loading, Scroll } from '../../ui/parts'
import { SearchField } from '../../ui/search'
import { Status } from '../../ui/status'
import { Clock } from '../../ui/time'

type Row = { kind: 'step'; name: string; count: number; open: boolean } | { kind: 'line'; line: LogLine }

/** rowsOf is what is drawn: steps with their lines, or lines alone; folded steps keep their heading. */
function rowsOf(lines: readonly LogLine[], grouped: boolean, folded: ReadonlySet<string>): Row[] {
  if (!grouped) return lines.map((line) => ({ kind: 'line', line }))
  const rows: Row[] = []
  for (const step of byStep(lines)) {
    const open = !folded.has(step.name)
    rows.push({ kind: 'step', name: step.name, count: step.lines.length, open })
    if (open) for (const line of step.lines) rows.push({ kind: 'line', line })
  }
  return rows
}

interface Only { step: string; onAll: () => void }

/** LogPanel shows the log; with only it shows one step's part, opened at once. */
export function LogPanel({ r, only }: { r: Release; only?: Only }) {
  const t = useT()
  const building = r.phase === 'Building'
  const interesting = building || (r.phase === 'Failed' && !r.artifact)
  const [open, setOpen] = useState(interesting || only !== undefined)
  const [seen, setSeen] = useState(only?.step)
  if (seen !== only?.step) { setSeen(only?.step); if (only) setOpen(true) }
  const log = useLog(r.id, open)
  const { refetch } = log
  // The phase has left Building: ask once more, so that the end of the log is seen.
  useEffect(() => { if (open && !building) void refetch() }, [open, building, refetch])
  return (
    <section className="panel" aria-labelledby="log">
      <div className="panel-head">
        <h2 id="log">{t.release.log}</h2>
        {log.data && <span className="small quiet num">{t.log.lines(log.data.lines.length)}</span>}
        {log.data && (log.data.done ? <Status tone="idle" icon="dash">{t.log.done}</Status> : building && <Status tone="active">{t.log.live}</Status>)}
        <button type="button" className="button small end" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? t.common.hide : t.common.show}</button>
      </div>
      {open && (log.data ? <LogView id={r.id} log={log.data} live={building} only={only} /> : log.error ? <div className="panel-body"><Failure error={log.error} retry={() => void log.refetch()} /></div> : <Loading lines={5} />)}
    </section>
  )
}

function LogView({ id, log, live, only }: { id: string; log: Log; live: boolean; only?: Only }) {
  const t = useT()
  const [needle, setNeedle] = useState('')
  const [grouped, setGrouped] = useState(true)
  const [follow, setFollow] = useState(live)
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set())
  const step = only?.step
  const [shown, setShown] = useState<Shown>()
  const first = log.lines[0]?.n ?? 0
  const older = useOlder(id, needle, first)
  const found = useMemo(() => {
    const all = withOlder(older.data ?? [], matching(log.lines, needle), first)
    return step === undefined ? all : all.filter((l) => l.step === step)
  }, [log.lines, needle, step, older.data, first])
  const rows = useMemo(() => rowsOf(found, grouped, folded), [found, grouped, folded])
  const show = (line: LogLine) => {
    setNeedle('')
    setFollow(false)
    setFolded((old) => new Set([...old].filter((name) => name !== line.step)))
    setShown({ n: line.n })
  }
  const fold = (name: string) => setFolded((old) => {
    const next = new Set(old)
    if (!next.delete(name)) next.add(name)
    return next
  })
  return (
    <>
      <div className="log-tools">
        <SearchField label={t.log.search} hideLabel value={needle} onChange={setNeedle} />
        {needle !== '' && <span className="small quiet num" role="status">{t.log.matches(found.length)}</span>}
        {needle !== '' && first > 0 && <Older query={older} />}
        <label className="row tight small"><input type="checkbox" checked={grouped} onChange={(e) => setGrouped(e.target.checked)} />{t.log.group}</label>
        <label className="row tight small"><input type="checkbox" checked={follow} onChange={(e) => setFollow(e.target.checked)} />{t.log.follow}</label>
        {only && <button type="button" className="button small" onClick={only.onAll}>{t.log.all}</button>}
        {log.lines.length >= maxLines && <span className="small quiet">{t.log.capped}</span>}
      </div>
      {rows.length === 0 ? <p className="panel-body quiet">{needle === '' ? t.log.empty : t.log.noMatch}</p> : <Lines rows={rows} needle={needle} first={first} shown={shown} follow={follow} onFollow={setFollow} onFold={fold} onShow={show} />}
    </>
  )
}

/** Older says how far the search among the lines is that this tab no longer keeps. */
function Older({ query }: { query: ReturnType<typeof useOlder> }) {
  const t = useT()
  if (query.isFetching) return <span className="small quiet" role="status">{t.log.older}</span>
  if (query.error) return <span className="small" role="alert">{t.log.olderFailed} <button type="button" className="button small" onClick={() => void query.refetch()}>{t.common.retry}</button></span>
  return query.data !== undefined && query.data.length >= mostOlder ? <span className="small quiet">{t.log.olderMost(mostOlder)}</span> : null
}

/** Shown is a line that somebody wants to see among the others; asked again, it is another object. */
interface Shown { n: number }

interface LinesProps {
  rows: Row[]; needle: string; first: number; shown: Shown | undefined; follow: boolean
  onFollow: (on: boolean) => void; onFold: (name: string) => void; onShow: (line: LogLine) => void
}

function Lines({ rows, needle, first, shown, follow, onFollow, onFold, onShow }: LinesProps) {
  const t = useT()
  const box = useRef<HTMLDivElement>(null)
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer is used in this component only, which is not memoised
  const list = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: (i) => (rows[i]?.kind === 'step' ? 28 : 20), overscan: 16 })
  const count = rows.length
  useEffect(() => { if (follow && count > 0) list.scrollToIndex(count - 1, { align: 'end' }) }, [follow, count, list])
  const seen = useRef<Shown>(undefined)
  useEffect(() => {
    if (shown === undefined || shown === seen.current || needle !== '') return
    const at = rows.findIndex((row) => row.kind === 'line' && row.line.n === shown.n)
    if (at < 0) return
    seen.current = shown
    list.scrollToIndex(at, { align: 'center' })
    box.current?.focus() // what was clicked is gone
  }, [shown, needle, rows, list])
  const onWheel = (e: React.WheelEvent) => { if (follow && e.deltaY < 0) onFollow(false) }
  return (
    <Scroll ref={box} className="log" role="region" label={t.log.region} onWheel={onWheel}>
      <div className="log-sheet" style={{ height: list.getTotalSize() }}>
        {list.getVirtualItems().map((item) => {
          const row = rows[item.index]
          return row && (
            <div key={item.key} className="log-row" style={{ transform: `translateY(${item.start}px)` }}>
              {row.kind === 'step' ? <StepRow row={row} onFold={onFold} /> : <LineRow line={row.line} needle={needle} here={row.line.n === shown?.n} onShow={needle !== '' && row.line.n >= first ? onShow : undefined} />}
            </div>
          )
        })}
      </div>
    </Scroll>
  )
}

function StepRow({ row, onFold }: { row: Row & { kind: 'step' }; onFold: (name: string) => void }) {
  const t = useT()
  const name = row.name || t.log.general
  return (
    <button type="button" className="log-step" aria-expanded={row.open} onClick={() => onFold(row.name)}>
      <Icon name={row.open ? 'down' : 'right'} size={11} /><span className="clip">{name}</span><span className="quiet num">{row.count}</span>
    </button>
  )
}

function LineRow({ line, needle, here, onShow }: { line: LogLine; needle: string; here: boolean; onShow: ((line: LogLine) => void) | undefined }) {
  const t = useT()
  return (
    <div className={`log-line is-${line.stream}${here ? ' is-here' : ''}`}>
      {onShow ? <button type="button" className="log-n log-show num" aria-label={t.log.show(line.n + 1)} title={t.log.show(line.n + 1)} onClick={() => onShow(line)}>{line.n + 1}</button> : <span className="log-n num">{line.n + 1}</span>}
      <span className="log-at"><Clock at={line.at} /></span>
      <span className="log-text">{needle === '' ? line.text : cut(line.text, needle).map((part, i) => (i % 2 === 1 ? <mark key={i}>{part}</mark> : part))}</span>
    </div>
  )
}
