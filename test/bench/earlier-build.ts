// An earlier build of ours, to be measured beside the present one.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The commit's files in the temporary folder, built; kept there for the next time. Its packages are ours where its lock file
 * is.
 *
 * @param commit or a folder with a build
 */
export function earlierBuild(commit: string): string {
  if (existsSync(join(commit, 'bin/run.js'))) return resolve(commit)
  const git = (...args: string[]) => execFileSync('git', ['-C', root, ...args], { maxBuffer: 1 << 30 })
  const id = git('rev-parse', '--verify', `${commit}^{commit}`).toString().trim()
  const folder = join(tmpdir(), `lcclf-before-${id.slice(0, 12)}`)
  if (existsSync(join(folder, 'dist/index.js'))) return folder
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  process.stderr.write(`building ${commit} in ${folder}\n`)
  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', id) })
  const lockOf = (place: string) => readFileSync(join(place, 'package-lock.json'), 'utf8')
  const run = (...args: string[]) =>
    execFileSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], env: withCommit(id) })
  if (lockOf(folder) === lockOf(root)) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  else run('ci', '--no-audit', '--no-fund')
  if (!existsSync(join(folder, 'dist/index.js'))) run('run', 'build')
  return folder
}

/** onnxruntime's binaries come from elsewhere and are not measured. */
function withCommit(id: string): NodeJS.ProcessEnv {
  return { ...process.env, SOURCE_COMMIT: id, ONNXRUNTIME_NODE_INSTALL: 'skip' }
}
