// Goal: every page is whole: nothing for axe to complain of in both themes, nothing cut off at any width in any
// language, every text in the language that was chosen, every chart also as a table, nothing that the browser blames.
// Method: a fleet with something of everything; each page as it is at three widths, kept as a picture in build/browser.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Linked } from './devices.mjs'
import { password, populate } from './fleet.mjs'
import { writeImages } from './images.mjs'
import { becomes, launch, login, open, picture, require, root, Server, settled, temporary } from './stand.mjs'

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const widths = { phone: [390, 844], laptop: [1366, 768], wide: [2560, 1440] }
const images = writeImages(temporary)
let browser, server, made, operator, owner, visitor

before(async () => {
  server = await (await new Server().start()).settle()
  made = await populate(server, images)
  made.link.close()
  await server.end()
  server.remember(made.clock.id, Array.from({ length: 20 }, (_, day) => ({
    '0.9.0': Math.max(0, 9 - day), '1.0.0': Math.min(12, day + 1), ...(day > 14 && { '1.1.0': day - 14 })
  })))
  server.remember(made.lamp.id, Array.from({ length: 8 }, () => ({ 'v1.0.0t45772(a)': 1 })))
  await server.start()
  made.link = await Linked.connect(server, made.lampDevice.device_key)
  await made.link.identify()
  browser = await launch()
  operator = await open(browser)
  owner = await open(browser)
  visitor = await open(browser)
  await visitor.goto(server.url)
  await login(operator, server, 'admin', password)
  await login(owner, server, 'ann', password, '/app')
  for (const device of [made.plugDevice, made.lampDevice]) {
    await owner.goto(`${server.url}/app?claim=${device.claim_code}`)
    await owner.getByRole('button', { name: 'Add', exact: true }).click()
    await owner.getByRole('heading', { name: device.name }).waitFor()
  }
})
after(async () => {
  made?.link.close()
  await browser?.close()
  await server?.stop()
})

const upload = (...names) => async page => {
  await page.locator('input[type=file]').setInputFiles(names.map(name => images[name]))
  await page.locator('section.card .badge.good, section.card .notice.bad').nth(names.length - 1).waitFor()
}
const press = name => async page => { await page.locator(name).click() }

/** Name of the picture: who looks, where, and what is done there. */
const pages = {
  'set-up': [() => visitor, () => '/#setup=0123456789abcdef0123456789abcdef01234567'],
  'log-in': [() => visitor, () => '/'],
  'overview': [() => operator, () => '/', press('details summary')],
  'products': [() => operator, () => '/products'],
  'product-new': [() => operator, () => '/products/new', press('[value=idf]')],
  'product': [() => operator, () => `/products/${made.clock.id}`],
  'product-upload': [() => operator, () => `/products/${made.lamp.id}`, upload('user1-next.bin', 'user2-next.bin')],
  'product-refused': [() => operator, () => `/products/${made.clock.id}`, upload('flipped.bin', 'photo.bin')],
  'release': [() => operator, () => `/products/${made.clock.id}/releases/1.1.0?compare=1.0.0`],
  'devices': [() => operator, () => '/devices?state=online'],
  'device-register': [() => operator, () => '/devices', press('.spread button')],
  'device-rolled-back': [() => operator, () => `/devices/${made.back}`],
  'device-failed': [() => operator, () => `/devices/${made.failed}`],
  'device-linked': [() => operator, () => `/devices/${made.lampDevice.id}`, press('details summary')],
  'updates': [() => operator, () => '/updates'],
  'tokens': [() => operator, () => '/tokens'],
  'users': [() => operator, () => '/users'],
  'audit': [() => operator, () => '/audit'],
  'settings': [() => operator, () => '/settings'],
  'lost': [() => operator, () => '/devices/d_0000000000000000'],
  'lost-place': [() => operator, () => '/products/x/y/z'],
  'app-log-in': [() => visitor, () => '/app'],
  'log-in-refused': [() => visitor, () => '/', async page => {
    await page.locator('[name=user]').fill('admin')
    await page.locator('[name=password]').fill('not this one')
    await page.locator('main button').click()
    await page.getByRole('alert').waitFor()
  }],
  'app': [() => owner, () => '/app'],
  'app-claim': [() => owner, () => '/app', press('main > button')],
  'app-claim-refused': [() => owner, () => '/app?claim=00000000', async page => {
    await page.locator('dialog button').click()
    await page.getByRole('alert').waitFor()
  }]
}

/** The texts of a locale by key. */
function locale (name) {
  const rows = readFileSync(join(root, `web/src/locales/${name}.ts`), 'utf8').matchAll(/^ {2}'([\w.-]+)': '((?:[^'\\]|\\.)*)',?$/gm)
  return new Map([...rows].map(([, key, text]) => [key, text.replaceAll('\\\'', '\'')]))
}
const locales = { en: locale('en'), vi: locale('vi'), zh: locale('zh') }

/** English sentences that have another form in this language: none of them may be on the page. */
function foreign (language) {
  return [...locales.en].filter(([key, text]) => text.includes(' ') && locales[language].get(key) !== text)
    .flatMap(([, text]) => text.split('|')).filter(text => !text.includes('{'))
}

