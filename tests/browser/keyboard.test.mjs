// Goal: all of it without a mouse: from the first start to an updated device, the owner's yes, a dialog, a menu.
// Method: nothing but keys reaches the page, and each thing that has the focus shows it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { password, populate } from './fleet.mjs'
import { downloaded, Sketch } from './devices.mjs'
import { writeImages } from './images.mjs'
import { becomes, launch, open, said, Server, settled, temporary } from './stand.mjs'

const images = writeImages(temporary)
let browser, server, page, sketch

before(async () => {
  server = await new Server().start()
  browser = await launch()
  page = await open(browser)
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

/** Press Tab until something of this role and name has the focus; each stop on the way shows that it has it. */
async function tabTo (page, role, name, scope = page) {
  const target = scope.getByRole(role, { name, exact: typeof name === 'string' }).first()
  await target.waitFor()
  for (let i = 0; i < 150; i++) {
    await page.keyboard.press('Tab')
    const stop = await target.evaluate(target => {
      const one = document.activeElement
      const style = getComputedStyle(one)
      const box = one.getBoundingClientRect()
      const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 && box.width > 0 && box.right > 0
      return { it: one === target, shown: shown || one === document.body, what: one.outerHTML.slice(0, 100) }
    })
    assert.ok(stop.shown, `${stop.what} does not show that it has the focus`)
    if (stop.it) return
  }
  throw new Error(`Tab never comes to the ${role} ${name}`)
}

/** What has the focus. */
const focused = async page => await page.evaluate(() => `${document.activeElement.localName}: ${document.activeElement.textContent}`)

async function type (page, role, name, text) {
  await tabTo(page, role, name)
  await page.keyboard.press('Control+A')
  await page.keyboard.type(text)
}

async function press (page, role, name, key = 'Enter') {
  await tabTo(page, role, name)
  await page.keyboard.press(key)
}

/** Go through what there is to choose by arrows. Letters would do too, but have to follow one another within a second. */
async function choose (page, name, label, key = 'ArrowDown') {
  await tabTo(page, 'combobox', name)
  const chosen = async () => await page.evaluate(() => document.activeElement.selectedOptions?.[0].text)
  for (let i = 0, before; (before = await chosen()) !== label; i++) {
    assert.ok(i < 20, `${key} never comes to ${label}`)
    await page.keyboard.press(key)
    await becomes(chosen, now => now !== before, `${key} chooses another one`)
  }
}

test('the first start', async () => {
  await page.goto(server.setup)
  await type(page, 'textbox', /New password/, password)
  await page.keyboard.press('Enter')
  await becomes(() => focused(page), 'h1: New product', 'a reader begins with the heading')
  await settled(page)
  server.token = (await server.api('POST', '/tokens/login', { user: 'admin', password, name: 'tests' })).token
})

test('a product', async () => {
  await type(page, 'textbox', 'Name', 'Clock')
  await page.keyboard.press('Tab') // to the group of kinds, where arrows go on
  await page.keyboard.press('ArrowDown')
  await becomes(() => page.getByRole('radio', { name: 'Arduino' }).isChecked(), true, 'the next kind is chosen')
  await choose(page, 'Devices that are not registered', 'are admitted')
  await press(page, 'button', 'Create the product')
  await page.getByRole('heading', { name: 'Clock' }).waitFor()
  const line = /\/update\/([^/"]+)"/
  const [, key] = line.exec(await becomes(() => page.locator('pre').first().innerText(), line, 'lines to paste'))
  sketch = new Sketch(server, key)
})

test('a release, from a chosen file', async () => {
  const chooser = page.waitForEvent('filechooser')
  await press(page, 'button', 'Firmware files')
  await (await chooser).setFiles(images['sketch-1.1.0.bin'])
  await type(page, 'textbox', 'Version', '1.1.0')
  await press(page, 'checkbox', 'Set as current at once', 'Space')
  await press(page, 'button', 'Upload')
  await page.getByRole('link', { name: '1.1.0' }).waitFor()
  await becomes(() => page.evaluate(() => document.activeElement.ariaLabel), 'Firmware files', 'the focus is where the next release begins')
})

test('the device, by the menu and a filter', async () => {
  assert.equal((await sketch.poll()).status, 200)
  await downloaded(server, sketch.chip)
  await page.keyboard.press('Control+Home')
  await press(page, 'link', 'Devices')
  await page.getByRole('heading', { name: 'Devices' }).waitFor()
  await becomes(() => focused(page), 'h1: Devices', 'a reader begins with the heading')
  await type(page, 'searchbox', 'Search', '1234567')
  await page.keyboard.press('Enter')
  await page.waitForURL('**q=1234567')
  await press(page, 'link', '1234567')
  await page.getByRole('heading', { name: 'Update to 1.1.0' }).waitFor()
  await becomes(() => focused(page), 'h1: 1234567', 'and so when the page comes later than its address')
  sketch.version = '1.1.0'
  await sketch.poll()
  await page.locator('.steps strong').getByText('running').waitFor()
})

test('a page that is loaded by its address leaves the focus alone; one that is gone back to does not', async () => {
  await page.reload()
  await page.getByRole('heading', { name: '1234567' }).waitFor()
  await settled(page)
  await becomes(() => focused(page), /^body/, 'it is the browser\'s')
  await page.goBack()
  await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor()
  await becomes(() => focused(page), 'h1: Devices', 'a reader begins with the heading')
  await page.goForward()
  await becomes(() => focused(page), 'h1: 1234567', 'a reader begins with the heading')
})

test('a question is asked in a dialog, and left by Escape', async () => {
  await press(page, 'button', 'Restart')
  const dialog = page.getByRole('dialog', { name: 'Restart 1234567?' })
  await dialog.waitFor()
  await becomes(() => page.evaluate(() => document.activeElement.closest('dialog') !== null), true, 'the focus is in the dialog')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  await becomes(() => focused(page), 'button: Restart', 'the focus is where it was')
  await page.keyboard.press('Enter')
  await dialog.waitFor()
  await tabTo(page, 'button', 'Restart', dialog)
  await page.keyboard.press('Enter')
  await said(page, 'The device was told to restart')
})

test('the menu is skipped on demand', async () => {
  await page.goto(server.url)
  await settled(page)
  await page.keyboard.press('Tab')
  await becomes(() => focused(page), 'a: To the content', 'the first stop')
  await page.keyboard.press('Enter')
  await becomes(() => focused(page), /^main/, 'the content has the focus')
  await page.keyboard.press('Tab')
  await becomes(() => page.evaluate(() => document.activeElement.matches('main *')), true, 'and what is next is in it')
})

test('language and colours', async () => {
  await page.keyboard.press('Control+Home')
  await page.locator('a.skip').focus()
  await choose(page, 'Colours', 'dark')
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark')
  await page.locator('a.skip').focus()
  await choose(page, 'Language', 'Tiếng Việt')
  await page.waitForFunction(() => document.documentElement.lang === 'vi')
  await page.keyboard.press('ArrowUp')
  await page.waitForFunction(() => document.documentElement.lang === 'en')
})

test('the owner\'s yes', async () => {
  const made = await populate(server, images)
  made.link.close()
  const owner = await open(browser, { width: 390, height: 844 })
  await owner.goto(`${server.url}/app?claim=${made.plugDevice.claim_code}`)
  await type(owner, 'textbox', 'User', 'ann')
  await type(owner, 'textbox', 'Password', password)
  await owner.keyboard.press('Enter')
  await press(owner, 'button', 'Add')
  await owner.getByRole('heading', { name: 'Plug by the door' }).waitFor()
  await press(owner, 'button', 'Update now')
  await owner.getByText('The device will fetch version 1.1.0 soon.').waitFor()
  assert.equal((await made.plugSketch.poll()).status, 200)
  await settled(owner)
  assert.deepEqual(owner.faults, [])
  assert.deepEqual(page.faults, [])
})
