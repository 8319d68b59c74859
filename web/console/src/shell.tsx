// The frame around every page: navigation, connection, preferences.
import * as Menu from '@radix-ui/react-dropdown-menu'
import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { api, ApiError, setCsrf } from './api/client'
import { useAdmin, useConnection, useSession, useStream } from './api/hooks'
import { languages, useI18n, useT } from './i18n'
import { Icon, Mark } from './ui/icons'
import { setTheme, useTheme, type Theme } from './ui/theme'

export function Root() { return <Outlet /> }

export function Shell() {
  const t = useT()
  const stream = useStream()
  const session = useSession()
  const navigate = useNavigate()
  useEffect(() => {
    setCsrf(session.data?.csrf)
    stream?.start()
  }, [stream, session.data?.csrf])
  useEffect(() => {
    if (session.error instanceof ApiError && session.error.status === 401) {
      void navigate({ to: '/sign-in', search: { ended: true, next: location.pathname + location.search } })
    }
  }, [session.error, navigate])
  return (
    <>
      <a href="#main" className="skip">{t.skip}</a>
      <Top />
      <Main />
    </>
  )
}

function Main() {
  const ref = useRef<HTMLElement>(null)
  const path = useRouterState({ select: (s) => s.location.pathname })
  const first = useRef(true)
  useEffect(() => {
    if (first.current) { first.current = false; return }
    ref.current?.focus({ preventScroll: true })
  }, [path])
  return <main id="main" ref={ref} tabIndex={-1} className="page"><Outlet /></main>
}

function Top() {
  const t = useT()
  const exact = { exact: true, includeSearch: false }
  return (
    <header className="top">
      <div className="top-in">
        <Link to="/" className="brand"><Mark />{t.product}</Link>
        <nav className="nav" aria-label={t.nav.label}>
          <Link to="/" activeOptions={exact}>{t.nav.board}</Link>
          <Link to="/releases" activeOptions={{ includeSearch: false }}>{t.nav.releases}</Link>
          <Link to="/experiments" activeOptions={{ includeSearch: false }}>{t.nav.experiments}</Link>
          <Link to="/clusters">{t.nav.clusters}</Link>
          <Link to="/slos">{t.nav.slos}</Link>
          <Link to="/silences">{t.nav.silences}</Link>
        </nav>
        <div className="top-end">
          <Live />
          <Account />
        </div>
      </div>
    </header>
  )
}

function Live() {
  const t = useT()
  const { connection, revision } = useConnection()
  const text = t.connection[connection]
  return (
    <span className={`live is-${connection}`}>
      <Icon name={connection === 'live' ? 'signal' : 'nosignal'} />
      <span role="status">{text}</span>
      {revision > 0 && <span className="rev num" title={t.connection.revisionTitle}>{t.connection.revision(revision)}</span>}
    </span>
  )
}

function Account() {
  const { t } = useI18n()
  const session = useSession()
  const client = useQueryClient()
  const stream = useStream()
  const navigate = useNavigate()
  const admin = useAdmin()
  const leave = () => {
    void api.signOut().catch(() => undefined).then(() => {
      stream?.stop()
      client.clear()
      void navigate({ to: '/sign-in' })
    })
  }
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="button plain">
        <Icon name="user" />{session.data?.user ?? ''}<span className="visually-hidden">: {t.prefs.open}</span><Icon name="down" size={12} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="menu" align="end" sideOffset={6}>
          <Menu.Label className="menu-label">{session.data?.user} · {session.data?.role}{session.data?.version ? ` · ${session.data.version}` : ''}</Menu.Label>
          {admin && <Menu.Item className="menu-item" onSelect={() => void navigate({ to: '/tokens' })}><span className="tick" />{t.nav.tokens}</Menu.Item>}
          <Preferences />
          <Menu.Separator className="menu-sep" />
          <Menu.Item className="menu-item" onSelect={leave}><span className="tick" />{t.prefs.signOut}</Menu.Item>
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  )
}

function Preferences() {
  const { t, lang, setLang } = useI18n()
  const theme = useTheme()
  return (
    <>
      <Menu.Separator className="menu-sep" />
      <Menu.Label className="menu-label">{t.prefs.language}</Menu.Label>
      <Menu.RadioGroup value={lang} onValueChange={(v) => setLang(v === 'zh' ? 'zh' : 'en')}>
        {languages.map((l) => <Choice key={l.id} value={l.id} label={l.name} />)}
      </Menu.RadioGroup>
      <Menu.Separator className="menu-sep" />
      <Menu.Label className="menu-label">{t.prefs.theme}</Menu.Label>
      <Menu.RadioGroup value={theme} onValueChange={(v) => setTheme(v as Theme)}>
        {(['light', 'dark', 'system'] as const).map((v) => <Choice key={v} value={v} label={t.prefs[v]} />)}
      </Menu.RadioGroup>
    </>
  )
}

function Choice({ value, label }: { value: string; label: string }) {
  return (
    <Menu.RadioItem className="menu-item" value={value}>
      <span className="tick"><Menu.ItemIndicator><Icon name="check" /></Menu.ItemIndicator></span>{label}
    </Menu.RadioItem>
  )
}
