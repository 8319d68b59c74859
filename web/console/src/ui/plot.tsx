// Lines over time, with the times in which something was broken on purpose and the moments
// at which a release came. A canvas tells nobody who cannot see it: a table stands beside it.
import { useEffect, useRef } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useI18n } from '../i18n'
import type { Plot as PlotData } from '../journey/series'
import { useDark } from './theme'

export interface Shade { from: number; to: number } // seconds
export interface Mark { at: number; bad?: boolean }

interface Props {
  data: PlotData; label: string; threshold?: number; shades?: readonly Shade[]; marks?: readonly Mark[]
  unit?: 'share' | 'times' | 'score' // score: 0 to 100; default: shares when all values are between 0 and 1
  together?: string // plots of one name show one cursor
  onPoint?: (index: number | null) => void
}

const height = 170
const day = 86_400

/** colour resolves a CSS variable: a canvas knows no variables. */
function colour(el: HTMLElement, name: string): string {
  el.style.color = `var(${name})`
  const value = getComputedStyle(el).color
  el.style.color = ''
  return value
}

function options(el: HTMLElement, { data, threshold, shades, marks, unit, together, onPoint }: Props, locale: string, width: number): UPlot.Options {
  const ink = colour(el, '--ink-2')
  const line = colour(el, '--line')
  const strokes = ['--link', '--route', '--good', '--wait', '--ink'].map((c) => colour(el, c))
  const bad = colour(el, '--bad')
  const route = colour(el, '--route')
  const small = data.series.every((s) => s.values.every((v) => v === null || (v >= 0 && v <= 1)))
  const font = `11px ${getComputedStyle(document.body).fontFamily}`
  const long = (data.times.at(-1) ?? 0) - (data.times[0] ?? 0)
  const value = (v: number) => (unit === 'times' ? `${Number(v.toFixed(2))}×` : unit === 'score' ? String(v) : unit === 'share' || small ? `${Number((v * 100).toFixed(2))} %` : String(v))
  return {
    width, height, legend: { show: false }, padding: [10, 22, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, ...(together ? { sync: { key: together } } : {}) },
    scales: { x: { time: true }, y: { range: (_u, min, max) => (unit === 'score' ? [-4, 104] : bounds(min, max, threshold)) } },
    axes: [
      { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, values: (_u, at) => at.map((s) => moment(s, long, locale)), space: 90, size: 34 },
      { stroke: ink, font, size: 62, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, values: (_u, at) => at.map(value) },
    ],
    series: [{}, ...data.series.map((s, i) => ({ label: s.name, stroke: strokes[i % strokes.length], width: 1.75, points: { show: s.values.filter((v) => v !== null).length < 40, size: 4 } }))],
    hooks: {
      drawClear: [(u) => shades?.forEach((s) => shade(u, s, route))],
      draw: [(u) => { rule(u, threshold, bad); marks?.forEach((m) => mark(u, m.at, m.bad ? bad : ink)) }],
      setCursor: onPoint ? [(u) => onPoint(u.cursor.idx ?? null)] : [],
    },
  }
}

/** moment is a tick's text: a time of day, with its day or as a day when the plot is longer. */
function moment(seconds: number, long: number, locale: string): string {
  const d = new Date(seconds * 1000)
  if (long > 4 * day) return d.toLocaleDateString(locale, { day: 'numeric', month: 'short' })
  if (long > day) return d.toLocaleString(locale, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hour12: false })
  return d.toLocaleTimeString(locale, { hour12: false, hour: '2-digit', minute: '2-digit', second: long < 1_800 ? '2-digit' : undefined })
}

function bounds(min: number | null, max: number | null, threshold: number | undefined): [number, number] {
  const low = Math.min(min ?? threshold ?? 0, threshold ?? Infinity)
  const high = Math.max(max ?? threshold ?? 1, threshold ?? -Infinity)
  const room = Math.max((high - low) * 0.12, Math.abs(high) * 0.002, 1e-9)
  return [low - room, high + room]
}

function shade(u: UPlot, s: Shade, fill: string): void {
  const left = Math.max(u.valToPos(s.from, 'x', true), u.bbox.left)
  const right = Math.min(Math.max(u.valToPos(s.to, 'x', true), left + 2 * devicePixelRatio), u.bbox.left + u.bbox.width)
  if (right <= left) return
  u.ctx.save()
  u.ctx.globalAlpha = 0.2
  u.ctx.fillStyle = fill
  u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height)
  u.ctx.restore()
}

function stroke(u: UPlot, colour: string, dash: number[], from: [number, number], to: [number, number]): void {
  u.ctx.save()
  u.ctx.strokeStyle = colour
  u.ctx.lineWidth = devicePixelRatio
  u.ctx.setLineDash(dash.map((d) => d * devicePixelRatio))
  u.ctx.beginPath()
  u.ctx.moveTo(...from)
  u.ctx.lineTo(...to)
  u.ctx.stroke()
  u.ctx.restore()
}

function rule(u: UPlot, threshold: number | undefined, colour: string): void {
  if (threshold === undefined) return
  const y = u.valToPos(threshold, 'y', true)
  stroke(u, colour, [6, 4], [u.bbox.left, y], [u.bbox.left + u.bbox.width, y])
}

function mark(u: UPlot, at: number, colour: string): void {
  const x = u.valToPos(at, 'x', true)
  if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return
  stroke(u, colour, [2, 3], [x, u.bbox.top], [x, u.bbox.top + u.bbox.height])
  const flag = 5 * devicePixelRatio
  u.ctx.save()
  u.ctx.fillStyle = colour
  u.ctx.beginPath()
  u.ctx.moveTo(x - flag, u.bbox.top)
  u.ctx.lineTo(x + flag, u.bbox.top)
  u.ctx.lineTo(x, u.bbox.top + flag * 1.4)
  u.ctx.fill()
  u.ctx.restore()
}

export default function Plot(props: Props) {
  const { locale } = useI18n()
  const dark = useDark()
  const box = useRef<HTMLDivElement>(null)
  const { data, label, threshold, shades, marks, unit, together, onPoint } = props
  useEffect(() => {
    const el = box.current
    if (!el) return
    const all = { data, label, threshold, shades, marks, unit, together, onPoint }
    const plot = new UPlot(options(el, all, locale, Math.max(el.clientWidth, 240)), [data.times, ...data.series.map((s) => s.values)], el)
    const watch = new ResizeObserver(() => plot.setSize({ width: Math.max(el.clientWidth, 240), height }))
    watch.observe(el)
    return () => { watch.disconnect(); plot.destroy() }
  }, [data, label, threshold, shades, marks, unit, together, onPoint, locale, dark])
  return <div ref={box} className="plot" role="img" aria-label={label} />
}
