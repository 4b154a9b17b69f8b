// Goal: from the link that the server prints to a device that runs a new version, by clicking alone.
// Method: Debian's Chromium, a real updraftd, and a sketch that asks as ESP8266HTTPUpdate does, at the address and with
// the key that the page tells to paste.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Sketch } from './devices.mjs'
import { writeImages } from './images.mjs'
import { becomes, launch, open, picture, Server, temporary } from './stand.mjs'

const images = writeImages(temporary)
let browser, server, page

before(async () => {
  server = await new Server().start()
  browser = await launch()
  page = await open(browser)
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

test('the first start asks for a password', async () => {
  await page.goto(server.setup)
  await page.getByLabel('New password').fill('short')
  await page.getByRole('button', { name: 'Begin' }).click()
  await becomes(() => page.getByLabel('New password').evaluate(field => field.validity.tooShort), true, 'it is too short')
  await picture(page, 'setup')
  await page.getByLabel('New password').fill('correct horse')
  await page.getByRole('button', { name: 'Begin' }).click()
  await page.getByRole('heading', { name: 'New product' }).waitFor()
  await becomes(() => new URL(page.url()).hash, '', 'the token does not stay in the address')
})

test('a product is made, and its page has lines to paste', async () => {
  await page.getByLabel('Name').fill('Smart clock')
  await page.getByRole('radio', { name: 'Arduino' }).check()
  await picture(page, 'new-product')
  await page.getByRole('button', { name: 'Create the product' }).click()
  await page.getByRole('heading', { name: 'Smart clock' }).waitFor()
  const line = /"http:\/\/([^/"]+)\/update\/([^/"]+)"/
  const [, address, key] = line.exec(await becomes(() => page.locator('pre').first().innerText(), line, 'lines to paste'))
  assert.equal(address, new URL(server.url).host)
  page.device = new Sketch(server, key)
})

test('a release is dropped in, and is shown before it is sent', async () => {
  await page.getByLabel('Firmware files').setInputFiles(images['sketch-1.1.0.bin'])
  await page.getByText('arduino, esp8266').waitFor()
  await picture(page, 'upload')
  await page.getByLabel('Version', { exact: true }).fill('1.1.0')
  await page.getByLabel('Set as current at once').check()
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.getByRole('link', { name: '1.1.0' }).waitFor()
})

test('the device asks, gets it, and the page tells that it runs', async () => {
  await page.getByRole('link', { name: 'Devices' }).first().click()
  await page.getByText('0 devices').waitFor()
  assert.equal((await page.device.poll()).status, 304, 'nobody admitted it yet')
  await page.getByRole('link', { name: '1234567' }).click()
  await page.getByText('Nobody has admitted the device yet.').waitFor()
  await page.getByRole('button', { name: 'Admit' }).click()
  await page.getByText('It is offered version 1.1.0.').waitFor()
  assert.equal((await page.device.poll()).status, 200)
  await page.getByRole('heading', { name: 'Update to 1.1.0' }).waitFor()
  await page.locator('.steps strong').getByText('downloaded').waitFor()
  page.device.version = '1.1.0'
  assert.equal((await page.device.poll()).status, 304)
  await page.locator('.steps strong').getByText('running').waitFor()
  await picture(page, 'device')
})
