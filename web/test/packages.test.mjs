// Goal: a fresh Debian 12, whose Node.js is version 18, can build and test the page.
// Method: what each package of the lock says that it needs; this machine's Node.js may be a newer one, and would not notice.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'

const DEBIAN = 18
const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url)))

for (const [name, { engines }] of Object.entries(packages)) {
  if (engines?.node === undefined) continue
  test(`${name} runs on Node.js ${DEBIAN}`, () => {
    const least = engines.node.split('||').map(range => Number(/\d+/.exec(range)[0]))
    assert(least.some(version => version <= DEBIAN), engines.node)
  })
}
