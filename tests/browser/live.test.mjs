// Goal: an open page shows what changes by itself, and misses nothing while the server is away.
// Method: pages are opened once and never loaded again; devices and another administrator change things.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { password, populate } from './fleet.mjs'
import { Sketch } from './devices.mjs'
import { writeImages } from './images.mjs'
import { becomes, inTime, launch, login, open, Server, settled, temporary } from './stand.mjs'

const images = writeImages(temporary)
let browser, server, made, context, sketch, id
const opened = {}

before(async () => {
  server = await (await new Server().start()).settle()
  made = await populate(server, images)
  await server.api('PATCH', `/products/${made.clock.id}`, { strangers: 'admit' })
  sketch = new Sketch(server, made.clock.key, { chip: '7777777', version: '1.1.0' })
  await sketch.poll()
  id = (await server.api('GET', '/devices?q=7777777')).items[0].id
  browser = await launch()
  const first = await open(browser)
  context = first.context()
  await login(first, server, 'admin', password)
  const paths = { overview: '/', devices: '/devices?q=7777777', device: `/devices/${id}`, updates: '/updates', product: `/products/${made.clock.id}` }
  for (const [name, path] of Object.entries(paths)) {
    const page = opened[name] = name === 'overview' ? first : await context.newPage()
    if (name.startsWith('device')) await page.addInitScript(noTimers)
    await page.goto(server.url + path)
    await settled(page)
    // Gone when the page is loaded again.
    await page.evaluate(() => { window.sameDocument = true })
  }
  await allLive()
})
after(async () => {
  made?.link.close()
  await browser?.close()
  await server?.stop()
})

/** In a page: nothing is asked anew because time goes by. */
function noTimers () {
  const every = window.setInterval
  window.setInterval = (call, pause, ...rest) => pause >= 10_000 ? 0 : every(call, pause, ...rest)
}

/** All pages listen. */
async function allLive () {
  for (const page of Object.values(opened)) await page.getByText('live', { exact: true }).waitFor()
}

async function notLoadedAgain () {
  for (const [name, page] of Object.entries(opened)) {
    assert.equal(await page.evaluate(() => window.sameDocument), true, name)
  }
}

test('a release becomes current', async t => {
  await opened.device.getByText('It runs 1.1.0, which is current.').waitFor()
  const began = performance.now()
  await server.api('POST', `/products/${made.clock.id}/releases/1.2.0/current`)
  await Promise.all([
    opened.device.getByText('It is offered version 1.2.0.').waitFor(),
    opened.updates.getByRole('heading', { name: 'Smart clock 1.2.0' }).waitFor(),
    opened.product.locator('tr', { hasText: '1.2.0' }).getByText('current').waitFor()
  ])
  t.diagnostic(`on all pages after ${Math.round(performance.now() - began)} ms`)
  await notLoadedAgain()
})

test('a device is updated', async t => {
  const began = performance.now()
  await sketch.update('1.2.0')
  await Promise.all([
    opened.device.locator('.steps strong').getByText('running').waitFor(),
    opened.devices.getByRole('cell', { name: 'running 1.2.0' }).waitFor(),
    opened.overview.getByRole('row', { name: 'Smart clock 1.2.0 1' }).waitFor(),
    opened.product.locator('tr', { hasText: '1.2.0' }).getByText('running').waitFor(),
    opened.updates.getByRole('row', { name: '7777777 Smart clock 1.2.0 running' }).waitFor()
  ])
  t.diagnostic(`on all pages after ${Math.round(performance.now() - began)} ms`)
  await notLoadedAgain()
})

test('somebody else renames the device', async () => {
  await server.api('PATCH', `/devices/${id}`, { name: 'Attic' })
  await opened.device.getByRole('heading', { name: 'Attic' }).waitFor()
})

test('the server restarts, and nothing is missed', async () => {
  await server.end()
  for (const page of Object.values(opened)) await page.getByText('not connected').waitFor()
  await server.start()
  // At once, before the pages are back.
  await server.api('PATCH', `/devices/${id}`, { name: 'Cellar' })
  sketch.version = '1.1.0'
  await sketch.poll()
  await Promise.all([
    opened.device.getByRole('heading', { name: 'Cellar' }).waitFor(),
    opened.device.locator('.steps strong').getByText('rolled back').waitFor(),
    opened.updates.getByRole('row', { name: 'Cellar Smart clock 1.2.0 rolled back' }).waitFor()
  ])
  await allLive()
  await notLoadedAgain()
})

