// What changes on the server, as it changes: one event stream for the page, shared by whatever is on it.
//
// Whoever logs in is told where the stream stands, before anything else is asked, and listens from there on: what
// changes while a page asks for what it shows is not missed. The browser reconnects by itself and says the last event
// that it saw, so nothing is missed over a restart of the server either. When the server can no longer tell what was
// missed it says `reset`, and everything is asked anew.
//
// A stream keeps one of the six connections that a browser has to a server without HTTP/2, whatever tab it is of. So
// only a page that can be seen has one: a hidden one ends its own, and goes on after the last event that it saw when it
// is shown. That is no loss of the connection, and is not said as one.
import { effect, signal } from '@preact/signals'
import { session } from './api.ts'

export interface Change { kind: string, product?: string, device?: string, release?: string, update?: string }

type Listener = (change: Change) => void

const listeners = new Set<Listener>()
let source: EventSource | undefined
let last = ''
let watched = ''
/** Whether it is to be listened, be it only when the page is shown again. */
let wanted = false
let shown = !document.hidden

/** Whether the page hears of changes right now. */
export const connected = signal(false)

/** Begin to listen; harmless when that has begun. */
export function listen (): void {
  wanted = true
  if (last === '' && session.peek()) {
    last = String(session.peek()?.seq)
  }
  if (source !== undefined || !shown) {
    return
  }
  const asked = new URLSearchParams({ ...(watched !== '' && { watch: watched }), ...(last !== '' && { after: last }) }).toString()
  const opened = source = new EventSource('/api/v1/events' + (asked === '' ? '' : `?${asked}`))
  source.onopen = () => { connected.value = true }
  source.onerror = () => {
    if (source !== opened) {
      return
    }
    connected.value = false
    // A refused stream (logged out) is closed for good; a lost one is not.
    if (source?.readyState === EventSource.CLOSED) {
      source = undefined
      setTimeout(() => { if (session.value) listen() }, 5000)
    }
  }
  // Devices that are watched were heard of, or are silent now.
  source.addEventListener('heard', event => {
    for (const device of (JSON.parse(event.data) as { devices: string[] }).devices) {
      for (const listener of listeners) {
        listener({ kind: 'device.heard', device })
      }
    }
  })
  source.onmessage = event => {
    last = event.lastEventId
    const change = JSON.parse(event.data) as Change
    for (const listener of listeners) {
      listener(change)
    }
  }
  source.addEventListener('reset', event => {
    last = event.lastEventId
    for (const listener of listeners) {
      listener({ kind: 'reset' })
    }
  })
}

function close (): void {
  source?.close()
  source = undefined
}

export function stopListening (): void {
  close()
  wanted = false
  last = ''
  connected.value = false
}

// Whose session has ended hears nothing more, however it ended; nor does who logs in after him in the same page.
effect(() => { if (session.value === null) stopListening() })

/** Hear of these devices' contacts too: those that the page shows. The stream goes on where it stands. */
export function watch (devices: string[]): void {
  const list = devices.slice(0, 100).sort().join(',')
  if (list === watched) {
    return
  }
  watched = list
  if (source !== undefined) {
    close()
    listen()
  }
}

function show (now: boolean): void {
  shown = now
  if (!shown) {
    close()
  } else if (wanted) {
    listen()
  }
}

document.addEventListener('visibilitychange', () => { show(!document.hidden) })
// A page that is left is kept for the way back to it; with a stream it would not be.
addEventListener('pagehide', () => { show(false) })
addEventListener('pageshow', () => { show(!document.hidden) })

/** Call for each change from now on. @return how to stop */
export function onChange (listener: Listener): () => void {
  listeners.add(listener)
  listen()
  return () => { listeners.delete(listener) }
}

/** Changes that come together, such as an update's and its device's, are one. */
const together = 60

/**
 * Call after the changes that matter, soon after the first and then at most once in `pause` milliseconds. Many devices
 * change at once when a release goes out: the page asks again for what it shows, and not once for each of them.
 */
export function onChanges (matters: (change: Change) => boolean, refresh: () => void, pause = 400): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = -Infinity
  const stop = onChange(change => {
    if (timer === undefined && (change.kind === 'reset' || matters(change))) {
      const wait = Math.max(together, last + pause - performance.now())
      timer = setTimeout(() => { timer = undefined; last = performance.now(); refresh() }, wait)
    }
  })
  return () => { stop(); clearTimeout(timer) }
}
