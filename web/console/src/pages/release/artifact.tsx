import { Link } from '@tanstack/react-router'
import type { Attached, Release } from '../../api/types'
import { useT } from '../../i18n'
import { Copy, shortDigest } from '../../ui/parts'
import { Icon } from '../../ui/icons'
import { Moment } from '../../ui/time'

/** kindOf turns a predicate type into the word people use for it. */
export function kindOf(predicateType: string): string {
  if (predicateType.includes('slsa.dev/provenance')) return 'SLSA provenance'
  if (predicateType.includes('slsa.dev/verification_summary')) return 'verification summary'
  if (predicateType.includes('cyclonedx')) return 'CycloneDX SBOM'
  if (predicateType.includes('spdx')) return 'SPDX SBOM'
  if (predicateType.includes('cosign/sign') || predicateType === '') return 'signature'
  return predicateType
}

export function ArtifactPanel({ r }: { r: Release }) {
  const t = useT()
  const a = r.artifact
  return (
    <section className="panel" aria-labelledby="artifact">
      <div className="panel-head"><h2 id="artifact">{t.release.artifact}</h2><Link className="end small" to="/releases/$id/build" params={{ id: r.id }} search={{}}>{t.build.how}</Link></div>
      <div className="panel-body stack">
        {!a ? <p className="quiet">{r.pull ? t.release.notKept : t.release.noArtifact}</p> : (
          <>
            <div className="image">
              <code className="break">{a.repository}@{a.digest}</code>
              <Copy text={`${a.repository}@${a.digest}`} label={t.release.copyImage} />
            </div>
            <dl className="facts small">
              <dt>tag</dt><dd className="mono">{a.tag}</dd>
              <dt>{t.common.created}</dt><dd><Moment at={a.built} /></dd>
              {(r.stages ?? []).filter((s) => s.manifests).map((s) => <Manifest key={s.env} env={s.env} digest={s.manifests ?? ''} />)}
            </dl>
            <ul className="platforms">
              <Subject name="index" digest={a.digest} signed={a.signed ?? []} />
              {(a.platforms ?? []).map((p) => <Subject key={p.name} name={p.name} digest={p.digest} signed={a.signed ?? []} />)}
            </ul>
          </>
        )}
      </div>
    </section>
  )
}

function Manifest({ env, digest }: { env: string; digest: string }) {
  const t = useT()
  return <><dt>{t.release.manifests} {env}</dt><dd><code title={digest}>{shortDigest(digest)}</code></dd></>
}

function Subject({ name, digest, signed }: { name: string; digest: string; signed: Attached[] }) {
  const own = signed.filter((s) => s.subject === digest)
  return (
    <li>
      <div className="row tight"><strong>{name}</strong><code className="quiet small" title={digest}>{shortDigest(digest)}</code></div>
      {own.length > 0 && <ul className="row tight small">{own.map((s) => <li key={s.digest} className="attached" title={`${s.predicateType}\n${s.digest}`}><Icon name="check" size={13} />{kindOf(s.predicateType)}</li>)}</ul>}
    </li>
  )
}