/** In the page: what is cut off, or sticks out of it. */
function cutOff () {
  const problems = []
  const root = document.scrollingElement
  if (root.scrollWidth > innerWidth) problems.push(`the page is ${root.scrollWidth} wide, the window ${innerWidth}`)
  for (const one of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(one)
    const box = one.getBoundingClientRect()
    if (box.width === 0 || one.closest('.hidden, .skip, svg, .u-wrap, option, [hidden]') !== null) continue
    const name = `<${one.localName} class="${one.className}"> ${one.textContent.trim().slice(0, 40)}`
    const scrolls = one.matches('.scroll, pre, input, textarea, select')
    if (!scrolls && one.scrollWidth > one.clientWidth + 1 && style.overflowX !== 'visible') problems.push(`cut: ${name}`)
    if (one.localName === 'button' && one.scrollWidth > one.clientWidth + 1) problems.push(`cut: ${name}`)
    if (box.right > innerWidth + 1 && one.closest('.scroll') === null) problems.push(`sticks out: ${name}`)
    if (one.localName === 'select') {
      const pen = document.createElement('canvas').getContext('2d')
      pen.font = style.font
      const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)
      if (pen.measureText(one.selectedOptions[0]?.text ?? '').width > room + 1) problems.push(`cut: ${name}`)
    }
  }
  return problems
}

/** In the page: texts that are no texts, or in another language. */
function wrongTexts (foreign) {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const problems = []
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement
    const text = walker.currentNode.data.trim()
    // Names of languages stand in those; nothing else does, once the server says all of it by code.
    if (parent.closest('noscript, script, option[lang]') !== null) continue
    if (parent.closest('[lang]:not(html)') !== null) problems.push(`has no text: ${text}`)
    if (/undefined|\[object|\bNaN\b|\{\w+\}/.test(text) || foreign.includes(text)) problems.push(text)
  }
  for (const one of document.querySelectorAll('[aria-label], [placeholder], [title]')) {
    for (const name of ['aria-label', 'placeholder', 'title']) {
      if (foreign.includes(one.getAttribute(name))) problems.push(`${name}: ${one.getAttribute(name)}`)
    }
  }
  return problems
}

/** In the page: charts without their numbers beside them. */
function chartsWithoutTables () {
  return [...document.querySelectorAll('canvas, svg, .stack')].filter(chart =>
    chart.closest('figure')?.querySelector('table') == null && chart.nextElementSibling?.localName !== 'ul').map(chart => chart.outerHTML.slice(0, 80))
}

async function show (page, path, language, act) {
  await page.evaluate(chosen => { localStorage.setItem('language', chosen) }, language)
  await page.goto('about:blank') // another address with # would not be another page
  await page.goto(server.url + path)
  await settled(page)
  await act?.(page)
  await settled(page)
}

for (const [name, [who, path, act]] of Object.entries(pages)) {
  test(`${name}: English, three widths, two themes`, async () => {
    const page = who()
    page.faults.length = 0
    await page.setViewportSize({ width: 1366, height: 768 })
    await show(page, path(), 'en', act)
    for (const [width, [x, y]] of Object.entries(widths)) {
      await page.setViewportSize({ width: x, height: y })
      await settled(page)
      await picture(page, `${name}-${width}`)
      assert.deepEqual(await page.evaluate(cutOff), [], width)
    }
    assert.deepEqual(await page.evaluate(wrongTexts, []), [])
    assert.deepEqual(await page.evaluate(chartsWithoutTables), [])
    await page.setViewportSize({ width: 1366, height: 768 })
    await page.evaluate(axe)
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await settled(page)
      const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
        .map(one => `${one.id}: ${one.nodes.map(node => `${node.html} ${node.any[0]?.message ?? ''}`).slice(0, 3).join('; ')}`))
      assert.deepEqual(found, [], colorScheme)
    }
    await picture(page, `${name}-dark`)
    if (name === 'overview') {
      await page.emulateMedia({ colorScheme: 'light' })
      await page.locator('details summary').click()
      await settled(page)
      await picture(page, 'dashboard', { fullPage: false })
    }
    await page.emulateMedia({ colorScheme: 'light' })
    assert.deepEqual(page.faults, [])
  })

  for (const language of ['vi', 'zh']) {
    test(`${name}: ${language}`, async () => {
      const page = who()
      await show(page, path(), language, act)
      assert.deepEqual(await page.evaluate(wrongTexts, foreign(language)), [])
      if (name.endsWith('-refused') && !name.startsWith('product')) {
        await becomes(() => page.getByRole('alert').evaluate(alert => alert.firstChild.data),
          text => [...locales[language].values()].includes(text), `the reason is ${language}`)
      }
      for (const [width, [x, y]] of Object.entries(widths).slice(0, 2)) {
        await page.setViewportSize({ width: x, height: y })
        await settled(page)
        assert.deepEqual(await page.evaluate(cutOff), [], width)
        await picture(page, `${name}-${language}-${width}`)
      }
      assert.deepEqual(page.faults, [])
    })
  }
}
