// The few components that pages are made of.
import { signal, type Signal, useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks'
import { api, ApiError, refreshSession } from './api.ts'
import { language, languages, percent, speak, t, ago, time, word, type Language } from './i18n.ts'
import { onChanges, watch, type Change } from './live.ts'
import { at, phrase, type Detail } from './said.tsx'
import { arrive, arrived, isArriving } from './router.ts'
import type { Reason, State } from './types.ts'

/** What a request came to: nothing yet, a value, or the error in place of it. */
export interface Loaded<T> { value?: T, error?: ApiError, reload: () => void }

const telemetry = 10_000

/**
 * Ask the server, and ask again when something changes that matters, however slow its answers are: one request at a
 * time. The last value stays until the new one is there.
 *
 * @param url      what to get; null: nothing yet
 * @param matters  which changes call for another request; none without it
 */
export function useServer<T> (url: string | null, matters?: (change: Change) => boolean): Loaded<T> {
  const state = useSignal<{ url: string | null, value?: T, error?: ApiError }>({ url: null })
  // What is asked right now; and whether that is to be asked once more, because something changed meanwhile.
  const asked = useRef<{ url: string, again: boolean } | null>(null)
  const reload = (): void => {
    if (url === null) {
      return
    }
    if (asked.current?.url === url) {
      asked.current.again = true
      return
    }
    const mine = asked.current = { url, again: false }
    const settle = (found: { value: T } | { error: ApiError }): void => {
      if (asked.current !== mine) {
        return // the page is about something else by now
      }
      asked.current = null
      const before = state.peek()
      state.value = 'error' in found && before.url === url && before.value !== undefined
        ? { url, value: before.value, error: found.error }
        : { url, ...found }
      if (mine.again) reload()
    }
    api.get<T>(url).then(value => { settle({ value }) }, (error: ApiError) => { settle({ error }) })
  }
  useEffect(() => {
    reload()
    if (matters === undefined) {
      return undefined
    }
    const stop = onChanges(matters, reload)
    // Counts of who is online change without an event; of devices that are shown, useWatch() tells.
    const timer = setInterval(() => { if (!document.hidden) reload() }, telemetry)
    return () => { stop(); clearInterval(timer) }
  }, [url])
  return { ...state.value, reload }
}

/** Be told when these devices, which the page shows, are heard of or fall silent. */
export function useWatch (devices: string[] | undefined): void {
  useEffect(() => { if (devices !== undefined) watch(devices) }, [devices?.join()])
  useEffect(() => () => { watch([]) }, [])
}

/** The value, or why there is none. */
export function Await<T> ({ from, children }: { from: Loaded<T>, children: (value: T) => ComponentChildren }): JSX.Element {
  if (from.value !== undefined) {
    return <>{from.error !== undefined && <ErrorNote error={from.error} />}{children(from.value)}</>
  }
  return from.error !== undefined ? <ErrorNote error={from.error} /> : <p class="soft" aria-busy="true">{t('loading')}</p>
}

/** What a page is about, or that there is no such thing. */
export function AwaitPage<T> ({ from, children }: { from: Loaded<T>, children: (value: T) => ComponentChildren }): JSX.Element {
  return from.value === undefined && from.error?.status === 404
    ? <><Title>{t('lost.title')}</Title><p>{t('lost.text')}</p></>
    : <Await from={from}>{children}</Await>
}

/** What may be wider than a phone, with a name for who comes by keyboard. */
export function Scroll ({ label, children }: { label: string, children: ComponentChildren }): JSX.Element {
  return <div class="scroll" tabIndex={0} role="region" aria-label={label}>{children}</div>
}

/**
 * Refusals of which the page's one text says less than the server's own sentence, such as which of several rules it was.
 * test/locales.test.mjs holds them against the server's table.
 */
const terse = new Set('bad_address bad_chip bad_field bad_json bad_letter bad_map bad_name bad_reply bad_request bad_token bad_version database duplicate_field forbidden gone invalid missing name_taken no_such_release pair_incomplete simulation version_clash'.split(' '))

/** What went wrong, in the page's language, and the server's own sentence, in English, where that says more or is all there is. */
function told (error: unknown): { text?: string, sentence?: string } {
  if (!(error instanceof ApiError)) {
    return { text: String(error) }
  }
  const { status, code, detail, message } = error
  if (language.value === 'en' && status !== 0) {
    return { text: message }
  }
  const values = detail as Detail | undefined
  const text = phrase('error', code, values) ?? phrase('why.text', code, values) ?? phrase('problem', code, values)
  if (text === null) {
    return { sentence: message }
  }
  if (terse.has(code)) {
    return { text, sentence: message }
  }
  return { text: typeof values?.offset === 'number' ? `${text} (${at(values.offset)})` : text }
}

/** The same in one line. */
export function errorText (error: unknown): string {
  const { text, sentence = '' } = told(error)
  return text === undefined ? sentence : sentence === '' ? text : `${text} (${sentence})`
}

export function ErrorNote ({ error }: { error: unknown }): JSX.Element {
  const { text, sentence } = told(error)
  const own = sentence !== undefined && <span lang="en">{sentence}</span>
  return <p class="notice bad" role="alert">{text}{text !== undefined && own !== false ? <><br /><small>{own}</small></> : own}</p>
}

/** Ask again each second while a download goes on: how far it is changes without an event. */
export function useDownload (going: boolean, reload: () => void): void {
  useEffect(() => {
    const timer = going ? setInterval(reload, 1000) : undefined
    return () => { clearInterval(timer) }
  }, [going])
}

/**
 * A page's heading, which takes the focus when the page is gone to, be its data there at once or later; not when the
 * page is loaded by its address.
 */
export function Title ({ children }: { children: ComponentChildren }): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null)
  const arriving = isArriving()
  useLayoutEffect(() => {
    document.title = `${heading.current?.textContent ?? ''} · updraft`
    // The browser scrolls to where the page was left when one goes back.
    if (arriving && arrived()) heading.current?.focus({ preventScroll: true })
  })
  useLayoutEffect(() => {
    const mine = heading.current
    // Another heading takes this one's place, as when there is something after all: the focus is not lost with it.
    return () => { if (document.activeElement === mine) arrive() }
  }, [])
  return <h1 tabIndex={-1} ref={heading}>{children}</h1>
}

