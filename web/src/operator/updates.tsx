// What is going out, and what came of it.
import type { JSX } from 'preact'
import { withQuery } from '../shared/api.ts'
import { bytes, percent, t, word } from '../shared/i18n.ts'
import { Await, StateBadge, Title, useServer, When } from '../shared/parts.tsx'
import { query, setQuery } from '../shared/router.ts'
import type { List, Product, State, Update } from '../shared/types.ts'

const states: State[] = ['offered', 'accepted', 'declined', 'downloading', 'downloaded', 'rebooting', 'running', 'confirmed', 'failed', 'cancelled', 'rolled_back']

export function UpdateTable ({ list }: { list: Update[] }): JSX.Element {
  if (list.length === 0) {
    return <p class="soft">{t('updates.none')}</p>
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t('nav.updates')}>
      <table>
        <thead><tr><th scope="col">{t('device')}</th><th scope="col">{t('product')}</th><th scope="col">{t('version')}</th><th scope="col">{t('state')}</th><th scope="col">{t('changed')}</th></tr></thead>
        <tbody>{list.map(row => (
          <tr key={row.id}>
            <th scope="row"><a href={`/devices/${row.device.id}`}>{row.device.name}</a></th>
            <td><a href={`/products/${row.product.id}`}>{row.product.name}</a></td>
            <td>{row.version}</td>
            <td><StateBadge state={row.state} inferred={row.inferred} />{row.state === 'downloading' && row.size > 0 && <> {percent(row.bytes / row.size)} <small>({bytes(row.size)})</small></>}
              {row.reason !== null && <><br /><small>{row.reason.text}</small></>}</td>
            <td><When at={row.changed} /></td>
          </tr>))}
        </tbody>
      </table>
    </div>
  )
}

export function Updates (): JSX.Element {
  const wanted = Object.fromEntries(query.value)
  const products = useServer<List<Product>>('/products?limit=500')
  const updates = useServer<List<Update>>(withQuery('/updates', { ...wanted, limit: 100 }), change => change.kind.startsWith('update'))
  return (
    <>
      <Title>{t('nav.updates')}</Title>
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
