// All devices: the server pages and filters, so that a million are as quick as ten. Filters are the page's address.
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { api, path, withQuery } from '../shared/api.ts'
import { t } from '../shared/i18n.ts'
import { Await, Copy, Dialog, Form, Scroll, StateBadge, Title, useServer, useWatch, When } from '../shared/parts.tsx'
import { go, query, setQuery } from '../shared/router.ts'
import type { Device, DevicePage, List, Product } from '../shared/types.ts'

const filters = ['online', 'silent', 'updating', 'failed', 'new', 'blocked'] as const
const sorts = ['name', 'last_seen', 'version'] as const

interface View { name: string, query: string }

function savedViews (): View[] {
  try {
    const views = JSON.parse(localStorage.getItem('views') ?? '[]') as View[]
    return Array.isArray(views) ? views.filter(view => typeof view.name === 'string' && typeof view.query === 'string') : []
  } catch {
    return []
  }
}

function NewDevice ({ products }: { products: Product[] }): JSX.Element {
  const open = useSignal(false)
  const made = useSignal<DevicePage | null>(null)
  return (
    <>
      <button type="button" onClick={() => { open.value = true; made.value = null }}>{t('device.new')}</button>
      <Dialog open={open} title={t('device.new')}>
        {made.value === null
          ? <Form label={t('device.create')} submit={async data => {
              made.value = await api.post<DevicePage>(path`/products/${data.product ?? ''}/devices`, { name: data.name, ...(data.serial !== '' && { serial: data.serial }) })
            }}>
              <label><span>{t('product')}</span><select name="product" required>{products.map(one => <option key={one.id} value={one.id}>{one.name}</option>)}</select></label>
              <label><span>{t('name')}</span><input name="name" required maxLength={100} autocomplete="off" /></label>
              <label><span>{t('serial')}</span><input name="serial" maxLength={100} autocomplete="off" /></label>
            </Form>
          : <>
              <p>{t('device.made')}</p>
              {made.value.device_key !== null && <Copy text={made.value.device_key} label={t('device.key')} />}
              <p><a href={`/devices/${made.value.id}`}>{made.value.name}</a></p>
            </>}
      </Dialog>
    </>
  )
}

/** What keeps a device from updates, if anything does. */
export function Standing ({ device }: { device: Device }): JSX.Element | null {
  return device.standing === 'blocked'
    ? <> <span class="badge bad">{t('blocked')}</span></>
    : device.standing === 'new' ? <> <span class="badge warn">{t('new')}</span></> : null
}

/** A filter that is typed. It says what the address says; the page is drawn again whenever a device is heard of, and what is being typed stays. */
function Typed ({ wanted, ...more }: { wanted: string } & JSX.IntrinsicElements['input']): JSX.Element {
  const field = useRef<HTMLInputElement>(null)
  useLayoutEffect(() => { if (field.current !== null) field.current.value = wanted }, [wanted])
  return <input ref={field} {...more} />
}

