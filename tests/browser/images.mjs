// Firmware images, made byte by byte after docs/formats, so that the server and the page judge what they did not make.
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xEDB88320 : n >>> 1
  return n
})

function crc32 (bytes) {
  let crc = ~0
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xFF] ^ (crc >>> 8)
  return ~crc >>> 0
}

function word (value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}

/** An ESP8266 image of format 1; `start` is what stands before it. */
function v1 (segments, { entry = 0x40100004, mode = 0, sizeFreq = 0, start = Buffer.alloc(0) } = {}) {
  let body = Buffer.concat([start, Buffer.from([0xE9, segments.length, mode, sizeFreq]), word(entry)])
  let checksum = 0xEF
  for (const [address, data] of segments) {
    body = Buffer.concat([body, word(address), word(data.length), data])
    for (const byte of data) checksum ^= byte
  }
  return Buffer.concat([body, Buffer.alloc(15 - body.length % 16), Buffer.from([checksum])])
}

/** Bytes that differ from one `seed` to the next, and do not compress well. */
function code (seed, size) {
  const pieces = []
  for (let i = 0; i * 32 < size; i++) pieces.push(createHash('sha256').update(`${seed} ${i}`).digest())
  return Buffer.concat(pieces).subarray(0, size)
}

/** A NONOS user image of the SDK for flash map 2. */
function user (slot, seed, size) {
  const irom = code(seed + slot, size)
  const start = Buffer.concat([Buffer.from([0xEA, 4, 0, slot]), word(0x40100004), word(0), word(irom.length), irom])
  const body = v1([[0x40100000, code(seed, 64)], [0x3FFE8000, code(seed, 32)], [0x3FFE8020, code(seed, 16)]],
    { sizeFreq: 0x20, start })
  const crc = crc32(body)
  return Buffer.concat([body, word(crc & 0x80000000 ? ~crc : crc + 1)])
}

/** CRC-32 as the Arduino core's tools count it: the highest bit first, nothing turned around. */
function crc32Mpeg2 (bytes) {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04C11DB7 : crc << 1
  }
  return crc >>> 0
}

/** A sketch of the Arduino core for the ESP8266: eboot, padding, application, its length and CRC. */
function sketch (seed, size) {
  const loader = Buffer.alloc(0x1000, 0xAA)
  v1([[0x4010F000, code('eboot', 64)]], { entry: 0x4010F000, mode: 2, sizeFreq: 0x40 }).copy(loader)
  const flash = Buffer.concat([word(0), word(0), code(seed, size)])
  const image = v1([[0x40201010, flash], [0x40100000, code(seed, 32)], [0x3FFE8000, Buffer.from('data')]],
    { entry: 0x40100000, mode: 2, sizeFreq: 0x40, start: loader })
  // Both count as zero in the CRC, and in the checksum byte at the end.
  const crc = crc32Mpeg2(image)
  image.writeUInt32LE(image.length, 0x1010)
  image.writeUInt32LE(crc, 0x1014)
  return image
}

/** An app of ESP-IDF, or of the Arduino core, for the ESP32. */
function esp32 (version, size) {
  const text = (value, room) => { const field = Buffer.alloc(room); field.write(value); return field }
  const descriptor = Buffer.concat([word(0xABCD5432), Buffer.alloc(12), text(version, 32), text('camera', 32),
    text('12:34:56', 16), text('Nov 21 2026', 16), text('v5.4', 32), createHash('sha256').update(version).digest()])
  const flash = Buffer.concat([descriptor, Buffer.alloc(256 - descriptor.length), code(version, size & ~3)])
  const segments = [[0x3F400020, flash], [0x3FFB0000, code(version, 64)], [0x40080000, code(version, 2048)]]
  let checksum = 0xEF
  const parts = [Buffer.from([0xE9, segments.length, 2, 0x2F]), word(0x40080400),
    Buffer.from([0xEE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]
  for (const [address, data] of segments) {
    parts.push(word(address), word(data.length), data)
    for (const byte of data) checksum ^= byte
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const body = Buffer.concat([...parts, Buffer.alloc(15 - length % 16), Buffer.from([checksum])])
  return Buffer.concat([body, createHash('sha256').update(body).digest()])
}

/** Write the images that the tests upload into a folder. @return their paths by name */
export function writeImages (folder) {
  mkdirSync(folder, { recursive: true })
  const whole = sketch('1.1.0', 300_000)
  const files = {
    'sketch-1.0.0.bin': sketch('1.0.0', 280_000),
    'sketch-1.1.0.bin': whole,
    'sketch-1.2.0.bin': sketch('1.2.0', 310_000),
    'camera.bin': esp32('2.0.0', 3_900_000), // more than what fits between two sockets
    'user1.bin': user(1, 'v1.0.1', 200_000),
    'user2.bin': user(2, 'v1.0.1', 200_000),
    'user1-next.bin': user(1, 'v1.0.2', 220_000),
    'user2-next.bin': user(2, 'v1.0.2', 220_000),
    'cut.bin': whole.subarray(0, 150_000),
    'flipped.bin': Buffer.from(whole).fill(0xFF, 200_000, 200_001),
    'photo.bin': code('no image at all', 5_000)
  }
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => {
    writeFileSync(join(folder, name), bytes)
    return [name, join(folder, name)]
  }))
}
