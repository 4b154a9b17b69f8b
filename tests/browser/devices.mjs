// Virtual devices that speak as stock firmware does: a sketch with ESPhttpUpdate, and a NONOS device on its link.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { becomes, inTime } from './stand.mjs'

/** Wait until the server has seen the last byte of a download go, before which no real device says that it runs it. */
export async function downloaded (server, chip) {
  await becomes(async () => (await server.api('GET', `/devices?q=${chip}`)).items[0].update?.state,
    state => state !== 'downloading', `the download of ${chip} is over`)
}

/** A sketch that asks by ESP8266HTTPUpdate, or by HTTPUpdate of the ESP32. */
export class Sketch {
  /** @param key  of the product, as in the address that the page tells to paste */
  constructor (server, key, { chip = '1234567', version = '1.0.0', space = 700_000, core = 'ESP8266' } = {}) {
    Object.assign(this, { server, key, chip, version, space, core })
    this.mac = `18:FE:34:${chip.padStart(6, '0').slice(-6).replace(/(..)(?=.)/g, '$1:')}`
  }

  /**
   * Ask for an update, and take it.
   * @param pause  called with the bytes so far whenever some have come; the next are read when it is done
   * @return {status, body, md5}
   */
  async poll ({ pause } = {}) {
    const request = http.get(`${this.server.plain}/update/${encodeURIComponent(this.key)}`, {
      agent: false,
      headers: {
        'User-Agent': `${this.core}-http-Update`,
        ...Object.fromEntries(Object.entries({
          'Chip-ID': this.chip,
          'STA-MAC': this.mac,
          'AP-MAC': this.mac,
          'free-space': this.space,
          'sketch-size': 300_000,
          'chip-size': 4_194_304,
          'sdk-version': '2.2.2-dev(38a443e)',
          mode: 'sketch',
          version: this.version
        }).map(([name, value]) => [`x-${this.core}-${name}`, String(value)]))
      }
    })
    const [response] = await once(request, 'response')
    const pieces = []
    let size = 0
    for await (const piece of response) {
      pieces.push(piece)
      size += piece.length
      await pause?.(size)
    }
    const body = Buffer.concat(pieces)
    const md5 = createHash('md5').update(body).digest('hex')
    if (response.statusCode === 200 && md5 !== response.headers['x-md5']) throw new Error('not what x-MD5 says')
    return { status: response.statusCode, body, md5 }
  }

  /** Take an update, restart with it, and ask again. */
  async update (version) {
    const { status } = await this.poll()
    if (status !== 200) throw new Error(`no update: ${status}`)
    await downloaded(this.server, this.chip)
    this.version = version
    return await this.poll()
  }
}

/** A device with firmware of the NONOS SDK, on Espressif's link. It gets what it gets in pieces that end in "\n". */
export class Linked {
  #text = ''
  #messages = []
  #waiting

  static async connect (server, key) {
    const device = new Linked()
    device.server = server
    device.key = key
    device.socket = net.connect(server.link, '127.0.0.1')
    device.socket.setEncoding('utf8').on('data', text => { device.#take(text) }).on('error', () => {})
    await once(device.socket, 'connect')
    // As the stock firmware does, else the server ends the link; oftener than its 50 s.
    device.beacon = setInterval(() => { device.say({ path: '/v1/ping/', method: 'POST', meta: device.#meta }) }, 20_000)
    return device
  }

  #take (text) {
    this.#text += text
    const lines = this.#text.split('\n')
    this.#text = lines.pop()
    this.#messages.push(...lines.filter(line => line !== '').map(line => JSON.parse(line)))
    this.#waiting?.()
  }

  /** The next message for which `wanted` holds; those before it are dropped. */
  async hear (wanted) {
    const dropped = []
    for (;;) {
      while (this.#messages.length > 0) {
        const message = this.#messages.shift()
        if (wanted(message)) return message
        dropped.push(message)
      }
      await inTime(new Promise(resolve => { this.#waiting = resolve }), `${wanted}, but ${JSON.stringify(dropped)}`)
    }
  }

  say (message) { this.socket.write(`${JSON.stringify(message)}\n`) }

  get #meta () { return { Authorization: `token ${this.key}` } }

  async identify () {
    this.say({ nonce: 77, path: '/v1/device/identify', method: 'GET', meta: this.#meta })
    await this.hear(message => message.nonce === 77)
  }

  async activate (version, token = 'a'.repeat(40)) {
    this.say({
      nonce: 4711, path: '/v1/device/activate/', method: 'POST',
      body: { encrypt_method: 'PLAIN', token, bssid: '18:fe:34:aa:bb:cc', rom_version: version }, meta: this.#meta
    })
    return await this.hear(message => message.nonce === 4711)
  }

  /** Wait for a request with this action, and say yes to it. */
  async asked (action) {
    const message = await this.hear(message => message.get?.action === action)
    this.say({ status: 200, nonce: message.nonce, deliver_to_device: true })
    return message.get
  }

  /** Fetch an image as the stock upgrade does. */
  async fetch (version, file) {
    const response = await fetch(`${this.server.plain}/v1/device/rom/?action=download_rom&version=${version}&filename=${file}`,
      { headers: { Authorization: `token ${this.key}` } })
    if (!response.ok) throw new Error(`${file}: ${response.status} ${await response.text()}`)
    return new Uint8Array(await response.arrayBuffer())
  }

  success (before, version) {
    this.say({
      path: '/v1/messages/', method: 'POST', meta: this.#meta, get: { action: 'device_upgrade_success' },
      body: { pre_rom_version: before, rom_version: version }
    })
  }

  close () {
    clearInterval(this.beacon)
    this.socket.destroy()
  }
}
