// "Show me": virtual devices for who has none at hand, when the server has a simulator beside it.
import type { JSX } from 'preact'
import { api, session } from '../shared/api.ts'
import { t } from '../shared/i18n.ts'
import { Action, useServer } from '../shared/parts.tsx'
import { go } from '../shared/router.ts'
import type { Product, Server } from '../shared/types.ts'

export function ShowMe (): JSX.Element | null {
  const server = useServer<Server>(session.value?.role === 'administrator' ? '/server' : null)
  if (server.value?.simulator !== true || server.value.simulating) {
    return null
  }
  return (
    <section class="card">
      <h2>{t('show.title')}</h2>
      <p>{t('show.text')}</p>
      <Action run={async () => { go(`/products/${(await api.post<Product>('/simulation')).id}`) }}>{t('show.go')}</Action>
    </section>
  )
}
