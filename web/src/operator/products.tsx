// The products, and making one: the answer to "what is this fleet?" decides what is asked, and what to paste.
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { api } from '../shared/api.ts'
import { number, t, word } from '../shared/i18n.ts'
import { Await, Form, Title, useServer } from '../shared/parts.tsx'
import { go } from '../shared/router.ts'
import type { Kind, List, Product } from '../shared/types.ts'
import { ShowMe } from './show.tsx'

const kinds: Record<Kind, { chips: string[], map: boolean, table: boolean, ptype: boolean }> = {
  nonos: { chips: ['esp8266'], map: true, table: false, ptype: true },
  arduino: { chips: ['esp8266', 'esp32', 'esp32s2', 'esp32s3', 'esp32c3', 'esp32c6'], map: false, table: false, ptype: false },
  otadrive: { chips: ['esp8266', 'esp32', 'esp32s2', 'esp32s3', 'esp32c3', 'esp32c6'], map: false, table: false, ptype: false },
  idf: { chips: ['esp32', 'esp32s2', 'esp32s3', 'esp32c2', 'esp32c3', 'esp32c6', 'esp32h2', 'esp32p4'], map: false, table: true, ptype: false },
  rtos: { chips: ['esp8266'], map: false, table: true, ptype: false },
  updraft: { chips: ['esp8266', 'esp32', 'esp32s2', 'esp32s3', 'esp32c3', 'esp32c6'], map: true, table: true, ptype: false }
}
export const consents = ['automatic', 'ask_download', 'ask_reboot', 'operator'] as const
export const strangers = ['hold', 'admit', 'refuse'] as const

export function Products (): JSX.Element {
  const products = useServer<List<Product>>('/products?limit=500', change => change.kind.startsWith('product') || change.kind.startsWith('release'))
  return (
    <>
      <div class="spread"><Title>{t('nav.products')}</Title><a class="button primary" href="/products/new">{t('product.new')}</a></div>
      <Await from={products}>{list => list.items.length === 0
        ? <p>{t('products.none')}</p>
        : <div class="cards">{list.items.map(product => (
            <article class="card" key={product.id}>
              <h2><a href={`/products/${product.id}`}>{product.name}</a></h2>
              <dl class="facts">
                <dt>{t('kind')}</dt><dd>{word('kind', product.kind)}, {product.chip}</dd>
                <dt>{t('current')}</dt><dd>{Object.entries(product.current).map(([channel, version]) => `${version} (${channel})`).join(', ') || t('none')}</dd>
                <dt>{t('nav.devices')}</dt><dd>{number(product.devices)}, {t('devices.online', { count: product.online })}</dd>
              </dl>
            </article>))}
          </div>}
      </Await>
    </>
  )
}

export function NewProduct (): JSX.Element {
  const kind = useSignal<Kind>('nonos')
  const asks = kinds[kind.value]
  return (
    <div style="max-width: 40rem">
      <Title>{t('product.new')}</Title>
      <ShowMe />
      <Form label={t('product.create')} submit={async data => {
        const made = await api.post<Product>('/products', {
          name: data.name,
          kind: kind.value,
          chip: data.chip,
          consent: data.consent,
          strangers: data.strangers,
          ...(asks.map && data.map !== '' && { map: Number(data.map) }),
          ...(asks.table && data.partition_table !== '' && { partition_table: data.partition_table }),
          ...(asks.ptype && data.ptype !== '' && { ptype: Number(data.ptype) })
        })
        go(`/products/${made.id}`)
      }}>
        <label><span>{t('name')}</span><input name="name" required maxLength={100} autocomplete="off" /></label>
        <fieldset>
          <legend>{t('kind.ask')}</legend>
          {(Object.keys(kinds) as Kind[]).map(one => (
            <label class="inline" key={one}>
              <input type="radio" name="kind" value={one} checked={kind.value === one} onChange={() => { kind.value = one }} />
              <span style="font-weight: normal"><strong>{word('kind', one)}</strong><br /><small>{word('kind.text', one)}</small></span>
            </label>))}
        </fieldset>
        <label><span>{t('chip')}</span><select name="chip">{asks.chips.map(chip => <option key={chip}>{chip}</option>)}</select></label>
        {asks.map && <label><span>{t('map')}</span><select name="map"><option value="">{t('none')}</option>{[0, 2, 3, 4, 5, 6, 8, 9].map(map => <option key={map} value={map} selected={map === 2}>{word('map', String(map))}</option>)}</select></label>}
        {asks.ptype && <label><span>{t('ptype')}</span><input name="ptype" inputMode="numeric" pattern="[0-9]*" /></label>}
        {asks.table && <label><span>{t('table')}</span><textarea name="partition_table" rows={5} style="width: 100%" class="mono" placeholder="# Name, Type, SubType, Offset, Size" /></label>}
        <label><span>{t('consent')}</span><select name="consent">{consents.map(one => <option key={one} value={one}>{t(`consent.${one}`)}</option>)}</select></label>
        <label><span>{t('strangers')}</span><select name="strangers">{strangers.map(one => <option key={one} value={one}>{t(`strangers.${one}`)}</option>)}</select></label>
      </Form>
    </div>
  )
}
