// The operator's page: who runs a fleet sees it, releases to it, and learns why a device does what it does.
import 'uplot/dist/uPlot.min.css'
import { render, type JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { api, session } from '../shared/api.ts'
import { t, type Text } from '../shared/i18n.ts'
import { connected, listen, stopListening } from '../shared/live.ts'
import { Action, Language, Theme, Title, Toasts, useSession } from '../shared/parts.tsx'
import { followLinks, route } from '../shared/router.ts'
import { Audit, Settings, Tokens, Users } from './admin.tsx'
import { Device } from './device.tsx'
import { Devices } from './devices.tsx'
import { LogIn, Setup, setupToken } from './enter.tsx'
import { Overview } from './overview.tsx'
import { Product } from './product.tsx'
import { NewProduct, Products } from './products.tsx'
import { Release } from './release.tsx'
import { Updates } from './updates.tsx'

const places: Array<{ name: string, text: Text, administrator?: boolean }> = [
  { name: '', text: 'nav.overview' },
  { name: 'products', text: 'nav.products' },
  { name: 'devices', text: 'nav.devices' },
  { name: 'updates', text: 'nav.updates' },
  { name: 'tokens', text: 'nav.tokens' },
  { name: 'users', text: 'nav.users', administrator: true },
  { name: 'audit', text: 'nav.audit', administrator: true },
  { name: 'settings', text: 'nav.settings' }
]

/** A page about another thing is another page: nothing of the one before is shown under its name. */
function Page (): JSX.Element {
  const [place = '', name, section, item] = route.value
  switch (place) {
    case '': return <Overview />
    case 'products':
      if (name === undefined) return <Products />
      if (name === 'new') return <NewProduct />
      return section === 'releases' && item !== undefined ? <Release key={`${name} ${item}`} product={name} version={item} /> : <Product key={name} id={name} />
    case 'devices': return name === undefined ? <Devices /> : <Device key={name} id={name} />
    case 'updates': return <Updates />
    case 'tokens': return <Tokens />
    case 'users': return <Users />
    case 'audit': return <Audit />
    case 'settings': return <Settings />
    default: return <><Title>{t('lost.title')}</Title><p>{t('lost.text')}</p><p><a href="/">{t('nav.overview')}</a></p></>
  }
}

function Bar (): JSX.Element {
  const here = route.value[0] ?? ''
  const administrator = session.value?.role === 'administrator'
  const user = session.value?.user
  useEffect(() => { if (user !== undefined) listen() }, [user])
  return (
    <header class="bar">
      <a class="brand" href="/">updraft</a>
      <nav aria-label={t('nav')}>
        {session.value != null && places.filter(place => administrator || place.administrator !== true).map(place => (
          <a key={place.name} href={`/${place.name}`} aria-current={here === place.name ? 'page' : undefined}>{t(place.text)}</a>
        ))}
      </nav>
      {session.value != null && <span class={`badge ${connected.value ? 'good' : 'warn'}`}>{connected.value ? t('live') : t('live.not')}</span>}
      <Language /><Theme />
      {session.value != null && <Action run={async () => { await api.delete('/session'); stopListening(); session.value = null }}>{t('logout')}</Action>}
    </header>
  )
}

function Everything (): JSX.Element {
  useSession()
  const setup = setupToken() !== ''
  return (
    <>
      <a class="skip" href="#content">{t('skip')}</a>
      <Bar />
      <main id="content" tabIndex={-1} class={session.value == null ? 'narrow' : ''}>
        {setup && session.value === null ? <Setup /> : session.value === null ? <LogIn /> : session.value === undefined ? <p aria-busy="true">{t('loading')}</p> : <Page />}
      </main>
      <Toasts />
    </>
  )
}

followLinks('/')
render(<Everything />, document.body)
