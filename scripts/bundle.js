// src/ → dist/ in few files: a start opens some tens of files instead of six hundred. Built, not written: docs/decisions/start.md.
import { build } from 'esbuild'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Packages that every start needs, or that consist of hundreds of files. All others are loaded from node_modules. */
const bundled = new Set([
  '@duckdb/node-api',
  '@oclif/core',
  'csv-parse',
  'csv-stringify',
  'fastest-levenshtein',
  'hyparquet',
  'hyparquet-writer',
  'lossless-json',
  'p-retry',
  'picomatch',
  'tinyglobby',
])

/** What a bundled package loads if it is there: native code, an optional engine, oclif's tools for developers. */
const outside = new Set(['@duckdb/node-bindings', 'onnxruntime-node', 'typescript', 'ts-node', 'tsx'])

/** Files that somebody opens by name: the library, oclif's commands and hooks, threads, the program. */
function entryPoints(src) {
  const isEntry = (path) => /^(?:index|terminal\/(?:command-not-found|help|main|standard-streams))\.ts$/.test(path)
  const isThread = (path) => /^model\/[^/]+\/[^/]+-worker\.ts$/.test(path) || path === 'jobs/stream/decode-watch.ts'
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => isEntry(path) || isThread(path) || /^commands\/.*\.ts$/.test(path))
    .map((path) => join(src, path))
}

/** @param root the folder of package.json */
export async function bundle(root) {
  const src = join(root, 'src')
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entryPoints(src),
    outbase: src,
    outdir: join(root, 'dist'),
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    metafile: true,
    // stack traces of DEBUG=lcclf name the files of src/ (bin/run.js)
    sourcemap: 'linked',
    sourcesContent: false,
    // names stay, for stack traces without the map
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'warning',
    // packages in CommonJS ask for these
    banner: {
      js: [
        `import { createRequire as requireFrom } from 'node:module'`,
        `const require = requireFrom(import.meta.url)`,
      ].join('\n'),
    },
    plugins: [packagesIn(own), ownPlace(src)],
  })
  writeFileSync(join(root, 'dist/THIRD-PARTY.txt'), licences(root, Object.keys(metafile.inputs)))
}

/** @param own package.json's dependencies: only they are sure to be found beside dist/ */
function packagesIn(own) {
  return {
    name: 'packages',
    setup({ onResolve }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind === 'entry-point' || path.startsWith('node:')) return undefined
        const name = /^(?:@[^/]+\/)?[^/]+/.exec(path)[0]
        const isLeft = !bundled.has(name) && (name in own || outside.has(name))
        // what is neither belongs to a bundled package and goes with it
        return isLeft ? { path, external: true } : undefined
      })
    },
  }
}

/**
 * A module still finds what stands beside it (threads, the kernel, samples/) by `import.meta.url`, wherever its code has gone;
 * and what it loads when it is needed, by `createRequire`, can be bundled.
 */
function ownPlace(src) {
  return {
    name: 'own-place',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const place = relative(src, path).replaceAll('\\', '/').replace(/\.ts$/, '.js')
        const url = `import.meta.url.replace(/^(.*\\/dist\\/).*$/, ${JSON.stringify(`$1${place}`)})`
        const text = readFileSync(path, 'utf8')
          .replaceAll('createRequire(import.meta.url)(', 'require(')
          .replaceAll('import.meta.url', url)
        return { contents: text, loader: 'ts' }
      })
    },
  }
}

/** Name, version and licence of each package whose code is in dist/. */
function licences(root, inputs) {
  const folders = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [])
  const texts = [...new Set(folders)].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    const file = readdirSync(join(root, folder)).find((entry) => /^(?:licen[cs]e|copying)/i.test(entry))
    const text = file === undefined ? '' : readFileSync(join(root, folder, file), 'utf8').trim()
    return `${name} ${version} (${license})\n\n${text}`.trim()
  })
  return `dist/ contains code of these packages.\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}
