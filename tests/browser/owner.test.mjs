// Goal: who owns a device decides about its updates in words, and sees what came of it, without knowing any others.
// Method: an owner's phone at /app; devices that ask as stock firmware does; the operator's page shows the same story.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { password, populate } from './fleet.mjs'
import { Linked, Sketch } from './devices.mjs'
import { writeImages } from './images.mjs'
import { becomes, launch, login, open, picture, Server, settled, temporary } from './stand.mjs'

const images = writeImages(temporary)
let browser, server, made, page

before(async () => {
  server = await (await new Server().start()).settle()
  made = await populate(server, images)
  browser = await launch()
  page = await open(browser, { width: 390, height: 844, timezoneId: 'Asia/Ho_Chi_Minh' })
})
after(async () => {
  made?.link.close()
  await browser?.close()
  await server?.stop()
})

/** What is said of one device. */
const card = name => page.locator('article', { has: page.getByRole('heading', { name, exact: true }) })

async function claim (code, name) {
  await page.getByRole('button', { name: 'Add a device' }).click()
  await page.getByLabel('Code').fill(code)
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await card(name).waitFor()
}

/** Another plug of ann's, to which a new version is offered. */
async function plug (name, chip) {
  const sketch = new Sketch(server, made.plug.key, { chip, space: 3_000_000 })
  assert.equal((await sketch.poll()).status, 304, 'the owner is asked before the download')
  const { items } = await server.api('GET', `/devices?product=${made.plug.id}&q=${chip}`)
  const device = await server.api('PATCH', `/devices/${items[0].id}`, { name })
  await claim(device.claim_code, name)
  return { sketch, device }
}

test('a link from the box claims the device, after the log-in', async () => {
  await login(page, server, 'ann', password, `/app?claim=${made.plugDevice.claim_code}`)
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await card('Plug by the door').waitFor()
  await page.getByText('A new version is ready: 1.1.0').waitFor()
  await page.getByText('Switches when the sun sets.').waitFor()
  await becomes(() => page.locator('article').count(), 1, 'she sees what is hers')
})

test('a code that is nobody\'s is refused in place', async () => {
  await page.getByRole('button', { name: 'Add a device' }).click()
  await page.getByLabel('Code').fill('00000000')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByRole('dialog').getByRole('alert').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
})

test('yes: the device gets it, and each step is told', async () => {
  const sketch = made.plugSketch
  await card('Plug by the door').getByRole('button', { name: 'Update now' }).click()
  await page.getByText('The device will fetch version 1.1.0 soon.').waitFor()
  await becomes(() => card('Plug by the door').getByRole('button').count(), 0, 'the question is answered')
  assert.equal((await sketch.poll()).status, 200)
  await page.getByText('Version 1.1.0 is on the device.').waitFor()
  sketch.version = '1.1.0'
  assert.equal((await sketch.poll()).status, 304)
  await page.getByText('The device tries version 1.1.0').waitFor()
  await card('Plug by the door').getByText('Version 1.1.0').first().waitFor()
})

test('no: the device is left alone, and the operator sees why', async () => {
  const { sketch, device } = await plug('Plug in the hall', '3333333')
  await card('Plug in the hall').getByRole('button', { name: 'No, thank you' }).click()
  await card('Plug in the hall').getByText('You said no to version 1.1.0.').waitFor()
  assert.equal((await sketch.poll()).status, 304)
  const operator = await open(browser)
  await login(operator, server, 'admin', password, `/devices/${device.id}`)
  await operator.getByText('The owner said no.').waitFor()
  await operator.locator('.steps strong').getByText('declined').waitFor()
  await operator.context().close()
})

test('tonight: not now', async () => {
  const { sketch, device } = await plug('Plug by the bed', '4444444')
  await card('Plug by the bed').getByRole('button', { name: 'Tonight' }).click()
  await card('Plug by the bed').getByRole('status').getByText(/It happens tonight\. .*3:00:00\sAM/).waitFor()
  await becomes(() => card('Plug by the bed').getByRole('button', { name: 'Tonight' }).count(), 0, 'that is answered')
  assert.equal((await sketch.poll()).status, 304)
  const { reason } = await server.api('GET', `/devices/${device.id}/decision`)
  assert.equal(reason.code, 'postponed')
})

