// The journey as a route on a chart: one lane for the yard and one for each environment.
import { Handle, Position, ReactFlow, type Edge, type Node, type NodeProps } from '@xyflow/react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useT, word } from '../../i18n'
import type { Waypoint } from '../../journey/journey'
import { Scroll } from '../../ui/parts'
import { Clock, Since } from '../../ui/time'
import { WaypointStatus } from './waypoint'
import '@xyflow/react/dist/base.css'
import '../../styles/chart.css'

type PointNode = Node<{ point: Waypoint; first: boolean; last: boolean }, 'point'>
type LaneNode = Node<{ name: string }, 'lane'>

const nodeWidth = 162
const nodeHeight = 62
const laneHeight = 98
const laneName = 96
const columnMin = 180
const columnMax = 232

function PointView({ data: { point: p } }: NodeProps<PointNode>) {
  const t = useT()
  const title = p.phase === 'Deploying' && p.wave ? `${p.wave}` : word(t.place, p.phase)
  return (
    <div className={`waypoint is-${p.state}`}>
      <Handle type="target" position={Position.Left} id="in" isConnectable={false} />
      <Handle type="target" position={Position.Top} id="top" isConnectable={false} />
      <span className="waypoint-name" title={title}>{p.phase === 'Deploying' && p.wave && <span className="quiet">{t.release.wave} </span>}{title}</span>
      <span className="row tight small"><WaypointStatus state={p.state} />{p.step && <span className="quiet">{t.step[p.step]}</span>}</span>
      {p.began && <span className="waypoint-time quiet">{p.phase === 'Done' || p.phase === 'Verified' ? <Clock at={p.began} seconds={false} /> : <Since from={p.began} to={p.ended} />}</span>}
      <Handle type="source" position={Position.Right} id="out" isConnectable={false} />
      <Handle type="source" position={Position.Bottom} id="bottom" isConnectable={false} />
    </div>
  )
}

function LaneView({ data }: NodeProps<LaneNode>) { return <div className="lane"><span>{data.name}</span></div> }

const kinds = { point: PointView, lane: LaneView }

export function layout(points: readonly Waypoint[], lanes: readonly string[], width: number): { nodes: (PointNode | LaneNode)[]; edges: Edge[]; width: number; height: number } {
  const columns = Math.max(...lanes.map((_, lane) => points.filter((p) => p.lane === lane).length), 1)
  const step = Math.min(columnMax, Math.max(columnMin, (width - laneName - 14) / columns))
  const total = Math.max(width, laneName + columns * step + 14)
  const nodes: (PointNode | LaneNode)[] = lanes.map((name, i) => ({
    id: `lane/${i}`, type: 'lane', position: { x: 0, y: i * laneHeight }, data: { name }, width: total, height: laneHeight, focusable: false, selectable: false, zIndex: -1,
  }))
  const seen = new Map<number, number>()
  points.forEach((point, i) => {
    const column = seen.get(point.lane) ?? 0
    seen.set(point.lane, column + 1)
    nodes.push({
      id: point.id, type: 'point', data: { point, first: i === 0, last: i === points.length - 1 }, width: nodeWidth, height: nodeHeight,
      position: { x: laneName + column * step, y: point.lane * laneHeight + (laneHeight - nodeHeight) / 2 },
    })
  })
  return { nodes, edges: edgesOf(points), width: total, height: lanes.length * laneHeight }
}

const isReturn = (p: Waypoint) => p.phase === 'RollingBack' || p.phase === 'RolledBack'

function edgesOf(points: readonly Waypoint[]): Edge[] {
  // Nothing follows a return: what stands behind it was never reached.
  const pairs = points.slice(1).map((to, i) => [points[i] as Waypoint, to] as const).filter(([from]) => !isReturn(from))
  return pairs.map(([from, to]) => {
    const sailed = to.state !== 'ahead' && to.state !== 'skipped'
    const turn = from.lane !== to.lane
    return {
      id: `${from.id}>${to.id}`, source: from.id, target: to.id, type: turn ? 'smoothstep' : 'straight', focusable: false, ...(turn ? { pathOptions: { offset: (laneHeight - nodeHeight) / 2, borderRadius: 8 } } : {}),
      sourceHandle: turn ? 'bottom' : 'out', targetHandle: turn ? 'top' : 'in',
      className: `leg ${isReturn(to) ? 'is-back' : sailed ? (to.state === 'active' ? 'is-active' : 'is-sailed') : 'is-ahead'}`,
    }
  })
}

export default function Chart({ points, lanes }: { points: Waypoint[]; lanes: string[] }) {
  const t = useT()
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const el = box.current
    if (!el) return
    const watch = new ResizeObserver(() => setWidth(el.clientWidth))
    watch.observe(el)
    return () => watch.disconnect()
  }, [])
  const plan = useMemo(() => layout(points, lanes, width), [points, lanes, width])
  return (
    <Scroll ref={box} className="chart" role="region" label={`${t.release.journey}: ${t.release.graph}`}>
      {width > 0 && (
        <div className="chart-sheet" style={{ width: plan.width, height: plan.height }}>
          <ReactFlow
            nodes={plan.nodes} edges={plan.edges} nodeTypes={kinds} defaultViewport={{ x: 0, y: 0, zoom: 1 }} minZoom={1} maxZoom={1}
            nodesDraggable={false} nodesConnectable={false} nodesFocusable={false} edgesFocusable={false} elementsSelectable={false}
            panOnDrag={false} zoomOnScroll={false} zoomOnPinch={false} zoomOnDoubleClick={false} preventScrolling={false} disableKeyboardA11y
          />
        </div>
      )}
    </Scroll>
  )
}
