import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState, type FormEvent } from 'react'
import { api, ApiError, setCsrf } from '../api/client'
import { languages, useI18n } from '../i18n'
import { safeNext } from '../router'
import { Mark } from '../ui/icons'
import { Failure, Note } from '../ui/parts'
import { useTitle } from '../ui/title'

export function SignIn() {
  const { t } = useI18n()
  const { ended } = useSearch({ from: '/sign-in' })
  useTitle(t.signin.title)
  return (
    <div className="signin">
      <Chart />
      <main className="signin-main">
        <div className="stack tight">
          <span className="brand"><Mark />{t.product}</span>
          <p className="quiet">{t.signin.lead}</p>
        </div>
        <h1>{t.signin.title}</h1>
        {ended && <Note tone="wait" icon="clock">{t.signin.ended}</Note>}
        <Form />
        <p className="small quiet">{t.signin.first}</p>
        <Languages />
      </main>
    </div>
  )
}

function Form() {
  const { t } = useI18n()
  const { next } = useSearch({ from: '/sign-in' })
  const client = useQueryClient()
  const navigate = useNavigate()
  const router = useRouter()
  const first = useRef<HTMLInputElement>(null)
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  useEffect(() => first.current?.focus(), [])
  const signIn = useMutation({
    mutationFn: () => api.signIn(user, password),
    onSuccess: async (session) => {
      client.clear()
      setCsrf(session.csrf)
      client.setQueryData(['session'], session)
      await router.invalidate()
      await navigate({ href: safeNext(next), replace: true })
    },
  })
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (!signIn.isPending) signIn.mutate()
  }
  const wrong = signIn.error instanceof ApiError && (signIn.error.status === 401 || signIn.error.status === 403)
  return (
    <form onSubmit={submit}>
      <div className="field">
        <label htmlFor="user">{t.signin.user}</label>
        <input id="user" ref={first} className="input" name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required value={user} onChange={(e) => setUser(e.target.value)} />
      </div>
      <div className="field">
        <label htmlFor="password">{t.signin.password}</label>
        <input id="password" className="input" type="password" name="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} aria-invalid={wrong} aria-describedby={wrong ? 'wrong' : undefined} />
        {wrong && <p id="wrong" role="alert" className="error">{t.signin.wrong}</p>}
      </div>
      {signIn.error && !wrong && <Failure error={signIn.error} />}
      <button type="submit" className="button primary" aria-disabled={signIn.isPending}>{signIn.isPending ? t.signin.busy : t.signin.submit}</button>
    </form>
  )
}

function Languages() {
  const { lang, setLang } = useI18n()
  return (
    <div className="signin-foot">
      {languages.map((l) => (
        <button key={l.id} type="button" lang={l.id} className="button small plain" aria-pressed={l.id === lang} onClick={() => setLang(l.id)}>{l.name}</button>
      ))}
    </div>
  )
}

/** Chart draws soundings, depth lines and a route with its waypoints. */
function Chart() {
  const depths = [[96, 120, 7], [210, 84, 12], [338, 150, 18], [120, 300, 9], [262, 262, 21], [420, 300, 26], [88, 470, 6], [300, 430, 24], [470, 470, 31], [190, 600, 14], [372, 610, 22], [505, 170, 28], [540, 640, 33], [60, 690, 4]]
  return (
    <div className="signin-chart" aria-hidden="true">
      <svg viewBox="0 0 600 760" preserveAspectRatio="xMidYMid slice">
        <path className="chart-deep" d="M600 0H250c40 70 10 150 60 220s20 150 70 220-20 200 40 320h180z" />
        <path className="chart-land" d="M0 0h84c20 60-40 100-20 170S20 280 0 300zM0 560c60 10 40 90 90 110s20 60 40 90H0z" />
        <g className="chart-line"><path d="M150 0c20 80-40 140 0 230s-60 150-20 250 60 160 40 280" /><path d="M250 0c40 70 10 150 60 220s20 150 70 220-20 200 40 320" /><path d="M430 0c10 100 60 160 50 260s70 160 40 260 30 160 30 240" /></g>
        <g className="chart-grid"><path d="M0 190h600M0 380h600M0 570h600M150 0v760M300 0v760M450 0v760" /></g>
        <g className="chart-text">{depths.map(([x, y, d]) => <text key={`${x}.${y}`} x={x} y={y}>{d}</text>)}</g>
        <path className="chart-route" d="M70 636 180 520 236 356 392 236 470 74" />
        <g className="chart-mark"><circle cx="70" cy="636" r="5" /><circle cx="180" cy="520" r="5" /><circle cx="236" cy="356" r="5" /><circle cx="392" cy="236" r="5" /><circle cx="470" cy="74" r="5" /><circle cx="470" cy="74" r="10" /></g>
      </svg>
    </div>
  )
}