const toasts = signal<Array<{ id: number, text: string, bad: boolean }>>([])
let toast = 0

/** Ask who is logged in, and go on asking while there is no answer: nothing can be shown before. */
export function useSession (): void {
  useEffect(() => {
    const ask = (): void => {
      refreshSession().catch(error => {
        say(errorText(error), true)
        setTimeout(ask, 5000)
      })
    }
    ask()
  }, [])
}

/** Say in passing that something was done, or was not. */
export function say (text: string, bad = false): void {
  const id = ++toast
  toasts.value = [...toasts.value, { id, text, bad }]
  setTimeout(() => { toasts.value = toasts.value.filter(one => one.id !== id) }, bad ? 12000 : 5000)
}

export function Toasts (): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(one => <div key={one.id} class={`notice ${one.bad ? 'bad' : 'good'}`}>{one.text}</div>)}
    </div>
  )
}

/** A button that does one thing on the server, and cannot be pressed again before that is done; it keeps the focus. */
export function Action ({ run, done, confirm, class: kind = '', children, disabled = false }: {
  run: () => Promise<unknown>
  done?: string
  confirm?: string
  class?: string
  children: ComponentChildren
  disabled?: boolean
}): JSX.Element {
  const busy = useSignal(false)
  const asking = useSignal(false)
  const act = async (): Promise<void> => {
    asking.value = false
    if (busy.value) return
    busy.value = true
    try {
      await run()
      if (done !== undefined) say(done)
    } catch (error) {
      say(errorText(error), true)
    } finally {
      busy.value = false
    }
  }
  return (
    <>
      <button type="button" class={kind} disabled={disabled} aria-disabled={busy.value} aria-busy={busy.value}
        onClick={() => { if (confirm !== undefined) asking.value = true; else void act() }}>{children}</button>
      {confirm !== undefined && <Dialog open={asking} title={confirm}>
        <div class="row end">
          <button type="button" onClick={() => { asking.value = false }}>{t('cancel')}</button>
          <button type="button" class="danger" onClick={() => { void act() }}>{children}</button>
        </div>
      </Dialog>}
    </>
  )
}

/** A form whose error stands above its button, and at the field that it names. */
export function Form ({ submit, label, children, then }: {
  submit: (data: Record<string, string>) => Promise<unknown>
  label: string
  children: ComponentChildren
  then?: () => void
}): JSX.Element {
  const error = useSignal<unknown>(undefined)
  const busy = useSignal(false)
  const send = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    if (busy.value) return
    const form = event.target as HTMLFormElement
    busy.value = true
    error.value = undefined
    for (const field of form.querySelectorAll('[aria-invalid]')) {
      field.removeAttribute('aria-invalid')
    }
    try {
      await submit(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)])))
      then?.()
    } catch (caught) {
      error.value = caught
      const name = caught instanceof ApiError ? caught.field : undefined
      const field = name !== undefined ? form.elements.namedItem(name) : null
      if (field instanceof HTMLElement) {
        field.setAttribute('aria-invalid', 'true')
        field.focus()
      }
    } finally {
      busy.value = false
    }
  }
  return (
    <form onSubmit={event => { void send(event) }}>
      {children}
      {error.value !== undefined && <ErrorNote error={error.value} />}
      <button class="primary" aria-disabled={busy.value} aria-busy={busy.value}>{label}</button>
    </form>
  )
}

