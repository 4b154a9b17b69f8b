// Before anything else: the first start, and logging in.
import type { JSX } from 'preact'
import { api, session } from '../shared/api.ts'
import { t } from '../shared/i18n.ts'
import { Form, Title } from '../shared/parts.tsx'
import { arrive, go } from '../shared/router.ts'
import type { Session } from '../shared/types.ts'

/** The token of the one-time link that the server printed, /#setup=…: what follows # is never sent anywhere. */
export function setupToken (): string {
  return new URLSearchParams(location.hash.slice(1)).get('setup') ?? ''
}

/** The first administrator chooses how to log in. */
export function Setup (): JSX.Element {
  return (
    <>
      <Title>{t('setup.title')}</Title>
      <p>{t('setup.text')}</p>
      <Form label={t('setup.go')} submit={async data => {
        session.value = await api.post<Session>('/setup', { token: data.token, user: data.user, password: data.password })
        go('/products/new', true)
        arrive()
      }}>
        <label><span>{t('setup.token')}</span><input name="token" required autocomplete="off" defaultValue={setupToken()} /></label>
        <label><span>{t('user')}</span><input name="user" required autocomplete="username" defaultValue="admin" /></label>
        <label><span>{t('password.new')}</span><input name="password" type="password" required minLength={10} autocomplete="new-password" /></label>
      </Form>
    </>
  )
}

export function LogIn (): JSX.Element {
  return (
    <>
      <Title>{t('login')}</Title>
      <Form label={t('login')} submit={async data => {
        session.value = await api.post<Session>('/session', { user: data.user, password: data.password })
        arrive()
      }}>
        <label><span>{t('user')}</span><input name="user" required autocomplete="username" /></label>
        <label><span>{t('password')}</span><input name="password" type="password" required autocomplete="current-password" /></label>
      </Form>
    </>
  )
}
