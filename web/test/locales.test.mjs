// Goal: every text says the same in each language: the same places to fill in, nothing left in English by mistake, and
// no key that nothing shows.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import test from 'node:test'

const source = new URL('../src/', import.meta.url)

/** The rows of a locale: "  'key': 'text'," each. */
function locale (name) {
  const rows = readFileSync(new URL(`locales/${name}.ts`, source), 'utf8').matchAll(/^ {2}'([\w.]+)': '((?:[^'\\]|\\.)*)',?$/gm)
  return new Map([...rows].map(([, key, text]) => [key, text]))
}

const en = locale('en')
const holes = text => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

test('the locales are read', () => assert.ok(en.size > 200))

for (const name of ['vi', 'zh']) {
  const other = locale(name)
  test(`${name} has what en has`, () => assert.deepEqual([...other.keys()], [...en.keys()]))
  for (const [key, text] of en) {
    test(`${name} ${key}`, () => {
      for (const form of other.get(key).split('|')) {
        assert.deepEqual(holes(form), holes(text))
        assert.notEqual(form.trim(), '')
      }
      const script = name === 'zh' ? /\p{Script=Han}/u : /./u
      // Names of things are the same everywhere; sentences are not.
      if (/ /.test(text.replace(/\{\w+\}/g, '')) && !key.startsWith('kind.') && !key.startsWith('map.')) {
        assert.notEqual(other.get(key), text)
        assert.match(other.get(key), script)
      }
    })
  }
}

test('every text is shown somewhere', () => {
  const files = readdirSync(source, { recursive: true }).filter(path => /\.tsx?$/.test(path) && !path.includes('locales'))
  const code = files.map(path => readFileSync(new URL(path, source), 'utf8')).join('\n')
  // A group such as "state." is used as word('state', ...) or t(`state.${...}`).
  const groups = [...code.matchAll(/word\('([\w.]+)'|t\(`([\w.]+)\.\$\{/g)].map(found => found[1] ?? found[2])
  const unused = [...en.keys()].filter(key => !code.includes(`'${key}'`) && !groups.some(group => key.startsWith(`${group}.`)))
  assert.deepEqual(unused, [])
})
