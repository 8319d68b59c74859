// The calendar of experiments: what is planned to be broken, what was, and when nothing may be.
// A month is a grid to move in, with one day's happenings below; a week shows every day's.
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, type KeyboardEvent } from 'react'
import { useCalendar } from '../api/hooks'
import type { Calendar, Entry, Planned, Span } from '../api/types'
import { useI18n, useT } from '../i18n'
import { days, dayOf, idOf, ownTime, range, shift, step, type Day, type View } from '../journey/calendar'
import { Icon } from '../ui/icons'
import { Failure, Loading, Note } from '../ui/parts'
import { RunStatus, Status } from '../ui/status'
import { Clock } from '../ui/time'
import { useTitle } from '../ui/title'
import '../styles/calendar.css'

const shownInCell = 3
const here = () => Intl.DateTimeFormat().resolvedOptions().timeZone

export function CalendarPage() {
  const t = useT()
  const search = useSearch({ from: '/shell/experiments/calendar' })
  const view: View = search.view ?? 'month'
  const day = search.day ?? idOf(new Date())
  const { from, to } = range(day, view)
  const calendar = useCalendar(from.toISOString(), to.toISOString())
  useTitle(t.calendar.title)
  const all = days(day, view, calendar.data)
  return (
    <>
      <div className="page-head">
        <div className="grow stack tight">
          <p className="row tight small"><Link to="/experiments">{t.calendar.back}</Link></p>
          <h1>{t.calendar.title}</h1><p>{t.calendar.lead}</p>
        </div>
      </div>
      <Bar view={view} day={day} />
      {calendar.error && (calendar.data ? <Note tone="wait" icon="nosignal">{t.common.stale}</Note> : <Failure error={calendar.error} retry={() => void calendar.refetch()} />)}
      {calendar.data?.stopped && <Note tone="bad">{t.experiments.stopped} {calendar.data.stopped.replace(/^the kill switch is on( \([^)]*\))?:? ?/, '')}</Note>}
      {calendar.isPending && <div className="panel"><Loading lines={10} /></div>}
      {calendar.data && (view === 'month' ? <Month all={all} day={day} /> : <Week all={all} />)}
      {calendar.data && <Rest c={calendar.data} />}
    </>
  )
}

function useGo() {
  const navigate = useNavigate({ from: '/experiments/calendar' })
  return (change: { day?: string; view?: View }) => void navigate({
    search: (old) => ({ day: change.day ?? old.day, view: (change.view ?? old.view) === 'week' ? 'week' as const : undefined }), replace: true, resetScroll: false,
  })
}

function Bar({ view, day }: { view: View; day: string }) {
  const { t, locale } = useI18n()
  const go = useGo()
  const { from, to } = range(day, view)
  const title = view === 'month'
    ? dayOf(day).toLocaleDateString(locale, { month: 'long', year: 'numeric' })
    : new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' }).formatRange(from, new Date(to.getTime() - 43_200_000))
  return (
    <div className="row calendar-bar">
      <button type="button" className="button small" onClick={() => go({ day: shift(day, -1, view) })}><Icon name="left" size={12} /><span className="visually-hidden">{t.calendar.earlier}</span></button>
      <button type="button" className="button small" onClick={() => go({ day: idOf(new Date()) })}>{t.calendar.today}</button>
      <button type="button" className="button small" onClick={() => go({ day: shift(day, 1, view) })}><Icon name="right" size={12} /><span className="visually-hidden">{t.calendar.later}</span></button>
      <h2 className="grow" aria-live="polite">{title}</h2>
      <div className="tabs" role="group" aria-label={t.calendar.view}>
        {(['month', 'week'] as const).map((v) => <button key={v} type="button" aria-pressed={view === v} data-state={view === v ? 'active' : undefined} onClick={() => go({ view: v })}>{t.calendar[v]}</button>)}
      </div>
    </div>
  )
}

