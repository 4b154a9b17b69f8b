// Builds the web page into a folder of static files that updraftd carries in itself:
//     node build.mjs OUTPUT [TABLE.c]
// TABLE.c takes the same files as the table web_files of server/web/web.h.
// Needs clang 14 with wasm-ld (the image checker of core/ runs in the page) and the packages of package.json.
// Each file that the page loads by itself has a name that changes with its content, so that a browser may keep it.
// Prints what it wrote; fails when all that a visitor downloads, compressed, exceeds LIMIT.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const LIMIT = 120_000
const here = dirname(fileURLToPath(import.meta.url))
const core = join(here, '..', 'core')
const output = process.argv[2]

if (!output) {
  console.error('usage: node build.mjs OUTPUT [TABLE.c]')
  process.exit(2)
}

/** core/ and wasm/inspect.c as one module of WebAssembly; what the page does not call is left out. */
function inspector () {
  const target = join(output, 'inspect.wasm')
  execFileSync('clang-14', [
    '--target=wasm32', '-mbulk-memory', '-std=c11', '-Oz', '-flto', '-ffreestanding', '-nostdlib', '-DUPD_SMALL=1',
    '-Wall', '-Wextra', '-Werror', `-I${join(core, 'include')}`,
    '-Wl,--no-entry', '-Wl,--gc-sections', '-Wl,--lto-O2', '-Wl,--strip-all', '-o', target,
    join(here, 'wasm', 'inspect.c'),
    ...readdirSync(join(core, 'src')).filter(name => name.endsWith('.c')).map(name => join(core, 'src', name))
  ], { stdio: 'inherit' })
  return target
}

/** The same file under a name that says its content. */
function fingerprinted (path) {
  const data = readFileSync(path)
  const hash = createHash('sha256').update(data).digest('hex').slice(0, 10)
  const name = basename(path).replace(/(\.[^.]+)$/, `-${hash}$1`)
  rmSync(path)
  writeFileSync(join(output, 'assets', name), data)
  return `/assets/${name}`
}

rmSync(output, { recursive: true, force: true })
mkdirSync(join(output, 'assets'), { recursive: true })
const wasm = fingerprinted(inspector())
const result = await build({
  absWorkingDir: here,
  entryPoints: { operator: 'src/operator/main.tsx', owner: 'src/owner/main.tsx', style: 'src/style.css' },
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  outdir: join(output, 'assets'),
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: true,
  legalComments: 'none',
  metafile: true,
  define: { INSPECTOR: JSON.stringify(wasm) },
  logLevel: 'warning'
})

/** What an entry point became: its bundle, and the style sheet of the packages that it uses. */
function made (entry) {
  const [path, bundle] = Object.entries(result.metafile.outputs).find(([, made]) => made.entryPoint === entry)
  return [path, bundle.cssBundle].map(found => found && `/assets/${basename(found)}`)
}

const pages = { 'index.html': 'src/operator/main.tsx', 'app.html': 'src/owner/main.tsx' }
for (const [page, entry] of Object.entries(pages)) {
  const [script, sheet] = made(entry)
  writeFileSync(join(output, page), readFileSync(join(here, page), 'utf8')
    .replace('%STYLE%', made('src/style.css')[0]).replace('%SHEET%', sheet).replace('%SCRIPT%', script))
}
for (const name of readdirSync(join(here, 'static'))) {
  writeFileSync(join(output, name), readFileSync(join(here, 'static', name)))
}

/** A file as a row of the table: compressed, its bytes as a C array. */
function row (name, data, index) {
  const types = {
    html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8',
    wasm: 'application/wasm', svg: 'image/svg+xml', webmanifest: 'application/manifest+json'
  }
  const bytes = gzipSync(data, { level: 9 })
  return {
    array: `static const unsigned char file${index}[] = {${[...bytes].join(',')}};`,
    entry: `    {"/${name}", "${types[name.split('.').pop()]}", file${index}, sizeof file${index}, ${data.length}},`
  }
}

const rows = []
let total = 0
for (const name of readdirSync(output, { recursive: true }).sort()) {
  const path = join(output, name)
  if (statSync(path).isFile()) {
    const size = gzipSync(readFileSync(path), { level: 9 }).length
    rows.push(row(name, readFileSync(path), rows.length))
    total += size
    console.log(`${String(size).padStart(8)}  ${name}`)
  }
}
if (process.argv[3]) {
  writeFileSync(process.argv[3], [
    '/* Made by web/build.mjs. */', '#include "web/web.h"', '', ...rows.map(one => one.array), '',
    'const struct web_file web_files[] = {', ...rows.map(one => one.entry), '    {0}', '};', ''
  ].join('\n'))
}
console.log(`${String(total).padStart(8)}  of ${LIMIT} bytes, compressed`)
if (total > LIMIT) {
  console.error('The web page is too large.')
  process.exit(1)
}
