// Builds dist/ from src/: the forest's kernel, the types, then the code. Run by `npm run build`, before the tests and before packing.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const kernel = 'model/forest/kernel'
const wasm = `${kernel}/forest-kernel.wasm`

function run(tool, args, cwd = root) {
  execFileSync(process.execPath, [`${root}node_modules/${tool}`, ...args], { cwd, stdio: 'inherit' })
}

rmSync(`${root}dist`, { recursive: true, force: true })
// beside its source too, where the tests run from
run('assemblyscript/bin/asc.js', ['--config', 'asconfig.json'], `${root}src/${kernel}/assembly`)
// the library's types
run('typescript/bin/tsc', ['-p', 'tsconfig.build.json'])
await bundle(root)
mkdirSync(`${root}dist/${kernel}`, { recursive: true })
copyFileSync(`${root}src/${wasm}`, `${root}dist/${wasm}`)
writeFileSync(`${root}dist/commit.json`, `${JSON.stringify({ commit: commitOf() })}\n`)

/** What `lcclf version --json` says: SOURCE_COMMIT where there is no repository (an image), null where nobody knows. */
function commitOf() {
  if (process.env.SOURCE_COMMIT) return process.env.SOURCE_COMMIT
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*']
    return execFileSync('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return null
  }
}
