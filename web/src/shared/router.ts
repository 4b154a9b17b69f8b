// The page's address is its state: what is shown, and every filter of a table. Links are ordinary links.
import { computed, signal } from '@preact/signals'

const address = signal(new URL(location.href))

/** A navigation whose page has not shown its heading yet, and what had the focus when it began; null: none goes on. */
const arriving = signal<{ from: Element | null } | null>(null)

/** The next heading that is shown takes the focus: a screen reader begins with what the new page is about. */
export function arrive (): void {
  arriving.value = { from: document.activeElement }
}

/** Whether a navigation goes on, however long its page takes; a component that asks is drawn again when one begins. */
export const isArriving = (): boolean => arriving.value !== null

/** A heading is shown, which ends the navigation. @return whether the focus is still where it began, and not chosen anew */
export function arrived (): boolean {
  const { from } = arriving.peek() ?? { from: null }
  arriving.value = null
  const now = document.activeElement
  return now === null || now === document.body || now === from
}

addEventListener('popstate', () => {
  const before = address.peek().pathname
  address.value = new URL(location.href)
  if (address.peek().pathname !== before) arrive()
})

/** "/products/clock" as ["products", "clock"], decoded. */
export const route = computed(() => address.value.pathname.split('/').filter(part => part !== '').map(decodeURIComponent))

/** The query, as it stands. */
export const query = computed(() => address.value.searchParams)

/** Go to a page; `replace` leaves no entry in the history. */
export function go (to: string, replace = false): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', to)
  address.value = new URL(location.href)
  if (!replace) {
    scrollTo(0, 0)
    arrive()
  }
}

/** Change some of the query; an empty value takes a key away. */
export function setQuery (changes: Record<string, string>): void {
  const params = new URLSearchParams(query.value)
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') params.delete(name)
    else params.set(name, value)
  }
  const text = params.toString()
  go(address.value.pathname + (text === '' ? '' : `?${text}`), true)
}

/** Follow a link within the page without loading it anew; modified clicks stay the browser's. */
export function followLinks (prefix: string): void {
  document.addEventListener('click', event => {
    const link = (event.target as Element).closest('a')
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
    if (link === null || !plain || event.defaultPrevented || link.target !== '' || link.hasAttribute('download') ||
        link.origin !== location.origin || !link.pathname.startsWith(prefix) || link.pathname.startsWith('/api/') ||
        (prefix === '/' && /^\/app(\/|$)/.test(link.pathname))) {
      return
    }
    event.preventDefault()
    if (link.hash !== '' && link.pathname === location.pathname) {
      document.querySelector<HTMLElement>(link.hash)?.focus()
    } else {
      go(link.pathname + link.search)
    }
  })
}