function Month({ all, day }: { all: Day[]; day: string }) {
  const { t, locale } = useI18n()
  const go = useGo()
  const grid = useRef<HTMLTableElement>(null)
  const moved = useRef(false)
  useEffect(() => {
    if (!moved.current) return
    moved.current = false
    grid.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus()
  }, [day, all])
  const onKey = (e: KeyboardEvent) => {
    const next = step(day, e.key)
    if (next === null || e.altKey || e.ctrlKey || e.metaKey) return
    e.preventDefault()
    moved.current = true
    go({ day: next })
  }
  const weeks = Array.from({ length: all.length / 7 }, (_, i) => all.slice(i * 7, i * 7 + 7))
  const chosen = all.find((d) => d.id === day)
  return (
    <>
      <div className="panel">
        <table className="calendar" role="grid" ref={grid} aria-label={t.calendar.title} onKeyDown={onKey}>
          <thead><tr>{all.slice(0, 7).map((d) => <th key={d.id} scope="col" abbr={d.start.toLocaleDateString(locale, { weekday: 'long' })}>{d.start.toLocaleDateString(locale, { weekday: 'short' })}</th>)}</tr></thead>
          <tbody>{weeks.map((w) => <tr key={w[0]?.id}>{w.map((d) => <Cell key={d.id} d={d} chosen={d.id === day} onChoose={() => { moved.current = true; go({ day: d.id }) }} />)}</tr>)}</tbody>
        </table>
      </div>
      <p className="small quiet">{t.calendar.keys} {t.calendar.zone(here())}</p>
      {chosen && <section className="panel" aria-labelledby="agenda"><div className="panel-head"><h2 id="agenda">{t.calendar.agenda} {chosen.start.toLocaleDateString(locale, { weekday: 'long', day: 'numeric', month: 'long' })}</h2></div><div className="panel-body"><Agenda d={chosen} /></div></section>}
    </>
  )
}

const isToday = (d: Day) => d.id === idOf(new Date())
const envs = (d: Day) => [...new Set(d.closed.map((s) => s.env))].join(', ')
const failed = (d: Day) => d.runs.filter((r) => r.state === 'Failed').length

