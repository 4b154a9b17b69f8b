// Goal: who has no device at hand sees an update all the same: virtual devices of updraft-sim, started by a click.
// Method: first start, "show me", set the newer release as current; the devices run updraft's own library.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { password } from './fleet.mjs'
import { becomes, launch, open, picture, Server, settled } from './stand.mjs'

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

test('virtual devices are a click away', async () => {
  await page.goto(server.setup)
  await page.getByLabel('New password').fill(password)
  await page.getByRole('button', { name: 'Begin' }).click()
  await page.getByRole('button', { name: 'Show me' }).click()
  await page.getByRole('heading', { name: 'Virtual devices' }).waitFor()
  await page.getByText('12, 12 online').waitFor()
  await page.getByRole('row', { name: /1\.0\.0/ }).getByText('current').waitFor()
})

test('and are updated by another one', async () => {
  await page.getByRole('row', { name: /1\.1\.0/ }).getByRole('button', { name: 'Set as current' }).click()
  await page.getByRole('row', { name: /1\.1\.0/ }).getByText('confirmed').waitFor()
  await page.getByRole('row', { name: /1\.1\.0.*confirmed 12/ }).waitFor()
  await picture(page, 'show-me')
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('row', { name: 'Virtual devices 1.1.0 12' }).waitFor()
  await settled(page)
  assert.deepEqual(page.faults, [])
})

test('they end with the server, or when they are told to', async () => {
  server.token = (await server.api('POST', '/tokens/login', { user: 'admin', password, name: 'tests' })).token
  await becomes(async () => (await server.api('GET', '/server')).simulating, false, 'virtual devices that run')
  const { items: [product] } = await server.api('GET', '/products')
  await server.api('PATCH', `/products/${product.id}`, { name: 'Virtual devices of before' })
  await server.api('POST', '/simulation')
  await assert.rejects(server.api('POST', '/simulation'), /virtual devices run already/)
  await page.goto(`${server.url}/settings`)
  await page.getByRole('button', { name: 'End the virtual devices' }).click()
  await page.getByRole('button', { name: 'End the virtual devices' }).waitFor({ state: 'detached' })
  assert.equal((await server.api('GET', '/server')).simulating, false)
})

test('nobody but an administrator starts programs here', async () => {
  await server.api('POST', '/users', { name: 'ann', password })
  const { token } = await server.api('POST', '/tokens/login', { user: 'ann', password, name: 'tests' })
  const answer = await fetch(`${server.plain}/api/v1/simulation`, {
    method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: '{}'
  })
  assert.equal(answer.status, 403)
})
