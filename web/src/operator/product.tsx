// One product: its releases, what to paste into its devices, and a new release from a dropped file or pair.
import { useSignal } from '@preact/signals'
import { Fragment, type JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { api, path, withQuery } from '../shared/api.ts'
import { bytes, number, t, word } from '../shared/i18n.ts'
import { Damaged, inspect, flashMap } from '../shared/inspect.ts'
import { Action, Await, AwaitPage, Copy, ErrorNote, errorText, Form, Progress, say, Scroll, StateBar, Title, useServer, When } from '../shared/parts.tsx'
import { go } from '../shared/router.ts'
import { at, Said } from '../shared/said.tsx'
import type { FlashMap, Image, ImageDescription, List, Member, Product as One, Release, User } from '../shared/types.ts'
import { FlashDrawing } from './flashmap.tsx'
import { consents, strangers } from './products.tsx'

interface Dropped { file: File, found?: ImageDescription, error?: string, sent: number, sha256?: string }

/** Whether it is whole and for this chip; whether it fits the product's flash the server says. */
function fits (found: ImageDescription, chip: string): boolean {
  return found.ok && found.chip === chip
}

/** What a dropped file is, and where it would lie. */
function Found ({ dropped, map, chip }: { dropped: Dropped, map: FlashMap | null, chip: string }): JSX.Element {
  const found = dropped.found
  const digest = found?.[found.problem?.reason as 'checksum' | 'crc32' | 'sha256']
  if (found === undefined) {
    return <p class={dropped.error === undefined ? 'soft' : 'notice bad'} role={dropped.error === undefined ? undefined : 'alert'}>{dropped.file.name}: {dropped.error ?? t('loading')}</p>
  }
  return (
    <section class="card" aria-label={dropped.file.name}>
      <h3>{dropped.file.name} <span class={`badge ${fits(found, chip) ? 'good' : 'bad'}`}>{fits(found, chip) ? t('image.good') : t('image.bad')}</span></h3>
      {found.ok && !fits(found, chip) && <p class="notice bad" role="alert">{t('image.other', { chip: found.chip ?? t('unknown'), mine: chip })}</p>}
      {found.problem !== null && <p class="notice bad" role="alert"><Said group="problem" code={found.problem.reason} text={found.problem.text} /> ({at(found.problem.offset)})
        {digest?.ok === false && <><br /><small class="any">{t('image.digest', { stored: digest.stored, computed: digest.computed })}</small></>}</p>}
      <dl class="facts">
        <dt>{t('image.format')}</dt><dd>{found.format ?? t('unknown')}, {found.chip ?? t('unknown')}</dd>
        <dt>{t('size')}</dt><dd>{bytes(dropped.file.size)}</dd>
        {found.slot !== null && <><dt>{t('slot')}</dt><dd>{found.slot}</dd></>}
        {found.app !== null && <><dt>{t('version')}</dt><dd>{found.app.project} {found.app.version}</dd></>}
        {found.signatures.length > 0 && <><dt>{t('image.signed')}</dt><dd>{found.signatures.map(one => one.scheme).join(', ')}</dd></>}
      </dl>
      {map !== null && found.slot !== null && <FlashDrawing map={map} image={{ slot: found.slot, size: found.image_size }} />}
      {dropped.sent > 0 && dropped.sent < 1 && <Progress done={dropped.sent} of={1} label={dropped.file.name} />}
    </section>
  )
}

function Upload ({ product, done }: { product: One, done: () => void }): JSX.Element {
  const files = useSignal<Dropped[]>([])
  const over = useSignal(false)
  const box = useRef<HTMLElement>(null)
  const chooser = useRef<HTMLInputElement>(null)
  const map = useSignal<FlashMap | null>(null)
  useEffect(() => {
    if (product.map !== null) flashMap(product.map).then(found => { map.value = found }, () => {}) // without the drawing if need be
  }, [product.map])

  // What is found of a file may come when others were chosen instead of it.
  const change = (file: File, more: Partial<Dropped>): void => {
    files.value = files.value.map(dropped => dropped.file === file ? { ...dropped, ...more } : dropped)
  }
  const take = (list: FileList | null): void => {
    files.value = [...(list ?? [])].slice(0, 4).map(file => ({ file, sent: 0 }))
    for (const { file } of files.value) {
      inspect(file).then(found => { change(file, { found }) }, (error: unknown) => { change(file, { error: t('image.unreadable', { why: error instanceof Damaged ? t('problem.gzip') : errorText(error) }) }) })
    }
  }
  const good = files.value.length > 0 && files.value.every(dropped => dropped.found !== undefined && fits(dropped.found, product.chip))
  const version = files.value[0]?.found?.app?.version ?? ''

  return (
    <section class="card" ref={box}>
      <h2>{t('release.new')}</h2>
      <label class={`drop ${over.value ? 'over' : ''}`} style="display: block"
        onDragOver={event => { event.preventDefault(); over.value = true }}
        onDragLeave={() => { over.value = false }}
        onDrop={event => { event.preventDefault(); over.value = false; take(event.dataTransfer?.files ?? null) }}>
        <span>{t(product.map !== null ? 'release.drop.pair' : 'release.drop')}</span>
        <input ref={chooser} type="file" multiple accept=".bin,.gz" aria-label={t('release.files')} onChange={event => { take(event.currentTarget.files) }} />
      </label>
      {files.value.map(dropped => <Found key={dropped.file.name} dropped={dropped} map={map.value} chip={product.chip} />)}
      {good && <Form label={t('release.upload')} then={done} submit={async data => {
        const images: Record<string, string> = {}
        const chosen = files.value
        for (const { file, found } of chosen) {
          const image = await api.upload<Image>(path`/products/${product.id}/images`, file, sent => { change(file, { sent }) })
          images[found?.slot ?? 'app'] = image.sha256
        }
        await api.post(path`/products/${product.id}/releases`, {
          version: data.version, channel: data.channel, notes: data.notes, images
        })
        if (data.current === 'on') {
          await api.post(path`/products/${product.id}/releases/${data.version ?? ''}/current`)
        }
        // The form goes, and the focus that is in it does not.
        if (box.current?.contains(document.activeElement) === true) chooser.current?.focus()
        files.value = files.value.filter(dropped => !chosen.some(one => one.file === dropped.file))
        say(t('release.done', { version: data.version ?? '' }))
      }}>
        <div class="row" style="align-items: end">
          <label><span>{t('version')}</span><input name="version" required defaultValue={version} key={version} autocomplete="off" /></label>
          <label><span>{t('channel')}</span><select name="channel">{product.channels.map(channel => <option key={channel}>{channel}</option>)}</select></label>
        </div>
        <label><span>{t('notes')}</span><textarea name="notes" rows={3} style="width: 100%" /></label>
        <label class="inline"><input type="checkbox" name="current" /> <span style="font-weight: normal">{t('release.current.now')}</span></label>
      </Form>}
    </section>
  )
}

function Releases ({ product, releases }: { product: One, releases: Release[] }): JSX.Element {
  return (
    <Scroll label={t('releases')}>
      <table>
        <thead><tr><th scope="col">{t('version')}</th><th scope="col">{t('channel')}</th><th scope="col">{t('images')}</th><th scope="col" class="number">{t('nav.devices')}</th><th scope="col">{t('updates')}</th><th scope="col">{t('actions')}</th></tr></thead>
        <tbody>
          {releases.map(release => {
            const base = path`/products/${product.id}/releases/${release.version}`
            return (
              <tr key={release.version}>
                <th scope="row"><a href={base}>{release.version}</a>{' '}
                  {release.current && <span class="badge good">{t('current')}</span>}
                  {release.withdrawn && <span class="badge bad">{t('withdrawn')}</span>}
                  <br /><small><When at={release.created} /></small></th>
                <td>{release.channel}</td>
                <td>{release.images.map(image => `${image.slot} ${bytes(image.size)}`).join(', ')}</td>
                <td class="number"><a href={withQuery('/devices', { product: product.id, version: release.version })}>{number(release.devices)}</a></td>
                <td><StateBar counts={release.updates} /></td>
                <td>
                  {product.role !== 'viewer' && !release.current && !release.withdrawn &&
                    <Action class="primary" done={t('release.current.done', { version: release.version })} run={async () => await api.post(`${base}/current`)}>{t('release.current.set')}</Action>}
                </td>
              </tr>)
          })}
        </tbody>
      </table>
    </Scroll>
  )
}

const develops = (product: One): boolean => product.role === 'administrator' || product.role === 'developer'

/** A policy of the product, changed where it stands. */
function Choice<Word extends string> ({ product, field, words }: {
  product: One
  field: 'consent' | 'strangers'
  words: readonly Word[]
}): JSX.Element {
  return (
    <select aria-label={t(field)} value={product[field]} onChange={event => {
      api.patch(path`/products/${product.id}`, { [field]: event.currentTarget.value }).then(() => { say(t('saved')) }, error => { say(errorText(error), true) })
    }}>{words.map(one => <option key={one} value={one}>{word(field, one)}</option>)}</select>
  )
}

const replies = [304, 401, 403, 404] as const

/** The HTTP status for devices that get nothing: stock clients retry what is not 304, some of them at once. */
function Reply ({ product, field }: { product: One, field: 'reply_unknown' | 'reply_blocked' }): JSX.Element {
  return (
    <select aria-label={t(field)} value={product[field]} onChange={event => {
      api.patch(path`/products/${product.id}`, { [field]: Number(event.currentTarget.value) }).then(() => { say(t('saved')) }, error => { say(errorText(error), true) })
    }}>{replies.map(one => <option key={one} value={one}>{word('reply', String(one))}</option>)}</select>
  )
}

const roles = ['viewer', 'operator', 'developer'] as const

/** Who may do what in the product. Users are found by their names, which only an administrator may list. */
function Members ({ product }: { product: One }): JSX.Element {
  const members = useServer<List<Member>>(path`/products/${product.id}/members`)
  const users = useServer<List<User>>(product.role === 'administrator' ? '/users?limit=500' : null)
  const set = async (user: string, role: string): Promise<void> => {
    await api.put(path`/products/${product.id}/members/${user}`, { role })
    members.reload()
  }
  return (
    <section class="card">
      <h2>{t('members')}</h2>
      <Await from={members}>{list => list.items.length === 0 ? <p>{t('members.none')}</p> : <Scroll label={t('members')}><table>
        <thead><tr><th scope="col">{t('user')}</th><th scope="col">{t('role')}</th><th scope="col">{t('actions')}</th></tr></thead>
        <tbody>{list.items.map(member => <tr key={member.user}>
          <th scope="row">{member.name}</th><td>{t(`role.${member.role}`)}</td>
          <td><Action class="danger" run={async () => { await api.delete(path`/products/${product.id}/members/${member.user}`); members.reload() }}>{t('member.remove')}</Action></td>
        </tr>)}</tbody>
      </table></Scroll>}</Await>
      {users.value !== undefined && <Form label={t('member.add')} submit={async data => { await set(data.user ?? '', data.role ?? ''); say(t('saved')) }}>
        <div class="row">
          <label><span>{t('user')}</span><select name="user" required>{users.value.items.map(user => <option key={user.id} value={user.id}>{user.name}</option>)}</select></label>
          <label><span>{t('role')}</span><select name="role">{roles.map(role => <option key={role} value={role}>{t(`role.${role}`)}</option>)}</select></label>
        </div>
      </Form>}
    </section>
  )
}

export function Product ({ id }: { id: string }): JSX.Element {
  const product = useServer<One>(path`/products/${id}`, change => change.product === id)
  const releases = useServer<List<Release>>(path`/products/${id}/releases?limit=500`, change => change.product === id)
  const paste = useServer<{ text: string, steps: Array<{ title: string, text: string }> }>(path`/products/${id}/paste`)
  return (
    <AwaitPage from={product}>{one => (
      <>
        <Title>{one.name}</Title>
        <div class="cards">
          <section class="card">
            <h2>{t('product')}</h2>
            <dl class="facts">
              <dt>{t('kind')}</dt><dd>{word('kind', one.kind)}</dd>
              <dt>{t('chip')}</dt><dd>{one.chip}{one.map !== null && `, ${word('map', String(one.map))}`}</dd>
              {one.ptype !== null && <><dt>{t('ptype')}</dt><dd>{String(one.ptype)}</dd></>}
              <dt>{t('nav.devices')}</dt><dd><a href={withQuery('/devices', { product: one.id })}>{number(one.devices)}</a>, {t('devices.online', { count: one.online })}</dd>
              <dt>{t('consent')}</dt><dd>
                {develops(one) ? <Choice product={one} field="consent" words={consents} /> : t(`consent.${one.consent}`)}
              </dd>
              <dt>{t('strangers')}</dt><dd>
                {develops(one) ? <Choice product={one} field="strangers" words={strangers} /> : t(`strangers.${one.strangers}`)}
              </dd>
              {(['reply_unknown', 'reply_blocked'] as const).map(field => <Fragment key={field}><dt>{t(field)}</dt><dd>
                {develops(one) ? <Reply product={one} field={field} /> : word('reply', String(one[field]))}
              </dd></Fragment>)}
              {one.key !== null && <><dt>{t('product.key')}</dt><dd class="mono">{one.key}</dd></>}
            </dl>
          </section>
          <section class="card">
            <h2>{t('paste')}</h2>
            <Await from={paste}>{lines => <>{lines.steps.map(step => <div key={step.title}><h3>{step.title}</h3><Copy text={step.text} label={step.title} /></div>)}</>}</Await>
          </section>
        </div>
        <section class="card below">
          <h2>{t('releases')}</h2>
          <Await from={releases}>{list => list.items.length === 0 ? <p>{t('releases.none')}</p> : <Releases product={one} releases={list.items} />}</Await>
        </section>
        {develops(one) && <><Upload product={one} done={releases.reload} /><Members product={one} /></>}
        {one.role === 'administrator' && <div class="row end">
          <Action class="danger" confirm={t('product.delete.ask', { name: one.name })} run={async () => { await api.delete(path`/products/${id}`); go('/products') }}>{t('product.delete')}</Action>
        </div>}
        {product.error !== undefined && <ErrorNote error={product.error} />}
      </>)}
    </AwaitPage>
  )
}
