// The page's address is its state: what is shown, and every filter of a table. Links are ordinary links.
import { computed, signal } from '@preact/signals'

const address = signal(new URL(location.href))

addEventListener('popstate', () => { address.value = new URL(location.href) })

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
    // A screen reader begins with what the new page is about.
    requestAnimationFrame(() => { document.querySelector<HTMLElement>('h1')?.focus() })
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
