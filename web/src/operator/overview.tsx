// How the fleet is, at a glance: what runs, what is going out, and what needs a person.
import type { JSX } from 'preact'
import { withQuery } from '../shared/api.ts'
import { number, t } from '../shared/i18n.ts'
import { Await, failure, going, StateBar, Title, useServer } from '../shared/parts.tsx'
import type { Overview as Whole } from '../shared/types.ts'
import { Chart } from './chart.tsx'
import { ShowMe } from './show.tsx'

const links: Record<Whole['attention'][number]['kind'], (product: string) => string> = {
  new: product => withQuery('/devices', { state: 'new', product }),
  consent: product => withQuery('/updates', { state: 'offered', product }),
  silent: product => withQuery('/devices', { state: 'silent', product }),
  failing: product => withQuery('/updates', { state: 'failed', product })
}

export function Overview (): JSX.Element {
  const whole = useServer<Whole>('/overview', () => true)
  return (
    <>
      <Title>{t('nav.overview')}</Title>
      <Await from={whole}>{view => view.products === 0
        ? <><div class="card"><h2>{t('empty.title')}</h2><p>{t('empty.text')}</p><a class="button primary" href="/products/new">{t('product.new')}</a></div><ShowMe /></>
        : <>
            <div class="cards">
              <section class="card" aria-label={t('nav.devices')}>
                <h2>{t('nav.devices')}</h2>
                <div class="figure">{number(view.devices)}</div>
                <p><a href="/devices">{t('devices.online', { count: view.online })}</a></p>
              </section>
              <section class="card">
                <h2>{t('attention')}</h2>
                {view.attention.length === 0
                  ? <p>{t('attention.none')}</p>
                  : <ul>{view.attention.map(row => (
                      <li key={`${row.kind} ${row.product?.id}`}><a href={links[row.kind](row.product?.id ?? '')}>{t(`attention.${row.kind}`, { count: row.count })}</a>{row.product !== null && <> · {row.product.name}</>}</li>))}
                    </ul>}
              </section>
              <section class="card">
                <h2>{t('updates.now')}</h2>
                <StateBar counts={Object.fromEntries(going.map(state => [state, view.updates[state] ?? 0]))} />
              </section>
            </div>
            <section class="card below">
              <h2>{t('versions.time')}</h2>
              <Chart title={t('versions.time')} times={view.history.times} series={view.history.series} />
            </section>
            <div class="cards">
              <section class="card">
                <h2>{t('versions')}</h2>
                <table>
                  <thead><tr><th scope="col">{t('product')}</th><th scope="col">{t('version')}</th><th scope="col" class="number">{t('nav.devices')}</th></tr></thead>
                  <tbody>{view.versions.map(row => (
                    <tr key={`${row.product.id} ${row.version}`}>
                      <td><a href={`/products/${row.product.id}`}>{row.product.name}</a></td><td>{row.version}</td>
                      <td class="number"><a href={withQuery('/devices', { product: row.product.id, version: row.version })}>{number(row.devices)}</a></td>
                    </tr>))}
                  </tbody>
                </table>
              </section>
              <section class="card">
                <h2>{t('failures')}</h2>
                {view.failures.length === 0
                  ? <p>{t('failures.none')}</p>
                  : <table><thead><tr><th scope="col">{t('reason')}</th><th scope="col" class="number">{t('updates')}</th></tr></thead>
                      <tbody>{view.failures.map(row => <tr key={row.code}><td>{failure(row)}</td><td class="number"><a href={withQuery('/updates', { reason: row.code })}>{number(row.count)}</a></td></tr>)}</tbody>
                    </table>}
              </section>
            </div>
          </>}
      </Await>
    </>
  )
}
