// A real server and a real browser for the tests.
//
// A test waits for what it claims, becomes(), and never reads once what an action brings about: that may come a moment
// later than what was waited for, and on a busy machine it does. Nor is anything claimed about how long something takes.
// To see that it is so, everything can be made slower than it is on any machine:
//
//     UPDRAFT_BROWSER_SLOW=8      each page has an eighth of the processor (Emulation.setCPUThrottlingRate)
//     UPDRAFT_BROWSER_SHAKE=100   the server stands still again and again, up to 100 ms long, half of the time; and each
//                                 request of a page comes up to 100 ms late, so that they overtake one another
//
// Both are off unless they are set.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
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
export const patience = 120_000

const slow = Number(process.env.UPDRAFT_BROWSER_SLOW ?? 1)
const shake = Number(process.env.UPDRAFT_BROWSER_SHAKE ?? 0)
const pause = async milliseconds => { await new Promise(resolve => setTimeout(resolve, milliseconds)) }

/** What comes of it, or that nothing came. */
export async function inTime (coming, what) {
  let timer
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => { reject(new Error(`it does not come: ${what}`)) }, patience) })
  try {
    return await Promise.race([coming, late])
  } finally {
    clearTimeout(timer)
  }
}

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
  #shaking
  errors = ''

  /** Start it; again, too, on the same ports, which somebody else may have for a moment meanwhile. */
  async start () {
    for (const end = performance.now() + patience; ;) {
      try {
        return await this.#begin()
      } catch (error) {
        if (!this.errors.includes('already in use') || performance.now() > end) throw error
        this.errors = ''
        await pause(200)
      }
    }
  }

  async #begin () {
    this.#process = spawn(program('UPDRAFTD_BIN', 'updraftd', 'server'), [
      'serve', '--data', this.#data, '--listen', this.#listen[0], '--link', this.#listen[1], '--link-tls', '',
      '--names', '127.0.0.1', '--key-kind', 'ecdsa', '--stop-seconds', '1',
      // Who is slow here is the machine.
      '--idle-seconds', '3600', '--head-seconds', '3600'
    ], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: `${simulator()}:${process.env.PATH}` } })
    const started = this.#process
    const closed = once(started, 'close')
    process.once('exit', () => { started.kill('SIGKILL') })
    this.#process.stderr.setEncoding('utf8').on('data', text => { this.errors += text })
    let ready = false
    for await (const line of createInterface({ input: this.#process.stdout })) {
      this.setup = /https:\S+#setup=\S+/.exec(line)?.[0] ?? this.setup
      if (line.startsWith('nobody can log in yet') || (this.setup !== undefined && line.startsWith('listening on'))) {
        ready = true
        break
      }
    }
    if (!ready) {
      await closed
      throw new Error(`updraftd ended at its start: ${this.errors}`)
    }
    const ports = JSON.parse(readFileSync(join(this.#data, 'ports.json'), 'utf8'))
    this.#listen = [`127.0.0.1:${ports.http}`, `127.0.0.1:${ports.link}`]
    this.port = ports.http
    this.link = ports.link
    this.url = `https://127.0.0.1:${ports.http}`
    this.plain = `http://127.0.0.1:${ports.http}`
    if (shake > 0) this.#shaking = this.#shake()
    return this
  }

  /** Let it stand still and go on by turns. @return how to end that */
  #shake () {
    let going = true
    let timer
    const turn = () => {
      going = !going
      this.#process.kill(going ? 'SIGCONT' : 'SIGSTOP')
      timer = setTimeout(turn, Math.random() * shake)
    }
    turn()
    return () => { clearTimeout(timer); this.#process.kill('SIGCONT') }
  }

  /** End it as a system does, and demand that it ends well. */
  async end () {
    const process = this.#process
    this.#shaking?.()
    this.#shaking = undefined
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
    const request = http.request(`${this.plain}/api/v1${path}`, {
      method,
      agent: false, // no connection outlives its request, so that none is of a server that has ended
      headers: {
        ...(this.token !== undefined && { Authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'Content-Type': raw ? 'application/octet-stream' : 'application/json' })
      }
    })
    request.end(body === undefined || raw ? body : JSON.stringify(body))
    const [response] = await once(request, 'response')
    let text = ''
    for await (const piece of response.setEncoding('utf8')) text += piece
    const value = text === '' ? null : JSON.parse(text)
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${value?.error?.message ?? text}`)
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
    timeout: patience,
    // The server made its certificate itself. A context's ignoreHTTPSErrors does not hold for what is downloaded on a connection of its own.
    args: ['--ignore-certificate-errors']
  })
}

/** Where tests put files; gone when they end. */
export const temporary = mkdtempSync(join(tmpdir(), 'updraft-browser-'))
process.once('exit', () => { rmSync(temporary, { recursive: true, force: true }) })

async function slowDown (page) {
  if (slow > 1) {
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: slow })
  }
}

/** In each page, before its own scripts: note what it asks, and what it says in passing. */
function listen () {
  Object.assign(window, { asked: 0, asking: 0, saidInPassing: [] })
  for (const [object, name] of [[window, 'fetch'], [Response.prototype, 'text'], [WebAssembly, 'instantiateStreaming']]) {
    const before = object[name]
    object[name] = function (...words) {
      window.asked++
      window.asking++
      const answer = before.apply(this, words)
      const done = () => { window.asking-- }
      answer.then(done, done)
      return answer
    }
  }
  new MutationObserver(changes => {
    for (const one of changes.flatMap(change => [...change.addedNodes])) {
      if (one.parentNode instanceof Element && one.parentNode.matches('.toasts')) window.saidInPassing.push(one.textContent)
    }
  }).observe(document, { childList: true, subtree: true })
}

/** A page of its own, as of a visitor who was never here. What goes wrong in it fails the test that looks. */
export async function open (browser, { width = 1366, height = 768, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...more })
  context.setDefaultTimeout(patience)
  await context.addInitScript(listen)
  if (shake > 0) {
    await context.route(/\/api\/v1\//, async route => {
      await pause(Math.random() * shake)
      await route.continue().catch(() => {}) // the page is gone
    })
  }
  context.on('page', page => { void slowDown(page) })
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

/** Wait until the page waits for nothing: it has its heading and all that it asked for, and asks for nothing more. */
export async function settled (page) {
  await becomes(() => page.evaluate(async () => {
    const before = window.asked
    // What was drawn last asks for more in the frame after it.
    await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))))
    return document.querySelector('h1') === null
      ? 'it has no heading'
      : document.querySelector('[aria-busy=true]')?.outerHTML ?? (window.asking > 0 || window.asked > before ? 'it asks for more' : 'settled')
  }), 'settled', `${page.url()} waits for nothing`)
}

/** Wait until the page says this in passing; be it gone by now, since it goes by itself. The next time it is to be said again. */
export async function said (page, text) {
  await becomes(() => page.evaluate(text => {
    const words = window.saidInPassing
    const at = words.findIndex(one => one.includes(text))
    return at < 0 ? words : words.splice(0, at + 1).at(-1)
  }, text), found => typeof found === 'string', `the page says "${text}"`)
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
      value = await inTime(read(), what)
    } catch (error) {
      value = error // such as when the page is just left
    }
    if (!(value instanceof Error) && holds(value)) return value
    if (performance.now() > end) {
      assert.fail(`${what}: ${value instanceof Error ? value.message : inspect(value)}, wanted ${inspect(wanted)}`)
    }
    await pause(50)
  }
}

/** Keep what the page looks like, under build/browser. */
export async function picture (page, name, options = {}) {
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, ...options })
}
