// The samples behind a verdict, with the time in which something was broken on purpose.
import { useEffect, useRef } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useI18n } from '../../i18n'
import type { Plot as PlotData } from '../../journey/series'
import { useDark } from '../../ui/theme'

interface Props { data: PlotData; threshold?: number; fault?: { from: number; to: number }; label: string }

/** colour resolves a CSS variable: a canvas knows no variables. */
function colour(el: HTMLElement, name: string): string {
  el.style.color = `var(${name})`
  const value = getComputedStyle(el).color
  el.style.color = ''
  return value
}

function options(el: HTMLElement, { data, threshold, fault }: Props, locale: string, width: number): UPlot.Options {
  const ink = colour(el, '--ink-2')
  const line = colour(el, '--line')
  const strokes = ['--link', '--route', '--good', '--wait', '--ink'].map((c) => colour(el, c))
  const bad = colour(el, '--bad')
  const shade = colour(el, '--route')
  const small = data.series.every((s) => s.values.every((v) => v === null || (v >= 0 && v <= 1)))
  const font = `11px ${getComputedStyle(document.body).fontFamily}`
  const time = (s: number) => new Date(s * 1000).toLocaleTimeString(locale, { hour12: false })
  return {
    width, height: 170, legend: { show: false }, cursor: { y: false, points: { size: 6 } }, padding: [10, 12, 0, 0],
    scales: { x: { time: true }, y: { range: (_u, min, max) => bounds(min, max, threshold) } },
    axes: [
      { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, values: (_u, at) => at.map(time), space: 90 },
      { stroke: ink, font, size: 62, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, values: (_u, at) => at.map((v) => (small ? `${Number((v * 100).toFixed(2))} %` : String(v))) },
    ],
    series: [{}, ...data.series.map((s, i) => ({ label: s.name, stroke: strokes[i % strokes.length], width: 1.75, points: { show: data.times.length < 40, size: 4 } }))],
    hooks: { drawClear: [(u) => under(u, fault, shade)], draw: [(u) => over(u, threshold, bad)] },
  }
}

function bounds(min: number, max: number, threshold: number | undefined): [number, number] {
  const low = Math.min(min, threshold ?? min)
  const high = Math.max(max, threshold ?? max)
  const room = Math.max((high - low) * 0.12, Math.abs(high) * 0.002, 1e-9)
  return [low - room, high + room]
}

function under(u: UPlot, fault: Props['fault'], fill: string): void {
  if (!fault) return
  const left = Math.max(u.valToPos(fault.from, 'x', true), u.bbox.left)
  const right = Math.min(u.valToPos(fault.to, 'x', true), u.bbox.left + u.bbox.width)
  if (right <= left) return
  u.ctx.save()
  u.ctx.globalAlpha = 0.16
  u.ctx.fillStyle = fill
  u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height)
  u.ctx.restore()
}

function over(u: UPlot, threshold: number | undefined, stroke: string): void {
  if (threshold === undefined) return
  const y = u.valToPos(threshold, 'y', true)
  u.ctx.save()
  u.ctx.strokeStyle = stroke
  u.ctx.lineWidth = devicePixelRatio
  u.ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio])
  u.ctx.beginPath()
  u.ctx.moveTo(u.bbox.left, y)
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y)
  u.ctx.stroke()
  u.ctx.restore()
}

export default function Plot(props: Props) {
  const { locale } = useI18n()
  const dark = useDark()
  const box = useRef<HTMLDivElement>(null)
  const { data, threshold, fault, label } = props
  const from = fault?.from
  const to = fault?.to
  useEffect(() => {
    const el = box.current
    if (!el) return
    const window = from !== undefined && to !== undefined ? { from, to } : undefined
    const plot = new UPlot(options(el, { data, threshold, fault: window, label }, locale, Math.max(el.clientWidth, 240)), [data.times, ...data.series.map((s) => s.values)], el)
    const watch = new ResizeObserver(() => plot.setSize({ width: Math.max(el.clientWidth, 240), height: 170 }))
    watch.observe(el)
    return () => { watch.disconnect(); plot.destroy() }
  }, [data, threshold, from, to, label, locale, dark])
  return <div ref={box} className="plot" role="img" aria-label={label} />
}
