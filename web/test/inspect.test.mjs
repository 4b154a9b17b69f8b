// Goal: the page describes an image exactly as the tool does, and draws the flash maps that the tool draws.
// Method: the built module of WebAssembly over every image of core/test/vectors/image, and damaged copies of each; the
// same file to `updraft image info --json`. UPDRAFT_WEB is the built page, UPDRAFT_BIN the tool.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { gunzipSync } from 'node:zlib'

const web = process.env.UPDRAFT_WEB
const tool = process.env.UPDRAFT_BIN
const vectors = new URL('../../core/test/vectors/image/', import.meta.url)
const scratch = mkdtempSync(join(tmpdir(), 'updraft-web-'))

const module = readdirSync(join(web, 'assets')).find(name => name.endsWith('.wasm'))
const { instance } = await WebAssembly.instantiate(readFileSync(join(web, 'assets', module)))
const core = instance.exports

const text = size => JSON.parse(Buffer.from(core.memory.buffer, core.inspect_text(), size).toString('utf8'))

function inspect (bytes, piece) {
  const data = bytes[0] === 0x1F && bytes[1] === 0x8B ? gunzipSync(bytes) : bytes
  core.inspect_begin()
  for (let at = 0; at < data.length; at += piece) {
    const part = data.subarray(at, at + piece)
    new Uint8Array(core.memory.buffer).set(part, core.inspect_input())
    if (core.inspect_feed(part.length) === 0) break
  }
  return text(core.inspect_finish())
}

/** The tool's sentence also has the digests' values, which the page shows by themselves. */
const problem = told => told.problem && { reason: told.problem.reason, offset: told.problem.offset }

function told (bytes) {
  const path = join(scratch, 'image.bin')
  writeFileSync(path, bytes)
  const ran = spawnSync(tool, ['image', 'info', '--json', path], { encoding: 'utf8' })
  const { schema, file, packed, error, ...rest } = JSON.parse(ran.stdout)
  assert.equal(ran.status, rest.ok ? 0 : 3)
  return rest
}

const images = readdirSync(vectors).filter(name => name.endsWith('.bin'))

test('there are images to look at', () => assert.ok(images.length >= 8))

for (const name of images) {
  const whole = readFileSync(new URL(name, vectors))
  const damaged = Buffer.from(whole)
  damaged[damaged.length >> 1] ^= 1
  for (const [what, bytes] of [['whole', whole], ['damaged', damaged], ['cut short', whole.subarray(0, -1)], ['nothing', Buffer.alloc(0)]]) {
    test(`${name}, ${what}`, () => {
      const expected = told(bytes)
      for (const piece of [core.inspect_room(), 7]) {
        const found = inspect(bytes, piece)
        assert.deepEqual({ ...found, problem: problem(found) }, { ...expected, problem: problem(expected) })
      }
    })
  }
}

test('flash maps', () => {
  for (let number = 0; number < 10; number++) {
    const map = text(core.inspect_map(number))
    assert.equal(map.map, number)
    for (const region of map.regions) {
      assert.ok(region.size > 0 && region.address + region.size <= map.size, region.name)
    }
  }
  assert.equal(core.inspect_map(10), 0)
  const two = text(core.inspect_map(2))
  assert.deepEqual(two.regions.find(region => region.name === 'user2'), { name: 'user2', address: 0x81000, size: 0x7B000 })
})
