// Users, tokens, the audit log and settings.
import { useSignal } from '@preact/signals'
import { Fragment, type JSX } from 'preact'
import { api, path, session } from '../shared/api.ts'
import { number, t, time, word } from '../shared/i18n.ts'
import { Action, Await, Copy, Form, say, Scroll, Title, useServer, When } from '../shared/parts.tsx'
import { query, setQuery } from '../shared/router.ts'
import type { Audit as Log, List, Server, Token, User } from '../shared/types.ts'

export function Users (): JSX.Element {
  const users = useServer<List<User>>('/users?limit=500', change => change.kind.startsWith('user'))
  return (
    <>
      <Title>{t('nav.users')}</Title>
      <section class="card">
        <Await from={users}>{list => <Scroll label={t('nav.users')}><table>
          <thead><tr><th scope="col">{t('user')}</th><th scope="col">{t('role')}</th><th scope="col">{t('last.login')}</th><th scope="col">{t('actions')}</th></tr></thead>
          <tbody>{list.items.map(user => <tr key={user.id}>
            <th scope="row">{user.name}{user.disabled && <> <span class="badge bad">{t('disabled')}</span></>}</th>
            <td>{user.role === 'administrator' ? t('role.administrator') : t('role.member')}</td>
            <td><When at={user.last_login} /></td>
            <td>{user.id !== session.value?.user && <Action run={async () => { await api.patch(path`/users/${user.id}`, { disabled: !user.disabled }); users.reload() }}>{user.disabled ? t('enable') : t('disable')}</Action>}</td>
          </tr>)}</tbody>
        </table></Scroll>}</Await>
      </section>
      <section class="card" style="max-width: 34rem">
        <h2>{t('user.new')}</h2>
        <Form label={t('user.create')} then={users.reload} submit={async data => {
          await api.post('/users', { name: data.name, password: data.password, role: data.role })
          say(t('saved'))
        }}>
          <label><span>{t('user')}</span><input name="name" required autocomplete="off" /></label>
          <label><span>{t('password.new')}</span><input name="password" type="password" required minLength={10} autocomplete="new-password" /></label>
          <label><span>{t('role')}</span><select name="role"><option value="none">{t('role.member')}</option><option value="administrator">{t('role.administrator')}</option></select></label>
        </Form>
      </section>
    </>
  )
}

export function Tokens (): JSX.Element {
  const tokens = useServer<List<Token>>('/tokens?limit=500')
  const made = useSignal<Token | null>(null)
  return (
    <>
      <Title>{t('nav.tokens')}</Title>
      <p>{t('tokens.text')}</p>
      {made.value?.token !== undefined && <section class="notice good"><p>{t('token.once')}</p><Copy text={made.value.token} label={made.value.name} /></section>}
      <section class="card">
        <Await from={tokens}>{list => list.items.length === 0 ? <p>{t('none')}</p> : <Scroll label={t('nav.tokens')}><table>
          <thead><tr><th scope="col">{t('name')}</th><th scope="col">{t('created')}</th><th scope="col">{t('last.used')}</th><th scope="col">{t('actions')}</th></tr></thead>
          <tbody>{list.items.map(token => <tr key={token.id}><th scope="row">{token.name}</th><td><When at={token.created} /></td><td><When at={token.last_used} /></td>
            <td><Action class="danger" run={async () => { await api.delete(path`/tokens/${token.id}`); tokens.reload() }}>{t('revoke')}</Action></td></tr>)}</tbody>
        </table></Scroll>}</Await>
      </section>
      <section class="card" style="max-width: 34rem">
        <h2>{t('token.new')}</h2>
        <Form label={t('token.create')} then={tokens.reload} submit={async data => { made.value = await api.post<Token>('/tokens', { name: data.name }) }}>
          <label><span>{t('name')}</span><input name="name" required maxLength={100} autocomplete="off" /></label>
        </Form>
      </section>
    </>
  )
}

export function Audit (): JSX.Element {
  const after = query.value.get('after') ?? ''
  const log = useServer<Log>(`/audit?limit=100${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`, change => change.kind !== 'device')
  return (
    <>
      <Title>{t('nav.audit')}</Title>
      <Await from={log}>{found => <>
        <p class={`notice ${found.chain.ok ? 'good' : 'bad'}`} role="status">{found.chain.ok
          ? t('audit.whole', { count: found.chain.checked })
          : t('audit.broken', { seq: number(found.chain.broken_at ?? 0) })}</p>
        <Scroll label={t('nav.audit')}><table>
          <thead><tr><th scope="col" class="number">#</th><th scope="col">{t('time')}</th><th scope="col">{t('who')}</th><th scope="col">{t('what')}</th><th scope="col">{t('object')}</th><th scope="col">{t('before')}</th><th scope="col">{t('after')}</th></tr></thead>
          <tbody>{found.items.map(row => <tr key={row.seq}>
            <td class="number">{row.seq}</td><td>{time(row.time)}</td><td>{row.who}</td><td class="mono">{row.what}</td><td class="mono">{row.object}</td>
            <td class="mono any">{row.before === null ? '' : JSON.stringify(row.before)}</td><td class="mono any">{row.after === null ? '' : JSON.stringify(row.after)}</td>
          </tr>)}</tbody>
        </table></Scroll>
        <div class="row">
          {after !== '' && <button type="button" onClick={() => { setQuery({ after: '' }) }}>{t('page.first')}</button>}
          {found.next !== null && <button type="button" onClick={() => { setQuery({ after: found.next ?? '' }) }}>{t('page.next')}</button>}
        </div>
      </>}</Await>
    </>
  )
}

export function Settings (): JSX.Element {
  const server = useServer<Server>('/server')
  return (
    <>
      <Title>{t('nav.settings')}</Title>
      <Await from={server}>{found => <section class="card"><h2>{t('server')}</h2>
        <dl class="facts">
          <dt>{t('version')}</dt><dd>{found.version}</dd>
          <dt>{t('started')}</dt><dd><When at={found.started} /></dd>
          {Object.entries(found.addresses).map(([name, address]) => <Fragment key={name}><dt>{word('server', name)}</dt><dd class="mono">{address}</dd></Fragment>)}
        </dl>
        {found.simulating && session.value?.role === 'administrator' && <p class="below"><Action run={async () => { await api.delete('/simulation'); server.reload() }}>{t('show.stop')}</Action></p>}
      </section>}</Await>
      <section class="card" style="max-width: 34rem">
        <h2>{t('password.change')}</h2>
        <Form label={t('save')} submit={async data => {
          await api.patch(path`/users/${session.value?.user ?? ''}`, { password: data.password, old_password: data.old_password })
          say(t('saved'))
        }}>
          <label><span>{t('password.now')}</span><input name="old_password" type="password" required autocomplete="current-password" /></label>
          <label><span>{t('password.new')}</span><input name="password" type="password" required minLength={10} autocomplete="new-password" /></label>
        </Form>
      </section>
    </>
  )
}
