// English, Vietnamese and Chinese. English is the type of the others: a text that is missing in one does not compile.
import { computed, effect, signal } from '@preact/signals'
import { en } from '../locales/en.ts'
import { vi } from '../locales/vi.ts'
import { zh } from '../locales/zh.ts'

export type Text = keyof typeof en
export type Locale = Record<Text, string>

export const languages = { en: 'English', vi: 'Tiếng Việt', zh: '中文' } as const
export type Language = keyof typeof languages

const locales: Record<Language, Locale> = { en, vi, zh }

function wanted (): Language {
  const kept = localStorage.getItem('language')
  for (const tag of [kept, ...navigator.languages]) {
    const language = tag?.slice(0, 2)
    if (language !== undefined && language in languages) {
      return language as Language
    }
  }
  return 'en'
}

export const language = signal<Language>(wanted())

effect(() => {
  document.documentElement.lang = language.value
})

export function speak (chosen: Language): void {
  localStorage.setItem('language', chosen)
  language.value = chosen
}

const plurals = computed(() => new Intl.PluralRules(language.value))

/**
 * A text in the page's language, with {name} replaced. A text may have two forms, "{count} device|{count} devices":
 * which one is `values.count`'s affair.
 */
export function t (key: Text, values: Record<string, string | number> = {}): string {
  const forms = locales[language.value][key].split('|')
  const single = typeof values.count === 'number' && plurals.value.select(values.count) === 'one'
  const form = single || forms.length === 1 ? forms[0] : forms[1]
  return (form ?? key).replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    return typeof value === 'number' ? number(value) : value ?? ''
  })
}

/** A word that the server uses as a name, such as a state, in the page's language; as it is when there is none. */
export function word (group: string, name: string): string {
  const key = `${group}.${name}`
  return Object.hasOwn(en, key) ? t(key as Text) : name
}

export function number (value: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value)
}

export function percent (share: number): string {
  return new Intl.NumberFormat(language.value, { style: 'percent', maximumFractionDigits: 0 }).format(share)
}

/** Bytes as people say them. */
export function bytes (size: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte']
  let unit = 0
  while (size >= 1000 && unit + 1 < units.length) {
    size /= 1000
    unit++
  }
  return new Intl.NumberFormat(language.value, {
    style: 'unit', unit: units[unit] ?? 'byte', unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: size < 10 && unit > 0 ? 1 : 0
  }).format(size)
}

export function time (when: string | Date): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(when))
}

/** "3 minutes ago". */
export function ago (when: string, now = Date.now()): string {
  const seconds = (new Date(when).getTime() - now) / 1000
  const steps: Array<[Intl.RelativeTimeFormatUnit, number]> =
    [['year', 31557600], ['month', 2629800], ['day', 86400], ['hour', 3600], ['minute', 60]]
  const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
  return new Intl.RelativeTimeFormat(language.value, { numeric: 'auto' }).format(Math.round(seconds / size), unit)
}
