import { Link, useRouter, type ErrorComponentProps } from '@tanstack/react-router'
import { ApiError } from '../api/client'
import { useT } from '../i18n'
import { Empty, Failure } from '../ui/parts'

export function NotFound() {
  const t = useT()
  return (
    <main className="page">
      <Empty title={t.notFound.title} hint={t.notFound.lead} icon="compass" page><Link to="/" className="button primary">{t.notFound.home}</Link></Empty>
    </main>
  )
}

/** Crash is shown when a page broke, or when the first question failed. */
export function Crash({ error: thrown, reset }: ErrorComponentProps) {
  const t = useT()
  const router = useRouter()
  const error = thrown as unknown
  const again = () => { reset(); void router.invalidate() }
  return (
    <main className="page">
      {error instanceof ApiError ? <Failure error={error} retry={again} /> : (
        <Empty title={t.crash.title} hint={t.crash.lead} icon="alert" page>
          <p className="mono small break">{error instanceof Error ? error.message : String(error)}</p>
          <button type="button" className="button primary" onClick={() => location.reload()}>{t.crash.reload}</button>
        </Empty>
      )}
    </main>
  )
}
