// What the server says by a code: in the page's language, with the values that it says beside it.
import type { JSX } from 'preact'
import { en } from '../locales/en.ts'
import { bytes, t, word, type Text } from './i18n.ts'

/** The values of a sentence, by the names that it has for them. */
export type Detail = Record<string, unknown>

/** How a value is shown, where it is more than a number or somebody's text. */
const shapes: Record<string, (value: never) => string> = {
  size: (value: number) => bytes(value),
  state: (value: string) => word('state', value)
}

/** A text of the page's for a code of a group; null when there is none, or a value for it is missing. */
export function phrase (group: string, code: string, detail: Detail = {}): string | null {
  const key = `${group}.${code}`
  if (!Object.hasOwn(en, key)) {
    return null
  }
  const values: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(detail)) {
    if (typeof value === 'string' || typeof value === 'number') {
      values[name] = shapes[name]?.(value as never) ?? value
    }
  }
  const count = Object.values(values).find(value => typeof value === 'number')
  const names = [...en[key as Text].matchAll(/\{(\w+)\}/g)].map(hole => hole[1] ?? '')
  return names.every(name => name in values) ? t(key as Text, count === undefined ? values : { count, ...values }) : null
}

/** "at offset 0x1000". */
export const at = (offset: number): string => t('image.at', { offset: `0x${offset.toString(16)}` })

/** The same; else the server's own sentence, which is in English. */
export function Said ({ group, code, detail, text }: { group: string, code: string | null, detail?: Detail | undefined, text: string }): JSX.Element {
  const own = code === null ? null : phrase(group, code, detail)
  return own === null ? <span lang="en">{text}</span> : <>{own}</>
}
