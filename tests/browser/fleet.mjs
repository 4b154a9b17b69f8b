// A fleet with something of everything, made over the API and by devices that ask.
import { downloaded, Linked, Sketch } from './devices.mjs'

export const password = 'correct horse'

/** Names that are no markup, wherever they are shown. */
export const hostile = '"><img src=x onerror=document.title=1> <b>&amp;</b> {{7*7}} ${7*7}'

/** @return the objects that pages are about */
export async function populate (server, images) {
  const api = async (method, path, body) => await server.api(method, path, body)
  const made = { server }

  // A sketch's product, with devices in every state of an update.
  const clock = made.clock = await api('POST', '/products', {
    name: 'Smart clock', kind: 'arduino', chip: 'esp8266', strangers: 'admit', consent: 'automatic'
  })
  await server.release(clock.id, '1.0.0', { app: images['sketch-1.0.0.bin'] }, { notes: 'The first one.', current: true })
  const fresh = []
  for (let i = 0; i < 12; i++) {
    const sketch = new Sketch(server, clock.key, { chip: String(1000000 + 7919 * i), version: '1.0.0' })
    await sketch.poll()
    fresh.push(sketch)
  }
  await server.release(clock.id, '1.1.0', { app: images['sketch-1.1.0.bin'] },
    { notes: 'The alarm rings again after a power cut.\nThe display is brighter by day.', current: true })
  for (const sketch of fresh.slice(0, 5)) await sketch.update('1.1.0')
  const back = fresh[5]
  await back.update('1.1.0')
  back.version = '1.0.0' // it did not run well
  await back.poll()
  const failed = fresh[6]
  await failed.poll()
  await downloaded(server, failed.chip)
  await failed.poll() // with the old version still
  await server.release(clock.id, '1.2.0', { app: images['sketch-1.2.0.bin'] }, { notes: 'Snooze.' })
  const { items } = await api('GET', `/devices?product=${clock.id}&limit=500`)
  const id = sketch => items.find(one => one.chip_id === sketch.chip).id
  Object.assign(made, { back: id(back), failed: id(failed), updated: id(fresh[0]), asked: id(fresh[8]) })
  await api('POST', `/devices/${id(fresh[7])}/block`, { blocked: true })
  await api('PATCH', `/devices/${id(fresh[0])}`, { name: 'Kitchen', group: 'home' })
  await api('PATCH', `/products/${clock.id}`, { strangers: 'hold' })
  await new Sketch(server, clock.key, { chip: '9999999' }).poll()

  // Espressif's way: a pair of images, a registered device on its link, and its owner's word before the restart.
  const lamp = made.lamp = await api('POST', '/products', {
    name: 'Lamp', kind: 'nonos', chip: 'esp8266', map: 2, ptype: 45772, consent: 'ask_reboot'
  })
  await server.release(lamp.id, 'v1.0.1t45772(a)', { user1: images['user1.bin'], user2: images['user2.bin'] },
    { notes: 'Dims without a flicker.', current: true })
  made.lampDevice = await api('POST', `/products/${lamp.id}/devices`, { serial: '0001', name: 'Living room' })
  made.link = await Linked.connect(server, made.lampDevice.device_key)
  await made.link.activate('v1.0.0t45772(a)')
  await made.link.identify()

  // Someone who asks the owner before the download.
  const plug = made.plug = await api('POST', '/products', {
    name: 'Plug', kind: 'arduino', chip: 'esp8266', strangers: 'admit', consent: 'ask_download'
  })
  await server.release(plug.id, '1.1.0', { app: images['sketch-1.1.0.bin'] },
    { notes: 'Switches when the sun sets.', current: true })
  made.plugSketch = new Sketch(server, plug.key, { chip: '2222222', version: '1.0.0' })
  await made.plugSketch.poll()
  const [plugDevice] = (await api('GET', `/devices?product=${plug.id}`)).items
  made.plugDevice = await api('PATCH', `/devices/${plugDevice.id}`, { name: 'Plug by the door' })

  made.ann = await api('POST', '/users', { name: 'ann', password })
  made.olga = await api('POST', '/users', { name: 'olga', password })
  await api('PUT', `/products/${clock.id}/members/${made.olga.id}`, { role: 'operator' })
  await api('POST', '/tokens', { name: 'build server' })
  return made
}
