// Goal: everything that an operator does is done by clicking, and what is refused says why.
// Method: each page's actions once, against a fleet with something of everything; what came of them is asked of the API.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { password, populate } from './fleet.mjs'
import { Sketch } from './devices.mjs'
import { writeImages } from './images.mjs'
import { becomes, launch, login, open, said, Server, settled, temporary } from './stand.mjs'

const images = writeImages(temporary)
let browser, server, made, page

before(async () => {
  server = await (await new Server().start()).settle()
  made = await populate(server, images)
  browser = await launch()
  page = await open(browser)
})
after(async () => {
  made?.link.close()
  await browser?.close()
  await server?.stop()
})

const api = async (method, path, body) => await server.api(method, path, body)
async function visit (path) {
  await page.goto(server.url + path)
  await settled(page)
}

test('a wrong password is refused in words', async () => {
  await page.goto(server.url)
  await page.getByLabel('User').fill('admin')
  await page.getByLabel('Password').fill('not this one')
  await page.locator('main button').click()
  await page.getByRole('alert').waitFor()
  await login(page, server, 'admin', password)
})

test('files that are none are refused before they are sent, with the reason and the place', async t => {
  const files = {
    'cut.bin': 'the image ends before it is complete (at offset 0x249f0)',
    'flipped.bin': 'the checksum does not match (at offset 0x4a42f)',
    'photo.bin': 'no firmware image begins like this',
    'camera.bin': 'Made for esp32, and this product\'s chip is esp8266.'
  }
  for (const [name, reason] of Object.entries(files)) {
    await t.test(name, async () => {
      await visit(`/products/${made.clock.id}`)
      await page.getByLabel('Firmware files').setInputFiles(images[name])
      await page.getByRole('alert').getByText(reason).waitFor()
      await becomes(() => page.getByRole('button', { name: 'Upload' }).count(), 0, 'there is nothing to upload')
    })
  }
})

test('what only the server knows, it refuses: half of a pair, a version that is there', async () => {
  await visit(`/products/${made.lamp.id}`)
  await page.getByLabel('Firmware files').setInputFiles([images['user1-next.bin']])
  await page.getByLabel('Version', { exact: true }).fill('v1.0.2t45772(a)')
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.locator('form').getByRole('alert').getByText('user2').first().waitFor()
  await page.getByLabel('Firmware files').setInputFiles([images['user1-next.bin'], images['user2-next.bin']])
  await page.getByLabel('Version', { exact: true }).fill('v1.0.1t45772(a)')
  await page.getByRole('button', { name: 'Upload' }).click()
  await page.locator('form').getByRole('alert').getByText('v1.0.1t45772(a)').waitFor()
})

test('a pair is dropped in, and lies where it belongs', async () => {
  await visit(`/products/${made.lamp.id}`)
  const data = await page.evaluateHandle(([one, two]) => {
    const transfer = new DataTransfer()
    for (const [name, text] of [['user1.bin', one], ['user2.bin', two]]) {
      transfer.items.add(new File([Uint8Array.from(atob(text), letter => letter.charCodeAt(0))], name))
    }
    return transfer
  }, ['user1-next.bin', 'user2-next.bin'].map(name => readFileSync(images[name]).toString('base64')))
  await page.locator('.drop').dispatchEvent('drop', { dataTransfer: data })
  await page.getByRole('heading', { name: 'user1.bin good' }).waitFor()
  await page.getByRole('heading', { name: 'user2.bin good' }).waitFor()
  await becomes(() => page.locator('svg.map').count(), 2, 'each is drawn')
  await page.getByLabel('Version', { exact: true }).fill('v1.0.2t45772(a)')
  await page.getByLabel('What changes').fill('Warmer light.')
  await page.getByRole('button', { name: 'Upload' }).click()
  const row = page.getByRole('row', { name: /v1\.0\.2/ })
  await row.getByText('user1 220 kB, user2 220 kB').waitFor()
  await row.getByRole('button', { name: 'Set as current' }).click()
  await row.getByText('current', { exact: true }).waitFor()
  await made.link.hear(message => message.get?.version === 'v1.0.2t45772(a)')
})

