// Builds the Python package: wheel and sdist, each with the npm package in it. Usage: node scripts/build-python.js PYTHON OUT
// PYTHON must have the package `build`. The npm package comes without what is made for one platform only (DuckDB,
// onnxruntime: 370 MB), so that one wheel is for all; python/README.md says what that leaves out.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const inside = join(root, 'python/src/lcclf/_npm')
const [python = 'python3', out = join(root, 'python/dist')] = process.argv.slice(2)

refuseOtherVersion()
rmSync(inside, { recursive: true, force: true })
unpackPackage()
copyDependencies()
rmSync(out, { recursive: true, force: true })
execFileSync(python, ['-m', 'build', '--no-isolation', '--outdir', out, join(root, 'python')], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
for (const name of readdirSync(out)) console.log(join(out, name))

function refuseOtherVersion() {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const found = /__version__ = "(.*)"/.exec(readFileSync(join(root, 'python/src/lcclf/__init__.py'), 'utf8'))?.[1]
  if (found !== version) throw new Error(`python/src/lcclf/__init__.py says version ${found}, package.json ${version}`)
}

/** What `npm publish` would publish, dist/ included, which must have been built. */
function unpackPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'lcclf-pack-'))
  try {
    execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    })
    const [archive] = readdirSync(folder)
    execFileSync('tar', ['xzf', join(folder, archive), '-C', folder])
    mkdirSync(inside, { recursive: true })
    cpSync(join(folder, 'package'), inside, { recursive: true })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As `npm ci --omit=dev --omit=optional` would, from what is installed here. */
function copyDependencies() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  for (const [place, { dev, devOptional, optional, os, cpu }] of Object.entries(packages)) {
    if (place === '' || dev || devOptional || optional || os || cpu || place.includes('/@types/')) continue
    cpSync(join(root, place), join(inside, place), { recursive: true, filter: isNeeded(place) })
  }
}

/** What a program reads when it runs, and its licence. */
function isNeeded(place) {
  const own = join(root, place)
  return (path) => {
    if (path !== own && basename(path) === 'node_modules') return false
    return !/\.(?:d\.[cm]?ts|[cm]?ts|map|flow|tsbuildinfo)$/.test(path)
  }
}