test('Espressif\'s way: the device has it, and its owner says when it restarts', async () => {
  const { link, lampDevice } = made
  await claim(lampDevice.claim_code, 'Living room')
  await server.api('POST', `/devices/${lampDevice.id}/update`)
  const order = await link.asked('sys_upgrade')
  assert.equal(order.version, 'v1.0.1t45772(a)')
  await link.fetch(order.version, 'user2.bin')
  link.success('v1.0.0t45772(a)', order.version)
  await card('Living room').getByText('The new version is on the device. Restart it?').waitFor()
  await picture(page, 'app-restart-phone')
  await card('Living room').getByRole('button', { name: 'Restart now' }).click()
  await link.hear(message => message.get?.action === 'sys_reboot')
  await card('Living room').getByText('The device restarts').waitFor()
  link.close()
  made.link = await Linked.connect(server, lampDevice.device_key)
  await made.link.identify()
  await card('Living room').getByText('The device tries version v1.0.1t45772(a)').waitFor()
})

test('what went wrong is told, and that nothing is lost', async () => {
  const { sketch } = await plug('Plug of the cat', '6666666')
  await card('Plug of the cat').getByRole('button', { name: 'Update now' }).click()
  await card('Plug of the cat').getByText('soon.').waitFor()
  await sketch.update('1.1.0')
  sketch.version = '1.0.0'
  await sketch.poll()
  await card('Plug of the cat').getByText('Version 1.1.0 did not run well; the device went back by itself.').waitFor()
  await card('Plug of the cat').getByText('Your device works as before.').waitFor()
})

test('a download shows how far it is', async () => {
  const camera = await server.api('POST', '/products', { name: 'Camera', kind: 'arduino', chip: 'esp32', strangers: 'admit' })
  await server.release(camera.id, '2.0.0', { app: images['camera.bin'] }, { current: true })
  const sketch = new Sketch(server, camera.key, { chip: 'camera', core: 'ESP32', space: 4_000_000 })
  await server.api('PATCH', `/products/${camera.id}`, { consent: 'operator' })
  assert.equal((await sketch.poll()).status, 304)
  const { items: [device] } = await server.api('GET', `/devices?product=${camera.id}`)
  await claim(device.claim_code ?? (await server.api('GET', `/devices/${device.id}`)).claim_code, 'camera')
  await server.api('PATCH', `/products/${camera.id}`, { consent: 'automatic' })
  let held = false
  await sketch.poll({
    pause: async () => {
      if (held) return
      held = true
      const bar = card('camera').getByRole('progressbar')
      await becomes(() => bar.evaluate(one => one.value), value => value > 0 && value < 1, 'how far it is')
      await picture(page, 'app-downloading-phone')
    }
  })
  await card('camera').getByText('Version 2.0.0 is on the device.').waitFor()
})

test('the page can be installed', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../../web/static/app.webmanifest', import.meta.url), 'utf8'))
  assert.equal(manifest.start_url, '/app')
  const devtools = await page.context().newCDPSession(page)
  const { errors } = await devtools.send('Page.getAppManifest')
  assert.deepEqual(errors, [])
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors')
  assert.deepEqual(installabilityErrors.map(one => one.errorId).filter(one => one !== 'in-incognito'), [])
})

test('an owner is nothing else', async () => {
  assert.equal((await server.api('GET', '/my/devices')).total, 0, 'the administrator has no devices')
  await page.goto(`${server.url}/users`)
  await page.getByRole('alert').waitFor()
  await settled(page)
  await becomes(() => page.getByRole('link', { name: 'Users' }).count(), 0, 'it is not in the menu')
  await page.goto(`${server.url}/devices/${made.back}`)
  await page.getByRole('heading', { name: 'Nothing here' }).waitFor()
  await settled(page)
  assert.deepEqual(page.faults, [])
})
