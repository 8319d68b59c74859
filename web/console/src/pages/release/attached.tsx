// The image as platforms with digests, and what is attached to each: by which key it was
// signed, and when it was last verified.
import type { Artifact, Build, BuildDocument } from '../../api/types'
import { useT } from '../../i18n'
import { documentsOf } from '../../journey/build'
import { Copy, Scroll, shortDigest } from '../../ui/parts'
import { Status } from '../../ui/status'
import { Moment, known } from '../../ui/time'
import { kindOf } from './artifact'

export function Attached({ artifact: a, b }: { artifact: Artifact; b: Build }) {
  const t = useT()
  const platforms = (a.platforms ?? []).filter((p) => p.digest !== a.digest)
  const subjects = [{ name: platforms.length > 0 ? t.build.index : (a.platforms?.[0]?.name ?? t.build.index), digest: a.digest }, ...platforms]
  return (
    <section className="panel" aria-labelledby="attached">
      <div className="panel-head"><h2 id="attached">{t.build.attached}</h2></div>
      <Scroll className="grid-wrap" label={t.build.attached}>
        <table className="grid attachments">
          <caption className="visually-hidden">{t.build.attached}</caption>
          <thead><tr><th scope="col">{t.build.platform}</th><th scope="col">{t.build.document}</th><th scope="col">{t.common.state}</th><th scope="col">{t.build.key}</th><th scope="col">{t.build.verifiedAt}</th><th scope="col">{t.build.digest}</th></tr></thead>
          {subjects.map((s) => <Subject key={s.digest} name={s.name} reference={`${a.repository}@${s.digest}`} digest={s.digest} documents={documentsOf(b, s.digest)} />)}
        </table>
      </Scroll>
    </section>
  )
}

function Subject({ name, reference, digest, documents }: { name: string; reference: string; digest: string; documents: BuildDocument[] }) {
  const t = useT()
  const head = (
    <th scope="rowgroup" rowSpan={Math.max(1, documents.length)}>
      <div>{name}</div>
      <span className="with-copy"><code className="quiet small" title={digest}>{shortDigest(digest)}</code><Copy text={reference} label={`${t.release.copyImage}${t.common.colon}${name}`} /></span>
    </th>
  )
  if (documents.length === 0) return <tbody><tr>{head}<td colSpan={5} className="quiet">{t.build.nothingAttached}</td></tr></tbody>
  return (
    <tbody>
      {documents.map((d, i) => (
        <tr key={`${d.predicateType} ${d.digest}`}>
          {i === 0 && head}
          <td title={d.predicateType}>{kindOf(d.predicateType)}</td>
          <td>{d.verified ? <Status tone="good">{t.build.verified}</Status> : known(d.at) ? <Status tone="bad" title={d.detail}>{t.build.refused}</Status> : <Status tone="idle" icon="question">{t.build.unverified}</Status>}</td>
          <td>{d.key ? <code title={d.key}>{d.key.slice(0, 16)}</code> : <span className="quiet">–</span>}</td>
          <td><Moment at={d.at} /></td>
          <td><span className="with-copy"><code className="quiet" title={d.digest}>{shortDigest(d.digest)}</code><Copy text={d.digest} label={`${t.common.copy} ${kindOf(d.predicateType)}${t.common.colon}${name}`} /></span></td>
        </tr>
      ))}
    </tbody>
  )
}
