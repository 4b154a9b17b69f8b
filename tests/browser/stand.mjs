// A real server and a real browser for the tests.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { inspect, isDeepStrictEqual } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const require = createRequire(join(root, 'web', 'package.json'))
export const pictures = join(root, 'build', 'browser')

/** How long anything may take, in milliseconds: a machine that is slow and busy takes its time, and one that is not never waits. */
const patience = 120_000

/** A program of this build: where an environment variable says, else in out/, else in the dev build. */
function program (variable, name, folder) {
  const found = [process.env[variable], join(root, 'out', name), join(root, 'build', 'dev', folder, name)]
    .find(path => path !== undefined && existsSync(path))
  if (found === undefined) throw new Error(`${name} is not built: run ./dev build, or set ${variable}`)
  return found
}

/** Where updraft-sim is, which the server looks for on the path too. */
const simulator = () => dirname(program('UPDRAFT_SIM', 'updraft-sim', 'sim'))

/** updraftd on 127.0.0.1, at a port of its own, with a data directory of its own. */
export class Server {
  #process
  #data = mkdtempSync(join(tmpdir(), 'updraft-browser-'))
  #listen = ['127.0.0.1:0', '127.0.0.1:0']
  errors = ''

  /** Start it; again, too, on the same ports. */
  async start () {
    this.#process = spawn(program('UPDRAFTD_BIN', 'updraftd', 'server'), [
      'serve', '--data', this.#data, '--listen', this.#listen[0], '--link', this.#listen[1], '--link-tls', '',
      '--names', '127.0.0.1', '--key-kind', 'ecdsa', '--stop-seconds', '1'
    ], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: `${simulator()}:${process.env.PATH}` } })
    this.#process.stderr.setEncoding('utf8').on('data', text => { this.errors += text })
    for await (const line of createInterface({ input: this.#process.stdout })) {
      this.setup = /https:\S+#setup=\S+/.exec(line)?.[0] ?? this.setup
      if (line.startsWith('nobody can log in yet') || (this.setup !== undefined && line.startsWith('listening on'))) {
        break
      }
    }
    if (this.#process.exitCode !== null) throw new Error(`updraftd ended at its start: ${this.errors}`)
    const ports = JSON.parse(readFileSync(join(this.#data, 'ports.json'), 'utf8'))
    this.#listen = [`127.0.0.1:${ports.http}`, `127.0.0.1:${ports.link}`]
    this.port = ports.http
    this.link = ports.link
    this.url = `https://127.0.0.1:${ports.http}`
    this.plain = `http://127.0.0.1:${ports.http}`
    return this
  }

  /** End it as a system does, and demand that it ends well. */
  async end () {
    const process = this.#process
    const ended = new Promise(resolve => process.once('exit', resolve))
    process.kill('SIGTERM')
    const code = await ended
    if (code !== 0) throw new Error(`updraftd ended with ${code ?? process.signalCode}: ${this.errors}`)
  }

  /** As when a backup comes back, while it is down: what is kept of the past ends before what was told. */
  goBack (statement) {
    const made = spawnSync('python3', ['-c', 'import sqlite3, sys; base = sqlite3.connect(sys.argv[1]); base.executescript(sys.argv[2])',
      join(this.#data, 'updraft.db'), `DELETE FROM event; ${statement}`], { encoding: 'utf8' })
    if (made.status !== 0) throw new Error(made.stderr)
  }

  /** What ran in the weeks before, as the server notes it each hour; while it is down. Counts by version, one a day. */
  remember (product, days) {
    const made = spawnSync('python3', ['-c', `
import json, sqlite3, sys, time
product, days = json.load(sys.stdin)
base = sqlite3.connect(sys.argv[1])
no = base.execute("SELECT no FROM product WHERE id = ?", (product,)).fetchone()[0]
hour = int(time.time() // 3600)
for i, counts in enumerate(reversed(days), 1):
    base.execute("INSERT INTO setting (key, value) VALUES (?, ?)", ("versions.%08d.%d" % (hour - 24 * i, no), json.dumps(counts)))
base.commit()`, join(this.#data, 'updraft.db')], { input: JSON.stringify([product, days]), encoding: 'utf8' })
    if (made.status !== 0) throw new Error(made.stderr)
  }

  async stop () {
    try {
      await this.end()
    } finally {
      rmSync(this.#data, { recursive: true, force: true })
    }
  }

  /** Ask its API as a program does, with a token; throws the server's sentence. */
  async api (method, path, body = method === 'POST' ? {} : undefined) {
    const raw = body instanceof Uint8Array
    const response = await fetch(`${this.plain}/api/v1${path}`, {
      method,
      headers: {
        ...(this.token !== undefined && { Authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'Content-Type': raw ? 'application/octet-stream' : 'application/json' })
      },
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body)
    })
    const text = await response.text()
    const value = text === '' ? null : JSON.parse(text)
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${value?.error?.message ?? text}`)
    return value
  }

  /** Become the administrator without a browser. */
  async settle (user = 'admin', password = 'correct horse') {
    await this.api('POST', '/setup', { token: this.setup.split('#setup=')[1], user, password })
    this.token = (await this.api('POST', '/tokens/login', { user, password, name: 'tests' })).token
    return this
  }

  /** A release with the images at these paths, by part. */
  async release (product, version, images, more = {}) {
    const digests = {}
    for (const [part, path] of Object.entries(images)) {
      digests[part] = (await this.api('POST', `/products/${product}/images`, readFileSync(path))).sha256
    }
    return await this.api('POST', `/products/${product}/releases`, { version, images: digests, ...more })
  }
}

/** Debian's Chromium; nothing is downloaded. */
export async function launch () {
  const path = ['chromium', 'chromium-browser', 'google-chrome']
    .map(name => spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()).find(found => found !== '')
  if (path === undefined) throw new Error('there is no chromium')
  return await require('playwright-core').chromium.launch({
    executablePath: path,
    // Its sandbox does not work for root, as whom containers run.
    chromiumSandbox: process.getuid() !== 0,
    // The server made its certificate itself. A context's ignoreHTTPSErrors does not hold for what is downloaded on a connection of its own.
    args: ['--ignore-certificate-errors']
  })
}

/** Where tests put files; gone when they end. */
export const temporary = mkdtempSync(join(tmpdir(), 'updraft-browser-'))
process.once('exit', () => { rmSync(temporary, { recursive: true, force: true }) })

/** A page of its own, as of a visitor who was never here. What goes wrong in it fails the test that looks. */
export async function open (browser, { width = 1366, height = 768, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...more })
  context.setDefaultTimeout(patience)
  const page = await context.newPage()
  page.faults = []
  page.on('pageerror', error => { page.faults.push(String(error)) })
  page.on('console', message => {
    // The browser itself notes each answer from 400 on; those are looked at where they are shown.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) page.faults.push(message.text())
  })
  return page
}

export async function login (page, server, user, password, path = '/') {
  await page.goto(server.url + path)
  await page.locator('[name=user]').fill(user)
  await page.locator('[name=password]').fill(password)
  await page.locator('main button').click()
  await page.locator('header.bar > button').waitFor()
  await settled(page)
}

/** Wait until the page waits for nothing. */
export async function settled (page) {
  await page.waitForFunction(() => document.querySelector('h1') !== null && document.querySelector('[aria-busy=true]') === null)
  // Signals draw in the next frame.
  await page.evaluate(async () => { await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))) })
}

/**
 * Wait until what is read is what is wanted: what an action brings about comes when it comes.
 * @param read    called again and again, for a value
 * @param wanted  that value; a regular expression, for a text; or a function that says whether a value will do
 * @param what    what is claimed; what stood there at last is said with it
 */
export async function becomes (read, wanted, what) {
  const holds = value => typeof wanted === 'function' ? wanted(value) : wanted instanceof RegExp ? wanted.test(value) : isDeepStrictEqual(value, wanted)
  for (const end = performance.now() + patience; ;) {
    let value
    try {
      value = await read()
    } catch (error) {
      value = error // such as when the page is just left
    }
    if (!(value instanceof Error) && holds(value)) return value
    if (performance.now() > end) {
      assert.fail(`${what}: ${value instanceof Error ? value.message : inspect(value)}, wanted ${inspect(wanted)}`)
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** Keep what the page looks like, under build/browser. */
export async function picture (page, name, options = {}) {
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, ...options })
}
