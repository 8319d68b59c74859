// What is in an image, one platform at a time; the server searches and pages.
import * as Tabs from '@radix-ui/react-tabs'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useComponentCounts, useComponents } from '../../api/hooks'
import type { Component, Platform, Release } from '../../api/types'
import { useT } from '../../i18n'
import { Copy, Empty, Failure, Loading, Scroll } from '../../ui/parts'
import { SearchField } from '../../ui/search'

export function SBOM({ r, platforms }: { r: Release; platforms: Platform[] }) {
  const t = useT()
  const search = useSearch({ from: '/shell/releases/$id/build' })
  const navigate = useNavigate({ from: '/releases/$id/build' })
  const counts = useComponentCounts(r.id, platforms)
  const chosen = platforms.find((p) => p.name === search.platform) ?? platforms[0]
  const set = (change: { platform?: string; q?: string }) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true, resetScroll: false })
  if (!chosen) return null
  return (
    <Tabs.Root className="panel" value={chosen.name} onValueChange={(platform) => set({ platform })} asChild>
      <section aria-labelledby="sbom">
        <div className="panel-head">
          <h2 id="sbom">{t.build.sbom}</h2>
          <Tabs.List className="tabs end sbom-tabs" aria-label={t.build.platform}>
            {platforms.map((p, i) => <Tabs.Trigger key={p.name} value={p.name}>{p.name} {counts[i] !== undefined && <span className="num quiet">{counts[i]}</span>}</Tabs.Trigger>)}
          </Tabs.List>
        </div>
        <div className="log-tools"><SearchField label={t.build.sbomSearch} hideLabel value={search.q ?? ''} onChange={(q) => set({ q: q === '' ? undefined : q })} /></div>
        {platforms.map((p) => (
          <Tabs.Content key={p.name} value={p.name} tabIndex={-1}>
            {p === chosen && <List id={r.id} platform={p} q={search.q ?? ''} onClear={() => set({ q: undefined })} />}
          </Tabs.Content>
        ))}
      </section>
    </Tabs.Root>
  )
}

function List({ id, platform, q, onClear }: { id: string; platform: Platform; q: string; onClear: () => void }) {
  const t = useT()
  const list = useComponents(id, platform, q)
  if (list.isPending) return <Loading lines={8} />
  if (list.error && !list.data) return <div className="panel-body"><Failure error={list.error} retry={() => void list.refetch()} /></div>
  const items = list.data.pages.flatMap((p) => p.items ?? [])
  const matches = list.data.pages[0]?.matches ?? 0
  if (items.length === 0) {
    return <Empty title={q === '' ? t.build.sbomEmpty : t.build.sbomNoMatch} icon={q === '' ? 'anchor' : 'search'}>{q !== '' && <button type="button" className="button" onClick={onClear}>{t.common.clear}</button>}</Empty>
  }
  return (
    <>
      <Scroll className="grid-wrap sbom" label={`${t.build.sbom} ${platform.name}`}>
        <table className="grid">
          <caption className="visually-hidden">{t.build.sbom} {platform.name}</caption>
          <thead><tr><th scope="col">{t.common.name}</th><th scope="col">{t.prefs.version}</th><th scope="col">{t.build.licence}</th><th scope="col" className="wide">{t.build.type}</th><th scope="col" className="wide">{t.build.purl}</th></tr></thead>
          <tbody>{items.map((c, i) => <Row key={`${c.purl ?? c.name} ${i}`} c={c} />)}</tbody>
        </table>
      </Scroll>
      <p className="row small quiet sbom-foot">
        <span className="num" role="status">{t.build.shown(items.length, matches)}</span>
        {list.hasNextPage && <button type="button" className="button small" aria-disabled={list.isFetchingNextPage} onClick={() => { if (!list.isFetchingNextPage) void list.fetchNextPage() }}>{list.isFetchingNextPage ? t.common.loading : t.build.more}</button>}
      </p>
    </>
  )
}

function Row({ c }: { c: Component }) {
  const t = useT()
  const licences = c.licences ?? []
  return (
    <tr>
      <th scope="row" className="break">{c.name}</th>
      <td className="mono sbom-version">{c.version || <span className="quiet">–</span>}</td>
      <td>{licences.length > 0 ? licences.join(t.common.comma) : <span className="quiet">{t.build.noLicence}</span>}</td>
      <td className="quiet wide">{c.type}</td>
      <td className="sbom-purl wide">{c.purl ? <span className="with-copy"><code className="quiet small break">{c.purl}</code><Copy text={c.purl} label={`${t.common.copy} ${t.build.purl}${t.common.colon}${c.name}`} /></span> : <span className="quiet">–</span>}</td>
    </tr>
  )
}