export function Devices (): JSX.Element {
  const wanted = Object.fromEntries(query.value)
  const views = useSignal(savedViews())
  const products = useServer<List<Product>>('/products?limit=500')
  const devices = useServer<List<Device>>(withQuery('/devices', { ...wanted, limit: 100 }), change => change.device !== undefined || change.kind.startsWith('release'))
  useWatch(devices.value?.items.map(one => one.id))
  const { after, ...lasting } = wanted
  const keep = (made: View[]): void => {
    views.value = made
    localStorage.setItem('views', JSON.stringify(made))
  }
  return (
    <>
      <div class="spread"><Title>{t('nav.devices')}</Title>
        <div class="row"><a class="button" download href={`/api/v1${withQuery('/devices', { ...lasting, format: 'csv' })}`}>CSV</a><NewDevice products={products.value?.items ?? []} /></div></div>
      <form class="row" role="search" style="align-items: end" onSubmit={event => { event.preventDefault(); setQuery({ q: String(new FormData(event.currentTarget).get('q')), after: '' }) }}>
        <label><span>{t('search')}</span><Typed name="q" type="search" wanted={wanted.q ?? ''} placeholder={t('search.what')} /></label>
        <label><span>{t('product')}</span><select value={wanted.product ?? ''} onChange={event => { setQuery({ product: event.currentTarget.value, version: '', after: '' }) }}>
          <option value="">{t('all')}</option>{products.value?.items.map(one => <option key={one.id} value={one.id}>{one.name}</option>)}</select></label>
        <label><span>{t('state')}</span><select value={wanted.state ?? ''} onChange={event => { setQuery({ state: event.currentTarget.value, after: '' }) }}>
          <option value="">{t('all')}</option>{filters.map(one => <option key={one} value={one}>{t(`filter.${one}`)}</option>)}</select></label>
        <label><span>{t('version')}</span><Typed name="version" wanted={wanted.version ?? ''} onChange={event => { setQuery({ version: event.currentTarget.value, after: '' }) }} size={10} /></label>
        <label><span>{t('sort')}</span><select value={wanted.sort ?? 'name'} onChange={event => { setQuery({ sort: event.currentTarget.value, after: '' }) }}>
          {sorts.map(one => <option key={one} value={one}>{t(`sort.${one}`)}</option>)}</select></label>
        <div style="margin-bottom: .9em"><button>{t('search.go')}</button></div>
      </form>
      <div class="row">
        {views.value.map(view => <span key={view.name} class="row" style="margin: 0; gap: .2em">
          <button type="button" onClick={() => { go(`/devices${view.query}`) }}>{view.name}</button>
          <button type="button" aria-label={t('view.forget', { name: view.name })} onClick={() => { keep(views.value.filter(one => one !== view)) }}>×</button>
        </span>)}
        {Object.keys(lasting).length > 0 && <form class="row" style="margin: 0" onSubmit={event => {
          event.preventDefault()
          const name = String(new FormData(event.currentTarget).get('view')).trim()
          if (name !== '') keep([...views.value.filter(one => one.name !== name), { name, query: withQuery('', lasting) }])
        }}><input name="view" aria-label={t('view.name')} placeholder={t('view.name')} required size={14} /><button>{t('view.keep')}</button></form>}
      </div>
      <Await from={devices}>{list => <>
        <p class="soft" role="status">{list.more === true ? '≥ ' : ''}{t('devices.count', { count: list.total })}</p>
        <Scroll label={t('nav.devices')}>
          <table>
            <thead><tr><th scope="col">{t('name')}</th><th scope="col">{t('product')}</th><th scope="col">{t('version')}</th><th scope="col">{t('slot')}</th><th scope="col">{t('last.seen')}</th><th scope="col">{t('update')}</th></tr></thead>
            <tbody>{list.items.map(device => (
              <tr key={device.id}>
                <th scope="row"><a href={`/devices/${device.id}`}>{device.name}</a><Standing device={device} /><br /><small class="mono">{device.serial ?? device.chip_id ?? device.mac ?? ''}</small></th>
                <td>{device.product.name}</td><td>{device.version ?? t('unknown')}</td><td>{device.slot ?? ''}</td>
                <td>{device.online ? <span class="badge good">{t('online')}</span> : <When at={device.last_seen} />}</td>
                <td>{device.update !== null && <><StateBadge state={device.update.state} inferred={device.update.inferred} /> {device.update.version}</>}</td>
              </tr>))}
            </tbody>
          </table>
        </Scroll>
        <div class="row">
          {after !== undefined && <button type="button" onClick={() => { setQuery({ after: '' }) }}>{t('page.first')}</button>}
          {list.next !== null && <button type="button" onClick={() => { setQuery({ after: list.next ?? '' }) }}>{t('page.next')}</button>}
        </div>
      </>}</Await>
    </>
  )
}

