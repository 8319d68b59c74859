// The few signs the console uses, drawn on a 16-unit grid.
export type IconName =
  | 'check' | 'route' | 'clock' | 'ring' | 'cross' | 'pause' | 'back' | 'dash' | 'question' | 'alert' | 'left' | 'right' | 'down'
  | 'copy' | 'user' | 'signal' | 'nosignal' | 'search' | 'anchor' | 'compass' | 'play' | 'stop' | 'plus' | 'bolt'

const paths: Record<IconName, string> = {
  check: 'M2 8a6 6 0 1 0 12 0A6 6 0 1 0 2 8M5.300 8.200l2 2 3.500-4',
  route: 'M8 2a6 6 0 1 1-5.200 3M8 5v3l2.200 1.500',
  clock: 'M4 2h8M4 14h8M5 2v2.500L8 8l3-3.500V2M5 14v-2.500L8 8l3 3.500V14',
  ring: 'M2.500 8a5.500 5.500 0 1 0 11 0 5.500 5.500 0 1 0-11 0',
  cross: 'M2 8a6 6 0 1 0 12 0A6 6 0 1 0 2 8M5.800 5.800l4.400 4.400M10.200 5.800l-4.400 4.400',
  pause: 'M2 8a6 6 0 1 0 12 0A6 6 0 1 0 2 8M6.400 5.500v5M9.600 5.500v5',
  back: 'M6 3 2.500 6.500 6 10M3 6.500h6.500a3.700 3.700 0 0 1 0 7.300H6',
  dash: 'M2.500 8a5.500 5.500 0 1 0 11 0 5.500 5.500 0 1 0-11 0M5.500 8h5',
  question: 'M2 8a6 6 0 1 0 12 0A6 6 0 1 0 2 8M6.200 6.300a1.900 1.900 0 1 1 2.700 1.900c-.6.3-.9.600-.9 1.200M8 11.500v.1',
  alert: 'M8 2 1.500 13.500h13zM8 6.500v3.200M8 11.700v.1',
  left: 'M10 3.500 5.500 8l4.500 4.500',
  right: 'M6 3.500 10.500 8 6 12.500',
  down: 'M3.500 6 8 10.500 12.500 6',
  copy: 'M5.500 5.500v-3h8v8h-3M2.500 5.500h8v8h-8z',
  user: 'M5.200 5.200a2.800 2.800 0 1 0 5.600 0 2.800 2.800 0 1 0-5.600 0M2.500 14c.5-3 2.700-4.500 5.500-4.500s5 1.500 5.500 4.500',
  signal: 'M8 9v5M8 8v.1M5.200 10.600a4 4 0 1 1 5.600 0M3.200 12.600a6.700 6.700 0 1 1 9.600 0',
  nosignal: 'M8 9v5M8 8v.1M5.200 10.600a4 4 0 0 1-.9-4.100M10.800 10.600a4 4 0 0 0-3-6.700M2.500 2.500l11 11',
  search: 'M2.500 7a4.500 4.500 0 1 0 9 0 4.500 4.500 0 1 0-9 0M10.300 10.300l3.500 3.500',
  anchor: 'M6.300 3.500a1.700 1.700 0 1 0 3.400 0 1.700 1.700 0 1 0-3.400 0M8 5.200V14M5.500 7.500h5M2.500 9.500c0 2.800 2.500 4.500 5.500 4.500s5.500-1.700 5.500-4.500',
  compass: 'M2 8a6 6 0 1 0 12 0A6 6 0 1 0 2 8M10.500 5.500 9 9l-3.500 1.500L7 7z',
  play: 'M4.500 3v10l8-5z',
  stop: 'M4 4h8v8H4z',
  plus: 'M8 3v10M3 8h10',
  bolt: 'M9 1.500 3.500 9h4l-.5 5.500L12.500 7h-4z',
}

export function Icon({ name, size = 15, className }: { name: IconName; size?: number; className?: string }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" className={className}>
      <path d={paths[name]} />
    </svg>
  )
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" fill="#10283c" />
      <path d="M5 22c2.200 0 2.200 2 4.400 2s2.200-2 4.400-2 2.200 2 4.400 2 2.200-2 4.400-2 2.200 2 4.400 2" fill="none" stroke="#7fb4cc" strokeWidth="2" strokeLinecap="round" />
      <path d="M7 18.500 16 5v13.500z" fill="#f3efe2" />
      <path d="M18 9.500l7 9h-7z" fill="#d25aa0" />
    </svg>
  )
}
