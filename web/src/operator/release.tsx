// One release: what is in it, how it goes out, and how it differs from another one.
import type { JSX } from 'preact'
import { api, path, withQuery } from '../shared/api.ts'
import { bytes, number, t, word, type Text } from '../shared/i18n.ts'
import { Action, Await, AwaitPage, failure, Scroll, StateBar, Title, useServer, When } from '../shared/parts.tsx'
import { query, setQuery } from '../shared/router.ts'
import type { List, Product, Release as One, Update } from '../shared/types.ts'
import { Pace, UpdateTable } from './updates.tsx'

/** What a row of a comparison is about: words such as "app size", of which some have a text. */
const parts: Record<string, Text> = { channel: 'channel', letter: 'letter', notes: 'notes', size: 'size' }
const named = (what: string): string => what.split(' ').map(part => parts[part] === undefined ? part : t(parts[part])).join(' ')

interface Difference { rows: Array<{ what: string, before: string | null, after: string | null }> }

function Compared ({ base, version, other }: { base: string, version: string, other: string }): JSX.Element {
  const difference = useServer<Difference>(`${base}/compare/${encodeURIComponent(other)}`)
  return (
    <Await from={difference}>{found => <Scroll label={t('compare')}><table>
      <thead><tr><th scope="col">{t('compare.what')}</th><th scope="col">{other}</th><th scope="col">{version}</th></tr></thead>
      <tbody>{found.rows.map(row => <tr key={row.what}><th scope="row">{named(row.what)}</th><td class="any">{row.before ?? '–'}</td><td class="any">{row.after ?? '–'}</td></tr>)}</tbody>
    </table></Scroll>}</Await>
  )
}

export function Release ({ product, version }: { product: string, version: string }): JSX.Element {
  const base = path`/products/${product}/releases/${version}`
  const mine = (change: { product?: string }): boolean => change.product === product
  const release = useServer<One>(base, mine)
  const owner = useServer<Product>(path`/products/${product}`, mine)
  const releases = useServer<List<One>>(path`/products/${product}/releases?limit=500`)
  const updates = useServer<List<Update>>(withQuery('/updates', { product, version, limit: 50 }), mine)
  const other = query.value.get('compare') ?? ''
  const operates = owner.value !== undefined && owner.value.role !== 'viewer'
  return (
    <AwaitPage from={release}>{one => (
      <>
        <Await from={owner}>{found => <Title>{found.name} {one.version}</Title>}</Await>
        <div class="row">
          {one.current && <span class="badge good">{t('current')}</span>}
          {one.withdrawn && <span class="badge bad">{t('withdrawn')}</span>}
          {operates && !one.current && !one.withdrawn && <Action class="primary" run={async () => await api.post(`${base}/current`)} done={t('release.current.done', { version })}>{t('release.current.set')}</Action>}
          {operates && !one.withdrawn && <Action class="danger" confirm={t('release.withdraw.ask', { version })} run={async () => await api.post(`${base}/withdraw`)} done={t('withdrawn')}>{t('release.withdraw')}</Action>}
          {operates && <Action class="danger" confirm={t('release.stop.ask', { version })} run={async () => await api.post(`${base}/stop`)} done={t('release.stopped')}>{t('release.stop')}</Action>}
        </div>
        <div class="cards">
          <section class="card">
            <h2>{t('updates')}</h2>
            <StateBar counts={one.updates} />
            {owner.value !== undefined && <Pace release={one} base={base} devices={owner.value.devices} />}
            {(one.failures ?? []).length > 0 && <><h3>{t('failures')}</h3>
              <ul>{one.failures?.map(row => <li key={row.code}><a href={withQuery('/updates', { product, version, reason: row.code })}>{failure(row)}</a>: {number(row.count)}</li>)}</ul></>}
          </section>
          <section class="card">
            <h2>{t('release')}</h2>
            <dl class="facts">
              <dt>{t('created')}</dt><dd><When at={one.created} /></dd>
              <dt>{t('channel')}</dt><dd>{one.channel}</dd>
              {one.letter !== null && <><dt>{t('letter')}</dt><dd>{word('letter', one.letter)}</dd></>}
              <dt>{t('devices.run')}</dt><dd><a href={withQuery('/devices', { product, version })}>{number(one.devices)}</a></dd>
            </dl>
            {one.notes !== '' && <><h3>{t('notes')}</h3><p style="white-space: pre-wrap">{one.notes}</p></>}
          </section>
        </div>
        <section class="card below">
          <h2>{t('images')}</h2>
          <Scroll label={t('images')}>
            <table>
              <thead><tr><th scope="col">{t('slot')}</th><th scope="col" class="number">{t('size')}</th><th scope="col">MD5</th><th scope="col">SHA-256</th></tr></thead>
              <tbody>{one.images.map(image => <tr key={image.sha256 + image.slot}>
                <th scope="row">{image.slot}{image.variant !== '' && ` (${image.variant})`}</th><td class="number">{bytes(image.size)}</td><td class="mono">{image.md5}</td><td class="mono">{image.sha256}</td>
              </tr>)}</tbody>
            </table>
          </Scroll>
        </section>
        <section class="card">
          <h2>{t('compare')}</h2>
          <label><span>{t('compare.with')}</span><select value={other} onChange={event => { setQuery({ compare: event.currentTarget.value }) }}>
            <option value="">{t('none')}</option>
            {releases.value?.items.filter(row => row.version !== version).map(row => <option key={row.version}>{row.version}</option>)}
          </select></label>
          {other !== '' && <Compared key={other} base={base} version={version} other={other} />}
        </section>
        <section class="card">
          <h2>{t('nav.updates')}</h2>
          <Await from={updates}>{list => <UpdateTable list={list.items} />}</Await>
        </section>
      </>)}
    </AwaitPage>
  )
}
