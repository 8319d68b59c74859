// How the image of a release was made: why, of what, in which steps, and what is in it.
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { ApiError } from '../../api/client'
import { useBuild } from '../../api/hooks'
import type { Build, BuildChange, Release } from '../../api/types'
import { useT } from '../../i18n'
import { cachedOf, took } from '../../journey/build'
import { Icon } from '../../ui/icons'
import { Copy, Empty, Failure, Loading, Note, Scroll, shortDigest } from '../../ui/parts'
import { Status } from '../../ui/status'
import { known, Moment } from '../../ui/time'
import { Attached } from './attached'
import { Frame } from './frame'
import { LogPanel } from './log'
import { SBOM } from './sbom'
import { Steps } from './steps'
import '../../styles/build.css'

export function BuildPage() {
  const { id } = useParams({ from: '/shell/releases/$id/build' })
  const t = useT()
  return <Frame id={id} about={t.build.title}>{(r) => <Page r={r} />}</Frame>
}

function Page({ r }: { r: Release }) {
  const { step } = useSearch({ from: '/shell/releases/$id/build' })
  const navigate = useNavigate({ from: '/releases/$id/build' })
  const log = useRef<HTMLDivElement>(null)
  useEffect(() => { if (step !== undefined) log.current?.scrollIntoView({ block: 'start' }) }, [step])
  const onAll = () => void navigate({ search: (old) => ({ ...old, step: undefined }), replace: true, resetScroll: false })
  return (
    <>
      <Made r={r} />
      <div ref={log} className="build-log"><LogPanel key={r.id} r={r} only={step === undefined ? undefined : { step, onAll }} /></div>
    </>
  )
}

function Made({ r }: { r: Release }) {
  const t = useT()
  const build = useBuild(r)
  if (build.data) {
    return (
      <>
        {build.error && <Note tone="wait" icon="nosignal">{t.common.stale}</Note>}
        <Summary b={build.data} />
        <Steps b={build.data} />
        {r.artifact && <Attached artifact={r.artifact} b={build.data} />}
        {r.artifact && (r.artifact.platforms ?? []).length > 0 && <SBOM r={r} platforms={r.artifact.platforms ?? []} />}
      </>
    )
  }
  const building = r.phase === 'Building'
  if (build.fetchStatus === 'idle' && build.isPending || build.error instanceof ApiError && build.error.status === 404) {
    return <div className="panel"><Empty title={building ? t.build.underWay : t.build.none} hint={building ? t.build.underWayHint : t.build.noneHint} icon={building ? 'route' : 'anchor'} /></div>
  }
  if (build.error) return <Failure error={build.error} retry={() => void build.refetch()} />
  return <div className="panel"><Loading lines={8} /></div>
}

function Summary({ b }: { b: Build }) {
  const t = useT()
  const steps = b.steps ?? []
  return (
    <section className="panel" aria-labelledby="made">
      <div className="panel-head">
        <h2 id="made">{t.build.summary}</h2>
        {b.failed ? <Status tone="bad">{t.build.failed}</Status> : b.unchanged ? <Status tone="good">{t.build.unchanged}</Status> : <Status tone="good">{t.build.built}</Status>}
      </div>
      <div className="panel-body stack">
        {b.failed && <p className="break pre build-failed">{b.failed}</p>}
        {b.why && <p className="break"><span className="label">{t.build.why}{t.common.colon}</span>{b.why}</p>}
        {b.unchanged && <p className="quiet small">{t.build.unchangedHint(b.id)}</p>}
        <dl className="facts build-facts">
          <dt>{t.build.id}</dt><dd className="mono">{b.id}</dd>
          {known(b.started) && <><dt>{t.release.started}</dt><dd><Moment at={b.started} /></dd></>}
          {known(b.started) && known(b.finished) && <><dt>{t.experiments.duration}</dt><dd className="num">{took(Date.parse(b.finished) - Date.parse(b.started))}</dd></>}
          {steps.length > 0 && <><dt>{t.build.steps}</dt><dd className="num">{t.build.ofCache(cachedOf(steps), steps.length)}</dd></>}
          {b.buildkit && <><dt>BuildKit</dt><dd className="mono">{b.buildkit}</dd></>}
          {known(b.committed) && <><dt>{t.build.fileTime}</dt><dd><Moment at={b.committed} /></dd></>}
          {(b.bases ?? []).map((x) => <Base key={x.name} name={x.name} digest={x.digest} />)}
        </dl>
        <Changes changed={b.changed ?? []} />
        <Inputs inputs={b.inputs ?? []} />
        {b.plan !== undefined && <Plan plan={b.plan} />}
      </div>
    </section>
  )
}

function Base({ name, digest }: { name: string; digest: string }) {
  const t = useT()
  return <><dt>{t.build.base}</dt><dd className="build-base"><span className="mono">{name}</span> <code className="quiet" title={digest}>{shortDigest(digest)}</code><Copy text={`${name}@${digest}`} label={`${t.common.copy} ${name}`} /></dd></>
}

function Changes({ changed }: { changed: BuildChange[] }) {
  const t = useT()
  if (changed.length === 0) return null
  return (
    <Scroll className="grid-wrap build-box" label={t.build.changed}>
      <table className="grid">
        <caption className="visually-hidden">{t.build.changed}</caption>
        <thead><tr><th scope="col">{t.build.changed}</th><th scope="col">{t.build.before}</th><th scope="col">{t.build.now}</th></tr></thead>
        <tbody>{changed.map((c) => <tr key={c.name}><th scope="row">{c.name}</th><td className="mono break">{c.before ?? <span className="quiet">{t.common.none}</span>}</td><td className="mono break">{c.after ?? <span className="quiet">{t.common.none}</span>}</td></tr>)}</tbody>
      </table>
    </Scroll>
  )
}

function Inputs({ inputs }: { inputs: { name: string; value: string }[] }) {
  const t = useT()
  if (inputs.length === 0) return null
  return (
    <details className="evidence">
      <summary><span className="fold"><Icon name="right" size={12} /></span><span className="grow">{t.build.inputs(inputs.length)}</span></summary>
      <div className="evidence-body"><dl className="facts small">{inputs.map((x) => <Input key={x.name} {...x} />)}</dl></div>
    </details>
  )
}

function Input({ name, value }: { name: string; value: string }) { return <><dt>{name}</dt><dd className="mono break">{value}</dd></> }

function Plan({ plan }: { plan: unknown }) {
  const t = useT()
  const text = JSON.stringify(plan, null, 2)
  return (
    <details className="evidence">
      <summary><span className="fold"><Icon name="right" size={12} /></span><span className="grow">{t.build.plan}</span></summary>
      <div className="evidence-body build-plan"><pre className="break">{text}</pre><Copy text={text} label={`${t.common.copy} ${t.build.plan}`} /></div>
    </details>
  )
}
