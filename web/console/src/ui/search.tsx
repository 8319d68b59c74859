import { useEffect, useId, useRef, useState } from 'react'

/** SearchField reports what was typed a moment after the typing stops. */
export function SearchField({ label, value, onChange, hideLabel }: { label: string; value: string; onChange: (v: string) => void; hideLabel?: boolean }) {
  const id = useId()
  const [text, setText] = useState(value)
  const [seen, setSeen] = useState(value)
  const report = useRef(onChange)
  useEffect(() => { report.current = onChange })
  if (seen !== value) { setSeen(value); setText(value) }
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => report.current(text), 250)
    return () => clearTimeout(timer)
  }, [text, value])
  return (
    <div className="field wide">
      <label htmlFor={id} className={hideLabel ? 'visually-hidden' : undefined}>{label}</label>
      <input id={id} type="search" className="input" placeholder={hideLabel ? label : undefined} value={text} onChange={(e) => setText(e.target.value)} />
    </div>
  )
}
