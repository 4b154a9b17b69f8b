// The tables of codes in C, #define NAME(X) with a row X(...) each: what the pages have texts for.
import { readFileSync } from 'node:fs'

const root = new URL('../../', import.meta.url)

/** The rows of a table, each as the list of its arguments: texts without their quotes, names as they are. */
export function table (file, name) {
  const source = readFileSync(new URL(file, root), 'utf8').replaceAll('\\\n', ' ')
  const body = source.match(new RegExp(`^#define ${name}\\(X\\)(.*)$`, 'm'))[1].replace(/\/\*.*?\*\//g, '')
  const rows = []
  for (const part of body.matchAll(/"(?:[^"\\]|\\.)*"|[^"]/g)) {
    rows.push(part[0])
  }
  // Brackets and commas count outside of texts alone; texts that follow one another are one.
  const found = []
  let row = null
  for (const part of rows) {
    if (part[0] === '"') row[row.length - 1] += JSON.parse(part)
    else if (part === '(') row = ['']
    else if (part === ',') row?.push('')
    else if (part === ')') { found.push(row); row = null } else if (row !== null && part !== ' ') row[row.length - 1] += part
  }
  return found
}

/** The names in braces. */
export const holes = text => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()
