// The owner's page, made for a phone: my devices, what is new for them, and my word on it.
import { useSignal } from '@preact/signals'
import { render, type JSX } from 'preact'
import { api, ApiError, path, session } from '../shared/api.ts'
import { t, time } from '../shared/i18n.ts'
import { stopListening } from '../shared/live.ts'
import { Action, Await, Dialog, Form, Language, Progress, Theme, Title, Toasts, useDownload, useServer, useSession, When } from '../shared/parts.tsx'
import { arrive, followLinks, query } from '../shared/router.ts'
import type { List, OwnedDevice, Session } from '../shared/types.ts'

/** The question of an update, in words anybody understands. */
function Offer ({ device }: { device: OwnedDevice }): JSX.Element | null {
  const offer = device.offer
  if (offer === null) {
    return null
  }
  const answer = (word: 'now' | 'tonight' | 'no') => async () => {
    await api.post(path`/my/devices/${device.id}/answer`, { update: offer.update, answer: word, offset: -new Date().getTimezoneOffset() })
  }
  const reboot = offer.question === 'reboot'
  return (
    <section class="notice">
      <h3>{reboot ? t('own.reboot.ask') : t('own.new', { version: offer.version })}</h3>
      {!reboot && offer.notes !== '' && <><strong>{t('own.changes')}</strong><p style="white-space: pre-wrap">{offer.notes}</p></>}
      <Action class="primary" run={answer('now')} done={t('own.thanks')}>{reboot ? t('own.reboot.now') : t('own.now')}</Action>
      {offer.postponed === null
        ? <Action run={answer('tonight')} done={t('own.thanks.tonight')}>{t('own.tonight')}</Action>
        : <p role="status">{t('own.thanks.tonight')} <small>{time(offer.postponed)}</small></p>}
      <Action run={answer('no')} done={t('own.thanks.no')}>{t('own.no')}</Action>
    </section>
  )
}

function Doing ({ device }: { device: OwnedDevice }): JSX.Element | null {
  const update = device.update
  if (update === null || update.state === 'offered') {
    return null
  }
  const text = t(`own.state.${update.state}`, { version: update.version })
  const bad = update.state === 'failed' || update.state === 'rolled_back'
  return (
    <div role="status" class={`notice ${update.state === 'confirmed' ? 'good' : bad ? 'bad' : ''}`}>
      <p>{text}</p>
      {bad && <p>{t('own.safe')}</p>}
      {update.state === 'downloading' && <Progress done={update.bytes} of={update.size} label={text} />}
    </div>
  )
}

/** The server says of whatever is not there that it is not there. */
function wrongCode (error: unknown): never {
  throw error instanceof ApiError && error.status === 404
    ? new ApiError(404, { error: { code: 'no_such_code', message: t('error.no_such_code') } })
    : error
}

function Claim ({ done }: { done: () => void }): JSX.Element {
  const open = useSignal(query.value.has('claim'))
  return (
    <>
      <button type="button" onClick={() => { open.value = true }}>{t('own.claim')}</button>
      <Dialog open={open} title={t('own.claim')}>
        <p>{t('own.claim.text')}</p>
        <Form label={t('own.claim.go')} then={() => { open.value = false; done() }} submit={async data => await api.post('/devices/claim', { code: data.code }).catch(wrongCode)}>
          <label><span>{t('own.code')}</span><input name="code" required autocomplete="off" autocapitalize="characters" defaultValue={query.value.get('claim') ?? ''} /></label>
        </Form>
      </Dialog>
    </>
  )
}

function Devices (): JSX.Element {
  const mine = useServer<List<OwnedDevice>>('/my/devices', () => true)
  useDownload(mine.value?.items.some(device => device.update?.state === 'downloading') === true, mine.reload)
  return (
    <>
      <Title>{t('own.devices')}</Title>
      <Await from={mine}>{list => <>
        {list.items.length === 0 && <p>{t('own.none')}</p>}
        {list.items.map(device => (
          <article class="card" key={device.id}>
            <h2>{device.name}</h2>
            <p class="soft">{device.version !== null && t('own.version', { version: device.version })}{' · '}{device.online ? t('online') : <>{t('last.seen')}: <When at={device.last_seen} /></>}</p>
            <Offer device={device} />
            <Doing device={device} />
          </article>))}
      </>}</Await>
      <Claim done={mine.reload} />
    </>
  )
}

function LogIn (): JSX.Element {
  return (
    <>
      <Title>{t('login')}</Title>
      <Form label={t('login')} submit={async data => { session.value = await api.post<Session>('/session', { user: data.user, password: data.password }); arrive() }}>
        <label><span>{t('user')}</span><input name="user" required autocomplete="username" style="width: 100%" /></label>
        <label><span>{t('password')}</span><input name="password" type="password" required autocomplete="current-password" style="width: 100%" /></label>
      </Form>
    </>
  )
}

function Everything (): JSX.Element {
  useSession()
  return (
    <>
      <header class="bar">
        <a class="brand" href="/app">updraft</a><span style="flex: 1" />
        {session.value != null && <Action run={async () => { await api.delete('/session'); stopListening(); session.value = null }}>{t('logout')}</Action>}
      </header>
      <main class="narrow">
        {session.value === undefined ? <p aria-busy="true">{t('loading')}</p> : session.value === null ? <LogIn /> : <Devices />}
      </main>
      <footer class="row"><Language /><Theme /></footer>
      <Toasts />
    </>
  )
}

document.body.classList.add('phone')
followLinks('/app')
render(<Everything />, document.body)