test('a backup comes back, and pages show what is', async () => {
  await server.end()
  for (const page of Object.values(opened)) await page.getByText('not connected').waitFor()
  server.goBack(`UPDATE device SET name = 'As before' WHERE id = '${id}'`)
  await server.start()
  await Promise.all([
    opened.device.getByRole('heading', { name: 'As before' }).waitFor(),
    opened.updates.getByRole('row', { name: 'As before Smart clock 1.2.0 rolled back' }).waitFor()
  ])
  await allLive()
  await notLoadedAgain()
})

test('a device is heard of', async () => {
  // Of these pages' timers none asks anew: it can only be the stream.
  const pages = [opened.device, opened.devices]
  for (let contacts = 0; contacts < 2; contacts++) {
    const before = await server.api('GET', `/devices/${id}`)
    const told = pages.map(page => page.waitForResponse(async response =>
      response.request().resourceType() === 'fetch' && /\/devices[/?]/.test(response.url()) && !response.url().endsWith('decision') &&
      (await response.json().then(found => (found.items?.[0] ?? found).last_seen, () => null) ?? '') > before.last_seen))
    await sketch.poll()
    await Promise.all(told)
  }
})

test('somebody else blocks the device, and lets it in again', async () => {
  await server.api('POST', `/devices/${id}/block`, { blocked: true })
  await opened.device.getByRole('button', { name: 'Unblock' }).waitFor()
  await server.api('POST', `/devices/${id}/block`, { blocked: false })
  await opened.device.getByRole('button', { name: 'Block', exact: true }).waitFor()
})

test('what changes after a page asked and before it listens is not missed', async () => {
  const page = await open(browser)
  await login(page, server, 'admin', password)
  await page.addInitScript(noTimers)
  let listen
  const held = new Promise(resolve => { listen = resolve })
  await page.route(/\/api\/v1\/events/, async route => {
    await held
    await route.fallback()
  })
  await page.goto(`${server.url}/products/${made.plug.id}`)
  await page.getByRole('heading', { name: 'Plug', exact: true }).waitFor()
  await settled(page)
  await server.api('PATCH', `/products/${made.plug.id}`, { name: 'Socket' })
  listen()
  await page.getByRole('heading', { name: 'Socket', exact: true }).waitFor()
  await page.context().close()
})

test('the stream goes on after the last event that was seen', async () => {
  // As a program reads it: a cut in the middle, then the rest, each event once and in order.
  const seen = []
  let last
  for (const names of [['One', 'Two'], ['Three', 'Four']]) {
    const stop = new AbortController()
    const response = await fetch(`${server.plain}/api/v1/events?device=${id}`, {
      headers: { Authorization: `Bearer ${server.token}`, ...(last !== undefined && { 'Last-Event-ID': last }) }, signal: stop.signal
    })
    const texts = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const read = async () => { text += (await inTime(texts.read(), `more than ${text}`)).value ?? '' }
    while (last === undefined && !text.includes('hello')) await read()
    for (const name of names) await server.api('PATCH', `/devices/${id}`, { name })
    while (!text.includes(names.at(-1)) || !text.endsWith('\n\n')) await read()
    stop.abort()
    seen.push(...[...text.matchAll(/"name":"(\w+)"/g)].map(found => found[1]))
    last = [...text.matchAll(/^id: (\d+)$/gm)].at(-1)[1]
    await server.api('PATCH', `/devices/${id}`, { name: `After${names.at(-1)}` })
  }
  assert.deepEqual(seen, ['One', 'Two', 'AfterTwo', 'Three', 'Four'])
})