function Cell({ d, chosen, onChoose }: { d: Day; chosen: boolean; onChoose: () => void }) {
  const { t, locale } = useI18n()
  const label = `${d.start.toLocaleDateString(locale, { weekday: 'long', day: 'numeric', month: 'long' })}${t.common.colon}${t.calendar.counts(d.planned.length, d.runs.length, failed(d), envs(d))}`
  const items = [...d.runs.map((r) => ({ key: r.id, tone: toneOf(r), text: r.experiment, at: r.started })), ...d.planned.map((p) => ({ key: `${p.experiment}${p.env}${p.at}`, tone: p.closed ? 'skipped' : 'planned', text: p.experiment, at: p.at }))]
  const cls = ['calendar-day', chosen ? 'is-chosen' : '', d.inMonth ? '' : 'is-other', isToday(d) ? 'is-today' : '', d.closed.length > 0 ? 'is-closed' : ''].filter(Boolean).join(' ')
  return (
    <td role="gridcell" aria-selected={chosen} className={cls}>
      <button type="button" tabIndex={chosen ? 0 : -1} aria-current={isToday(d) ? 'date' : undefined} onClick={onChoose}>
        <span className="visually-hidden">{label}</span>
        <span className="calendar-number num" aria-hidden="true">{d.start.getDate()}</span>
        {d.closed.length > 0 && <span className="calendar-closed small" aria-hidden="true">{t.calendar.frozen(envs(d))}</span>}
        <span className="calendar-items" aria-hidden="true">
          {items.slice(0, shownInCell).map((x) => <span key={x.key} className={`calendar-item ${x.tone}`}><span className="num">{new Date(x.at).toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', hour12: false })}</span> {x.text}</span>)}
          {items.length > shownInCell && <span className="calendar-more small quiet">{t.calendar.more(items.length - shownInCell)}</span>}
        </span>
      </button>
    </td>
  )
}

function toneOf(r: Entry): string {
  return r.state === 'Passed' ? 'good' : r.state === 'Failed' ? 'bad' : r.state === 'Invalid' || r.state === 'Aborted' ? 'wait' : 'active'
}

function Week({ all }: { all: Day[] }) {
  const { t, locale } = useI18n()
  return (
    <>
      <ol className="week">
        {all.map((d) => (
          <li key={d.id} className={`panel${isToday(d) ? ' is-today' : ''}`}>
            <h3 className="week-day" aria-current={isToday(d) ? 'date' : undefined}>{d.start.toLocaleDateString(locale, { weekday: 'short', day: 'numeric', month: 'short' })}</h3>
            <Agenda d={d} />
          </li>
        ))}
      </ol>
      <p className="small quiet">{t.calendar.zone(here())}</p>
    </>
  )
}

function Agenda({ d }: { d: Day }) {
  const t = useT()
  const end = new Date(d.start.getFullYear(), d.start.getMonth(), d.start.getDate() + 1)
  if (d.planned.length + d.runs.length + d.closed.length + d.open.length === 0) return <p className="small quiet">{t.calendar.free}</p>
  return (
    <ul className="agenda">
      {d.closed.map((s) => <li key={`c${s.env}${s.from}`} className="agenda-closed"><Part s={s} d={d} end={end} /><span className="row tight"><Status tone="wait" icon="pause">{t.calendar.closed}</Status><span className="tag">{s.env}</span>{s.reason}</span></li>)}
      {d.open.map((s) => <li key={`o${s.env}${s.from}`}><Part s={s} d={d} end={end} /><span className="row tight"><Status tone="idle">{t.calendar.window}</Status><span className="tag">{s.env}</span></span></li>)}
      {d.runs.map((r) => <li key={r.id}><Clock at={r.started} seconds={false} /><Ran r={r} /></li>)}
      {d.planned.map((p) => <li key={`${p.experiment}${p.env}${p.at}`}><Clock at={p.at} seconds={false} /><Plan p={p} /></li>)}
    </ul>
  )
}

/** Part is how much of a day a span takes. */
function Part({ s, d, end }: { s: Span; d: Day; end: Date }) {
  const t = useT()
  const from = Date.parse(s.from) > d.start.getTime()
  const to = Date.parse(s.to) < end.getTime()
  if (!from && !to) return <span className="small quiet">{t.calendar.allDay}</span>
  return <span className="nowrap">{from ? <Clock at={s.from} seconds={false} /> : <span className="num">00:00</span>}–{to ? <Clock at={s.to} seconds={false} /> : <span className="num">24:00</span>}</span>
}

function Ran({ r }: { r: Entry }) {
  return (
    <span className="stack tight">
      <span className="row tight"><RunStatus state={r.state} badge={false} /><Link to="/experiments/$name/runs/$run" params={{ name: r.experiment, run: r.id }}>{r.experiment}</Link></span>
      <span className="small quiet break">{r.service} <span className="tag">{r.env}</span> {r.reason}</span>
    </span>
  )
}

function Plan({ p }: { p: Planned }) {
  const t = useT()
  return (
    <span className="stack tight">
      <span className="row tight"><Status tone="idle" icon="clock">{t.calendar.planned}</Status><Link to="/experiments" search={{ name: p.experiment }}>{p.experiment}</Link></span>
      <span className="small quiet break">{p.service} <span className="tag">{p.env}</span> {t.calendar.ownZone(ownTime(p.at), p.timeZone)}</span>
      {p.closed && <span className="small"><Status tone="wait" icon="pause">{t.calendar.notThen}</Status> <span className="quiet break">{p.closed}</span></span>}
    </span>
  )
}

function Rest({ c }: { c: Calendar }) {
  const t = useT()
  const often = c.often ?? []
  return (
    <>
      {c.leftOff && <Note tone="wait">{t.calendar.leftOff}</Note>}
      {often.length > 0 && (
        <section className="panel" aria-labelledby="often">
          <div className="panel-head"><h2 id="often">{t.calendar.often}</h2></div>
          <ul className="panel-body stack tight">{often.map((o) => <li key={`${o.experiment}${o.env}`} className="row tight"><Link to="/experiments" search={{ name: o.experiment }}>{o.experiment}</Link><code>{o.cron}</code><span className="quiet">{o.timeZone}</span><span className="tag">{o.env}</span></li>)}</ul>
        </section>
      )}
    </>
  )
}
