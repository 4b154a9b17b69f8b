// Goal: every text says the same in each language: the same places to fill in, nothing left in English by mistake, and
// no key that nothing shows. What the server says by a code has a text for each code of its tables, and for no other.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import test from 'node:test'
import { holes, table } from './tables.mjs'

const source = new URL('../src/', import.meta.url)

/** The rows of a locale: "  'key': 'text'," each. */
function locale (name) {
  const rows = readFileSync(new URL(`locales/${name}.ts`, source), 'utf8').matchAll(/^ {2}'([\w.-]+)': '((?:[^'\\]|\\.)*)',?$/gm)
  return new Map([...rows].map(([, key, text]) => [key, text]))
}

const en = locale('en')

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
  const groups = [...code.matchAll(/(?:word|phrase)\('([\w.]+)'|t\(`([\w.]+)\.\$\{|<Said group="([\w.]+)"/g)].map(found => found[1] ?? found[2] ?? found[3])
  const unused = [...en.keys()].filter(key => !code.includes(`'${key}'`) && !groups.some(group => key.startsWith(`${group}.`)))
  assert.deepEqual(unused, [])
})

/** What the server says: a group of texts, and the sentences in English that stand for them, by code. */
const causes = table('server/fleet/cause.h', 'CAUSES')
const reasons = table('server/fleet/decide.h', 'REASONS')
const refusals = table('server/text/refusal.h', 'REFUSALS')
const problems = [...table('core/include/updraft/image.h', 'UPD_IMAGE_PROBLEMS').slice(1).map(([, code,, text]) => [code, text]),
  ...table('server/fleet/intake.h', 'INTAKE_PROBLEMS').map(([, code, text]) => [code, text.replaceAll(/[{}]/g, '')])]
/** Of refusals with one code, what all of them tell. */
const common = code => refusals.filter(row => row[1] === code).map(([,, sentence]) => holes(sentence))
  .reduce((all, own) => all.filter(hole => own.includes(hole))).join(' ')
const said = {
  error: new Map([...refusals.map(([, code]) => [code, common(code)]), ['unreachable', '']]),
  problem: new Map(problems),
  cause: new Map(causes.map(([, code,, sentence]) => [code, sentence])),
  fail: new Map(causes.filter(([,, reason]) => reason !== '').map(([,, reason]) => [reason, ''])),
  'rule.text': new Map(reasons.slice(1).map(([, code, rule]) => [code, rule])),
  'why.text': new Map(reasons.map(([, code,, sentence]) => [code, sentence]))
}

for (const [group, codes] of Object.entries(said)) {
  test(`${group}: a text for each code of the table, and for no other`, () => {
    assert.ok(codes.size > 4)
    const texts = [...en.keys()].filter(key => key.startsWith(`${group}.`)).map(key => key.slice(group.length + 1))
    assert.deepEqual(texts.sort(), [...codes.keys()].sort())
    for (const [code, sentence] of codes) {
      const text = en.get(`${group}.${code}`)
      assert.deepEqual(holes(text).filter(hole => !holes(sentence).includes(hole)), [], `${group}.${code} has values that the server does not tell`)
    }
  })
}

test('where a refusal says more than the text of its code, its sentence is shown too', () => {
  const more = [...said.error.keys()].filter(code => {
    const sentences = new Set(refusals.filter(row => row[1] === code).map(([,, sentence]) => sentence))
    return sentences.size > 1 || [...sentences].some(sentence => holes(sentence).some(hole => !holes(en.get(`error.${code}`)).includes(hole)))
  })
  const [, listed] = readFileSync(new URL('shared/parts.tsx', source), 'utf8').match(/terse = new Set\('([\w -]+)'/)
  assert.deepEqual(listed.split(' '), more.sort())
})
