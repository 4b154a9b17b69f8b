// What is going out, and what came of it.
import { Fragment, type JSX } from 'preact'
import { api, path, withQuery } from '../shared/api.ts'
import { bytes, number, percent, t, word } from '../shared/i18n.ts'
import { Action, Await, ErrorNote, failure, Scroll, StateBadge, StateBar, Title, useServer, When } from '../shared/parts.tsx'
import { query, setQuery } from '../shared/router.ts'
import type { Forecast, List, Product, Release, State, Update } from '../shared/types.ts'

const states: State[] = ['offered', 'accepted', 'declined', 'downloading', 'downloaded', 'rebooting', 'running', 'confirmed', 'failed', 'cancelled', 'rolled_back']

export function UpdateTable ({ list }: { list: Update[] }): JSX.Element {
  if (list.length === 0) {
    return <p class="soft">{t('updates.none')}</p>
  }
  return (
    <Scroll label={t('nav.updates')}>
      <table>
        <thead><tr><th scope="col">{t('device')}</th><th scope="col">{t('product')}</th><th scope="col">{t('version')}</th><th scope="col">{t('state')}</th><th scope="col">{t('changed')}</th></tr></thead>
        <tbody>{list.map(row => (
          <tr key={row.id}>
            <th scope="row"><a href={`/devices/${row.device.id}`}>{row.device.name}</a></th>
            <td><a href={`/products/${row.product.id}`}>{row.product.name}</a></td>
            <td>{row.version}</td>
            <td><StateBadge state={row.state} inferred={row.inferred} />{row.state === 'downloading' && row.size > 0 && <> {percent(row.bytes / row.size)} <small>({bytes(row.size)})</small></>}
              {row.reason !== null && <><br /><small>{failure(row.reason)}</small></>}</td>
            <td><When at={row.changed} /></td>
          </tr>))}
        </tbody>
      </table>
    </Scroll>
  )
}

const unforeseen = ['silent', 'unknown', 'people', 'refused'] as const

/** How quickly a release goes out, when it will be everywhere, and where nobody can tell. */
export function Pace ({ release, base, devices }: { release: Release, base: string, devices: number }): JSX.Element {
  const forecast = useServer<Forecast>(`${base}/forecast`, change => change.kind.startsWith('release'))
  return (
    <>
      <dl class="facts">
        <dt>{t('version')}</dt><dd>{t('rollout.share', { done: release.devices, count: devices })}</dd>
        {release.devices >= devices
          ? <><dt>{t('forecast')}</dt><dd>{t('forecast.done')}</dd></>
          : forecast.value !== undefined && <Foretold found={forecast.value} />}
      </dl>
      {forecast.error !== undefined && <ErrorNote error={forecast.error} />}
    </>
  )
}

function Foretold ({ found }: { found: Forecast }): JSX.Element {
  const open = unforeseen.filter(what => found[what] > 0)
  return (
    <>
      <dt>{t('speed')}</dt><dd>{t('speed.hour', { count: found.per_hour })}</dd>
      {found.all === null
        ? <><dt>{t('forecast')}</dt><dd>{t('forecast.none')}</dd></>
        : (['half', 'most', 'all'] as const).map(share => {
            const when = found[share]
            return <Fragment key={share}><dt>{t(`forecast.${share}`)}</dt><dd>{when === null ? t('forecast.reached') : <When at={when} />}</dd></Fragment>
          })}
      {open.length > 0 && <><dt>{t('forecast.not')}</dt><dd><ul class="plain">{open.map(what => <li key={what}>{t(`forecast.${what}`, { count: found[what] })}</li>)}</ul></dd></>}
    </>
  )
}

/** A release that is current: how it goes. */
function Rollout ({ product, version }: { product: Product, version: string }): JSX.Element {
  const base = path`/products/${product.id}/releases/${version}`
  const release = useServer<Release>(base, change => change.product === product.id)
  return (
    <section class="card">
      <h2><a href={base}>{product.name} {version}</a></h2>
      <Await from={release}>{one => <>
        <StateBar counts={one.updates} />
        <Pace release={one} base={base} devices={product.devices} />
        {(one.failures ?? []).length > 0 && <><h3>{t('failures')}</h3>
          <ul>{one.failures?.map(row => <li key={row.code}><a href={withQuery('/updates', { product: product.id, version, reason: row.code })}>{failure(row)}</a>: {number(row.count)}</li>)}</ul></>}
        {product.role !== 'viewer' && <Action class="danger" confirm={t('release.stop.ask', { version })} run={async () => await api.post(`${base}/stop`)} done={t('release.stopped')}>{t('release.stop')}</Action>}
      </>}</Await>
    </section>
  )
}

/** As many as a person looks at; the others are on their products' pages. */
const shown = 12

function Rollouts ({ products }: { products: Product[] }): JSX.Element {
  const current = products.flatMap(product => Object.values(product.current).map(version => ({ product, version })))
  return (
    <>
      <h2>{t('rollout')}</h2>
      {current.length === 0 && <p>{t('rollout.none')}</p>}
      <div class="cards below">{current.slice(0, shown).map(row => <Rollout key={`${row.product.id} ${row.version}`} {...row} />)}</div>
    </>
  )
}

export function Updates (): JSX.Element {
  const wanted = Object.fromEntries(query.value)
  const products = useServer<List<Product>>('/products?limit=500', change => change.kind === 'release.current' || change.kind === 'device.created')
  const updates = useServer<List<Update>>(withQuery('/updates', { ...wanted, limit: 100 }), change => change.kind.startsWith('update'))
  return (
    <>
      <Title>{t('nav.updates')}</Title>
      <Rollouts products={products.value?.items ?? []} />
      <h2>{t('history')}</h2>
      <div class="row">
        <label><span>{t('product')}</span><select value={wanted.product ?? ''} onChange={event => { setQuery({ product: event.currentTarget.value, after: '' }) }}>
          <option value="">{t('all')}</option>{products.value?.items.map(one => <option key={one.id} value={one.id}>{one.name}</option>)}</select></label>
        <label><span>{t('state')}</span><select value={wanted.state ?? ''} onChange={event => { setQuery({ state: event.currentTarget.value, after: '' }) }}>
          <option value="">{t('all')}</option>{states.map(state => <option key={state} value={state}>{word('state', state)}</option>)}</select></label>
      </div>
      <Await from={updates}>{list => <>
        <UpdateTable list={list.items} />
        <div class="row">
          {wanted.after !== undefined && <button type="button" onClick={() => { setQuery({ after: '' }) }}>{t('page.first')}</button>}
          {list.next !== null && <button type="button" onClick={() => { setQuery({ after: list.next ?? '' }) }}>{t('page.next')}</button>}
        </div>
      </>}</Await>
    </>
  )
}