/** In a page: it is hidden and shown as a tab is, and kept for the way back; what its streams tell and its badge says is noted. */
function hideable () {
  let state = 'visible'
  Object.defineProperty(document, 'visibilityState', { get: () => state })
  Object.defineProperty(document, 'hidden', { get: () => state === 'hidden' })
  window.show = now => { state = now ? 'visible' : 'hidden'; document.dispatchEvent(new Event('visibilitychange')) }
  window.leave = () => { dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })) }
  window.comeBack = () => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })) }
  Object.assign(window, { told: [], streams: [], badges: [] })
  window.EventSource = class extends EventSource {
    constructor (...words) {
      super(...words)
      window.streams.push(this)
      this.addEventListener('message', event => { window.told.push(JSON.parse(event.data).name) })
    }
  }
  new MutationObserver(() => {
    const badge = document.querySelector('header.bar > .badge')?.textContent
    if (badge !== undefined && badge !== window.badges.at(-1)) window.badges.push(badge)
  }).observe(document, { childList: true, subtree: true, characterData: true })
}

test('a hidden tab keeps no stream, and goes on where it was', async () => {
  const page = await open(browser)
  await login(page, server, 'admin', password)
  const context = page.context()
  await page.close()
  const streams = async tab => await tab.evaluate(() => window.streams.map(one => one.readyState).filter(state => state !== EventSource.CLOSED))
  const isOpen = [1] // EventSource.OPEN
  await context.addInitScript(noTimers)
  await context.addInitScript(hideable)
  // More tabs than a browser makes connections to one server: with a stream in each the last one would not be loaded.
  const tabs = []
  for (let i = 0; i < 7; i++) {
    const tab = await context.newPage()
    tabs.push(tab)
    await tab.goto(server.url + (i < 2 ? `/devices/${id}` : '/tokens'))
    await tab.getByText('live', { exact: true }).waitFor()
    await becomes(() => streams(tab), isOpen, 'the tab that is seen has a stream')
    if (i >= 2) await tab.evaluate(() => window.show(false))
  }

  const seen = tabs.slice(0, 2)
  for (const [i, tab] of seen.entries()) {
    // Something is typed, and a question stands open that has the device's name in it.
    await tab.locator('[name=group]').fill(`typed ${i}`)
    await tab.getByRole('button', { name: 'Restart', exact: true }).click()
    await tab.getByRole('dialog').waitFor()
  }
  const names = []
  for (const [hide, show, ...renamed] of [
    [() => window.show(false), () => window.show(true), 'North', 'South'],
    [() => window.leave(), () => window.comeBack(), 'West'],
    // Left by a link: it is hidden besides.
    [() => { window.leave(); window.show(false) }, () => { window.comeBack(); window.show(true) }, 'Up', 'Down']
  ]) {
    for (const tab of seen) {
      await tab.evaluate(hide)
      await becomes(() => streams(tab), [], 'the hidden tab has none')
    }
    for (const name of renamed) await server.api('PATCH', `/devices/${id}`, { name })
    names.push(...renamed)
    for (const [i, tab] of seen.entries()) {
      await tab.evaluate(show)
      await becomes(() => tab.evaluate(() => window.told), names, 'it is told each change once, and in order')
      await tab.locator('h1').getByText(renamed.at(-1), { exact: true }).waitFor()
      await tab.getByRole('dialog', { name: renamed.at(-1) }).waitFor()
      await becomes(() => streams(tab), isOpen, 'it has one stream')
      assert.equal(await tab.locator('[name=group]').inputValue(), `typed ${i}`)
    }
  }
  for (const tab of tabs) assert.deepEqual(await tab.evaluate(() => window.badges.slice(window.badges.indexOf('live'))), ['live'], 'it never says that it has lost the connection')
  // The server learns that a stream has ended when it has something to write.
  await becomes(async () => Number(/^updraft_http_event_streams (\d+)$/m.exec(await (await fetch(`${server.plain}/metrics`)).text())[1]),
    Object.keys(opened).length + seen.length, 'the server has the streams of the tabs that are seen')
  await context.close()
})

test('who logs out hears nothing more', async () => {
  const page = opened.overview
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
  await becomes(() => page.getByText('live', { exact: true }).count(), 0, 'it does not say that it listens')
  // The other pages of the same session learn it with what they ask next, be it by themselves.
  await opened.product.getByRole('heading', { name: 'Log in' }).waitFor()
})
