import { useEffect, useId, useRef, useState } from 'react'
import { useT } from '../i18n'

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

/** Select chooses one of a few, or all. */
export function Select({ label, value, options, onChange }: { label: string; value: string | undefined; options: [string, string][]; onChange: (v: string | undefined) => void }) {
  const t = useT()
  const id = useId()
  const all = value !== undefined && !options.some(([v]) => v === value) ? [[value, value] as [string, string], ...options] : options
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} className="select" value={value ?? ''} onChange={(e) => onChange(e.target.value || undefined)}>
        <option value="">{t.common.all}</option>
        {all.map(([v, name]) => <option key={v} value={v}>{name}</option>)}
      </select>
    </div>
  )
}