test('releases are compared, stopped and withdrawn', async () => {
  await visit(`/products/${made.clock.id}/releases/1.1.0`)
  await page.getByLabel('Compare with').selectOption('1.0.0')
  await page.getByRole('cell', { name: '284176' }).waitFor()
  await page.getByRole('cell', { name: '304176' }).waitFor()
  await becomes(() => new URL(page.url()).search, '?compare=1.0.0', 'the address says it')
  await page.getByRole('button', { name: 'Withdraw' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click()
  await page.locator('main .badge').getByText('withdrawn', { exact: true }).waitFor()
  assert.equal((await api('GET', `/products/${made.clock.id}/releases/1.1.0`)).withdrawn, true)
  await visit('/updates')
  const card = page.locator('section', { has: page.getByRole('heading', { name: 'Plug 1.1.0' }) })
  await card.getByRole('button', { name: 'Stop' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click()
  await said(page, 'Stopped')
  const { items: [update] } = await api('GET', `/updates?product=${made.plug.id}`)
  assert.equal(update.state, 'cancelled')
})

test('a device that rolled back is explained', async () => {
  await visit(`/devices/${made.back}`)
  await page.getByText('It ran the new version, and went back by itself.').first().waitFor()
  await becomes(() => page.locator('.steps strong').allInnerTexts(), ['offered', 'accepted', 'downloading', 'downloaded', 'running', 'rolled back'], 'its steps')
  await api('POST', `/products/${made.clock.id}/releases/1.2.0/current`)
  await page.getByText('It is offered version 1.2.0.').waitFor()
})

test('when a release will be everywhere is told, and of how many devices nobody can tell', async () => {
  await visit('/updates')
  const card = page.locator('section.card').filter({ hasText: 'Smart clock 1.2.0' })
  await card.getByText('Cannot be foreseen').waitFor()
  const forecast = await api('GET', `/products/${made.clock.id}/releases/1.2.0/forecast`)
  assert.ok(forecast.unknown > 0)
  await card.getByText(`${forecast.unknown} whose habit is not known yet`).waitFor()
})

test('devices are filtered by the address, kept as views, and taken away as CSV', async t => {
  const count = async () => Number.parseInt(await page.locator('main').getByRole('status').filter({ hasText: 'device' }).innerText())
  const counts = async (wanted, what) => { await becomes(count, wanted, `the number of devices ${what}`) }
  // Who is online and what an update comes to depend on the time too.
  const filters = { online: undefined, silent: 0, updating: undefined, failed: 2, new: 1, blocked: 1 }
  await visit('/devices')
  for (const [state, expected] of Object.entries(filters)) {
    await t.test(state, async () => {
      await page.getByLabel('State').selectOption(state)
      await page.waitForURL(`**state=${state}`)
      await settled(page)
      if (expected === undefined) {
        await becomes(async () => [await count(), (await api('GET', `/devices?state=${state}`)).total], ([here, there]) => here === there, `the number of devices ${state}, here and there`)
      } else {
        await counts(expected, state)
      }
    })
  }
  await t.test('what is typed stays when a device is heard of', async () => {
    await page.getByLabel('State').selectOption('')
    await settled(page)
    await page.getByLabel('Version', { exact: true }).pressSequentially('1.')
    await api('PATCH', `/devices/${made.updated}`, { name: 'Pantry' })
    await page.getByRole('link', { name: 'Pantry' }).waitFor()
    await becomes(() => page.getByLabel('Version', { exact: true }).inputValue(), '1.', 'what was typed')
    await api('PATCH', `/devices/${made.updated}`, { name: 'Kitchen' })
    await page.getByRole('link', { name: 'Kitchen' }).waitFor()
  })
  await t.test('a view', async () => {
    await page.getByLabel('State').selectOption('')
    await page.getByLabel('Product').selectOption({ label: 'Smart clock' })
    await page.getByLabel('Version', { exact: true }).fill('1.1.0')
    await page.keyboard.press('Enter')
    await counts(5, 'with this version')
    await page.getByLabel('Name of this view').fill('Clocks')
    await page.getByRole('button', { name: 'Keep this view' }).click()
    await page.getByRole('button', { name: 'Clocks', exact: true }).waitFor()
    await visit('/devices')
    await counts(15, 'in all')
    await page.getByRole('button', { name: 'Clocks', exact: true }).click()
    await counts(5, 'in the view')
    await page.reload()
    await counts(5, 'in the view, loaded anew')
  })
  await t.test('CSV', async () => {
    const download = page.waitForEvent('download')
    await page.getByRole('link', { name: 'CSV' }).click()
    const text = readFileSync(await (await download).path(), 'utf8')
    const lines = text.trim().split('\r\n')
    assert.equal(lines.length, 6)
    assert.match(lines[0], /^id,name,serial,/)
    assert.match(text, /"Kitchen"/)
  })
  await t.test('pages', async () => {
    for (let i = 0; i < 120; i++) await api('POST', `/products/${made.plug.id}/devices`, { name: `Row ${String(i).padStart(3, '0')}` })
    await visit('/devices?q=Row&sort=name')
    await counts(120, 'that are found')
    await becomes(() => page.locator('tbody tr').count(), 100, 'rows of the first page')
    const { headers, text } = await (async () => {
      const response = await fetch(`${server.plain}/api/v1/devices?q=Row&format=csv`, { headers: { Authorization: `Bearer ${server.token}` } })
      return { headers: response.headers, text: await response.text() }
    })()
    assert.match(headers.get('content-disposition'), /devices\.csv/)
    assert.equal(text.trim().split('\r\n').length, 121, 'a file has all of them')
    await page.getByRole('button', { name: 'Next page' }).click()
    await page.getByRole('link', { name: 'Row 119' }).waitFor()
    await becomes(() => page.locator('tbody tr').count(), 20, 'rows of the last page')
    await page.getByRole('button', { name: 'First page' }).click()
    await page.getByRole('link', { name: 'Row 000' }).waitFor()
  })
})

test('what devices that get nothing are answered is chosen on the product\'s page', async () => {
  await visit(`/products/${made.clock.id}`)
  for (const [label, field] of [['Unknown devices are answered', 'reply_unknown'], ['Blocked devices are answered', 'reply_blocked']]) {
    const before = (await api('GET', `/products/${made.clock.id}`))[field]
    for (const status of ['404', String(before)]) {
      await page.getByLabel(label).selectOption(status)
      await becomes(async () => String((await api('GET', `/products/${made.clock.id}`))[field]), status, label)
    }
  }
})

test('a device is registered, and its key shown', async () => {
  await visit('/devices')
  await page.getByRole('button', { name: 'Register a device' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Product').selectOption({ label: 'Lamp' })
  await dialog.getByLabel('Name').fill('Hall')
  await dialog.getByLabel('Serial number').fill('0002')
  await dialog.getByRole('button', { name: 'Register' }).click()
  const key = await dialog.locator('pre').innerText()
  await dialog.getByRole('link', { name: 'Hall' }).click()
  await page.getByRole('heading', { name: 'Hall' }).waitFor()
  await page.getByText(key).waitFor()
})

test('a linked device is asked, told to update, and to restart', async () => {
  const { link } = made
  await visit(`/devices/${made.lampDevice.id}`)
  await page.getByLabel('action').fill('sys_reboot')
  const rebooted = link.hear(message => message.get?.action === 'sys_reboot')
  await page.getByRole('button', { name: 'Send' }).click()
  await rebooted
  await page.getByLabel('Answer').getByText('"sent": true').waitFor()
  await page.getByLabel('action').fill('get_light')
  const asked = link.asked('get_light')
  await page.getByRole('button', { name: 'Send' }).click()
  await asked
  await page.getByLabel('Answer').getByText('"status": 200').waitFor()
  const ordered = link.asked('sys_upgrade')
  await page.getByRole('button', { name: 'Update now' }).click()
  assert.equal((await ordered).version, 'v1.0.2t45772(a)')
  await page.getByRole('button', { name: 'Restart', exact: true }).click()
  const again = link.hear(message => message.get?.action === 'sys_reboot')
  await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click()
  await again
})

test('an update is ordered, and called off; a device is blocked, and let in', async () => {
  await visit(`/devices/${made.asked}`)
  await page.getByRole('button', { name: 'Update now' }).click()
  await said(page, 'The update is ordered')
  await page.getByRole('button', { name: 'Cancel the update' }).click()
  await page.locator('.steps strong').getByText('cancelled').waitFor()
  await page.getByRole('button', { name: 'Block', exact: true }).click()
  await page.getByText('The device is blocked.').waitFor()
  await page.getByRole('button', { name: 'Unblock' }).click()
  await page.getByRole('button', { name: 'Block', exact: true }).waitFor()
  await page.getByLabel('Name').fill('Bath')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { name: 'Bath' }).waitFor()
})

test('users, members, tokens, and the log of it all', async () => {
  await visit('/users')
  await page.getByLabel('User', { exact: true }).fill('eve')
  await page.getByLabel('New password').fill(password)
  await page.getByRole('button', { name: 'Create the user' }).click()
  const row = page.getByRole('row', { name: /^eve/ })
  await row.getByRole('button', { name: 'Disable' }).click()
  await row.getByText('disabled').waitFor()
  await row.getByRole('button', { name: 'Enable' }).click()
  await row.getByRole('button', { name: 'Disable' }).waitFor()
  await visit(`/products/${made.clock.id}`)
  const members = page.locator('section', { has: page.getByRole('heading', { name: 'Members' }) })
  await members.getByLabel('User').selectOption('eve')
  await members.getByLabel('Role').selectOption('developer')
  await members.getByRole('button', { name: 'Add or change' }).click()
  await members.getByRole('row', { name: /eve developer/ }).waitFor()
  await members.getByRole('row', { name: /eve developer/ }).getByRole('button', { name: 'Remove' }).click()
  await members.getByRole('row', { name: /eve/ }).waitFor({ state: 'detached' })
  await visit('/tokens')
  await page.getByLabel('Name').fill('nightly')
  await page.getByRole('button', { name: 'Make the token' }).click()
  const secret = await page.locator('pre').innerText()
  const answer = await fetch(`${server.plain}/api/v1/session`, { headers: { Authorization: `Bearer ${secret}` } })
  assert.equal(answer.status, 200)
  await page.getByRole('row', { name: /nightly/ }).getByRole('button', { name: 'Revoke' }).click()
  await page.getByRole('row', { name: /nightly/ }).waitFor({ state: 'detached' })
  assert.equal((await fetch(`${server.plain}/api/v1/session`, { headers: { Authorization: `Bearer ${secret}` } })).status, 401)
  await visit('/audit')
  await page.getByText('The chain of the log is whole').waitFor()
  for (const what of ['token.create', 'member.set', 'user.create']) await page.getByRole('cell', { name: what }).first().waitFor()
})

test('the own password', async () => {
  await visit('/settings')
  await page.getByText(server.url, { exact: true }).waitFor()
  await page.getByLabel('Present password').fill('not this one')
  await page.getByLabel('New password').fill('another password')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('alert').waitFor()
  await page.getByLabel('Present password').fill(password)
  await page.getByRole('button', { name: 'Save' }).click()
  await said(page, 'Saved')
})

test('a product is deleted when it has no devices', async () => {
  await page.context().clearCookies()
  await login(page, server, 'admin', 'another password', `/products/${made.clock.id}`)
  await page.getByRole('button', { name: 'Delete this product' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete this product' }).click()
  await said(page, 'delete them first')
  const { id } = await api('POST', '/products', { name: 'Empty', kind: 'arduino', chip: 'esp8266' })
  await visit(`/products/${id}`)
  await page.getByRole('button', { name: 'Delete this product' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete this product' }).click()
  await page.getByRole('heading', { name: 'Products' }).waitFor()
  await settled(page)
  assert.deepEqual(page.faults, [])
})

test('a device that nobody admitted is told of on the overview', async () => {
  await new Sketch(server, made.clock.key, { chip: '8888888' }).poll()
  await visit('/')
  await page.getByRole('link', { name: '2 devices wait to be admitted' }).click()
  await page.getByRole('link', { name: '8888888' }).waitFor()
})

test('in another language a refusal has the server\'s own sentence too, where that says more', async () => {
  await api('POST', '/users', { name: 'ling', password, role: 'administrator' })
  const page = await open(browser)
  const visit = async path => { await page.goto(server.url + path); await settled(page) }
  await login(page, server, 'ling', password, '/products/new')
  const language = page.locator('[name=language]')
  const alert = page.getByRole('alert')
  await page.locator('[name=name]').fill('Lamp')
  for (const [spoken, text] of [['vi', 'Tên này đã được dùng.'], ['zh', '此名称已被使用。']]) {
    await language.selectOption(spoken)
    await page.locator('main form button').click()
    await becomes(() => alert.evaluate(one => one.firstChild.textContent), text, spoken)
    await becomes(() => alert.locator('small [lang=en]').innerText(), 'There is a product of this name already.', 'with the sentence')
  }
  // In passing it is one line.
  await page.route(/\/update$/, async route => {
    await route.fulfill({ status: 409, json: { error: { code: 'invalid', message: 'format is json or csv', detail: {} } } })
  })
  await visit(`/devices/${made.updated}`)
  await page.locator('button.primary').first().click()
  await said(page, '服务器不接受此值。 (format is json or csv)')
  // What the text of the code says already is not said twice; nor is anything in English.
  await page.unroute(/\/update$/)
  await page.route(/\/products$/, async route => {
    await route.fulfill({ status: 409, json: { error: { code: 'bad_ptype', message: 'A product type is a number from 1 to 9999999999.', detail: {} } } })
  })
  await visit('/products/new')
  await page.locator('[name=name]').fill('Lamp')
  await page.locator('main form button').click()
  await alert.waitFor()
  await becomes(() => alert.locator('[lang]').count(), 0, 'the text alone')
  await page.unroute(/\/products$/)
  await language.selectOption('en')
  await page.locator('main form button').click()
  await becomes(() => alert.innerText(), 'There is a product of this name already.', 'the sentence alone')
  assert.deepEqual(page.faults, [])
  await page.context().close()
})