export function Dialog ({ open, title, children }: { open: Signal<boolean>, title: string, children: ComponentChildren }): JSX.Element {
  const box = useRef<HTMLDialogElement>(null)
  const label = useId()
  // At once: the next key is for the dialog already.
  useLayoutEffect(() => {
    if (open.value && box.current?.open === false) box.current.showModal()
    if (!open.value) box.current?.close()
  }, [open.value])
  return (
    // Escape closes it as everything else does, so that it can be opened again at once: that it was closed is told a
    // moment later, when it may be open again.
    <dialog ref={box} aria-labelledby={label} onCancel={event => { event.preventDefault(); open.value = false }}
      onClose={() => { if (box.current?.open === false) open.value = false }}>
      <h2 id={label}>{title}</h2>
      {open.value && children}
    </dialog>
  )
}

const colours: Record<State, 'good' | 'bad' | 'busy' | 'warn' | 'idle'> = {
  offered: 'warn', accepted: 'busy', declined: 'idle', downloading: 'busy', downloaded: 'busy', rebooting: 'busy',
  running: 'busy', confirmed: 'good', failed: 'bad', cancelled: 'idle', rolled_back: 'bad'
}

/** States that an update does not stay in. */
export const going: State[] = ['offered', 'accepted', 'downloading', 'downloaded', 'rebooting', 'running']

export const stateColour = (state: State): string => colours[state]

export function StateBadge ({ state, inferred = false }: { state: State, inferred?: boolean }): JSX.Element {
  return <span class={`badge ${colours[state]}`} title={inferred ? t('inferred') : ''}>
    {word('state', state)}{inferred ? ' *' : ''}
  </span>
}

/** Why an update failed, in the page's language when the reason is one that it knows. */
export function failure (reason: Reason): string {
  const text = word('fail', reason.code)
  return text === reason.code ? reason.text : text
}

/** How many are in which state: a bar, and its numbers as text. */
export function StateBar ({ counts }: { counts: Partial<Record<State, number>> }): JSX.Element {
  const rows = (Object.keys(colours) as State[]).map(state => ({ state, count: counts[state] ?? 0 })).filter(row => row.count > 0)
  const total = rows.reduce((sum, row) => sum + row.count, 0)
  if (total === 0) {
    return <p class="soft">{t('updates.none')}</p>
  }
  return (
    <>
      <div class="stack" aria-hidden="true">
        {rows.map(row => <span key={row.state} class={`fill-${colours[row.state]}`} style={`flex: ${row.count} 0 0`} />)}
      </div>
      <ul class="row plain">
        {rows.map(row => <li key={row.state}><span class={`badge ${colours[row.state]}`}>{word('state', row.state)}</span> {t('n', { count: row.count })} <small>({percent(row.count / total)})</small></li>)}
      </ul>
    </>
  )
}

// "3 minutes ago" goes on while the page is open.
const clock = signal(Date.now())
setInterval(() => { clock.value = Date.now() }, 10_000)

/** A moment, in words; the exact time on demand. */
export function When ({ at }: { at: string | null }): JSX.Element {
  return at === null ? <>{t('never')}</> : <time dateTime={at} title={time(at)}>{ago(at, Math.max(clock.value, Math.min(Date.parse(at), Date.now())))}</time>
}

export function Progress ({ done, of, label }: { done: number, of: number, label: string }): JSX.Element {
  const share = of > 0 ? Math.min(1, done / of) : 0
  return <div class="row"><progress style="flex: 1" max={1} value={share} aria-label={label} /> <span>{percent(share)}</span></div>
}

export function Language (): JSX.Element {
  return (
    <label class="inline" style="margin: 0">
      <span class="hidden">{t('language')}</span>
      <select name="language" value={language.value} onChange={event => { speak(event.currentTarget.value as Language) }}>
        {Object.entries(languages).map(([code, name]) => <option key={code} value={code} lang={code}>{name}</option>)}
      </select>
    </label>
  )
}

const themes = ['auto', 'light', 'dark'] as const
const theme = signal(localStorage.getItem('theme') ?? 'auto')
document.documentElement.dataset.theme = theme.value

export function Theme (): JSX.Element {
  return (
    <label class="inline" style="margin: 0">
      <span class="hidden">{t('theme')}</span>
      <select name="theme" value={theme.value} onChange={event => {
        theme.value = event.currentTarget.value
        localStorage.setItem('theme', theme.value)
        document.documentElement.dataset.theme = theme.value
      }}>
        {themes.map(name => <option key={name} value={name}>{t(`theme.${name}`)}</option>)}
      </select>
    </label>
  )
}

/** Text to paste somewhere, with a button that copies it. */
export function Copy ({ text, label }: { text: string, label: string }): JSX.Element {
  return (
    <div>
      <pre tabIndex={0} aria-label={label}>{text}</pre>
      <button type="button" onClick={() => { void navigator.clipboard.writeText(text).then(() => { say(t('copied')) }) }}>{t('copy')}</button>
    </div>
  )
}
