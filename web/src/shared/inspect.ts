// What a file is, before it is sent: core/'s own checker, compiled to WebAssembly (wasm/inspect.c).
import type { FlashMap, ImageDescription } from './types.ts'

declare const INSPECTOR: string

interface Exports {
  memory: WebAssembly.Memory
  inspect_input: () => number
  inspect_room: () => number
  inspect_begin: () => void
  inspect_feed: (size: number) => number
  inspect_text: () => number
  inspect_finish: () => number
  inspect_map: (number: number) => number
}

let loading: Promise<Exports> | undefined

async function load (): Promise<Exports> {
  loading ??= WebAssembly.instantiateStreaming(fetch(INSPECTOR)).then(made => made.instance.exports as unknown as Exports)
  try {
    return await loading
  } catch (error) {
    loading = undefined // the next file tries again
    throw error
  }
}

function text (core: Exports, size: number): unknown {
  return JSON.parse(new TextDecoder().decode(new Uint8Array(core.memory.buffer, core.inspect_text(), size)))
}

/** A file in gzip that cannot be unpacked. */
export class Damaged extends Error {}

/** The file as the bytes that land in flash: a file in gzip is unpacked. */
async function unpacked (file: Blob): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  if (bytes[0] !== 0x1F || bytes[1] !== 0x8B) {
    return bytes
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return await new Response(stream).arrayBuffer().then(inside => new Uint8Array(inside), () => { throw new Damaged() })
}

/** Describe a file as `updraft image info --json` does. Throws Damaged when a file in gzip is. */
export async function inspect (file: Blob): Promise<ImageDescription> {
  const [core, bytes] = await Promise.all([load(), unpacked(file)])
  const room = core.inspect_room()
  core.inspect_begin()
  for (let at = 0; at < bytes.length; at += room) {
    const piece = bytes.subarray(at, at + room)
    new Uint8Array(core.memory.buffer).set(piece, core.inspect_input())
    if (core.inspect_feed(piece.length) === 0) {
      break
    }
  }
  return text(core, core.inspect_finish()) as ImageDescription
}

/** A flash map of the NONOS SDK, with its regions; null: there is no such map. */
export async function flashMap (number: number): Promise<FlashMap | null> {
  const core = await load()
  const size = core.inspect_map(number)
  return size === 0 ? null : text(core, size) as FlashMap
}
