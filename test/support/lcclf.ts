// Runs the built command as a user does, in a process of its own.
import { spawn, type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './temporary-folder.ts'

const ownBin = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

/** samples/ of the package. */
export const samples = fileURLToPath(new URL('../../samples', import.meta.url))

/** What a run left behind. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Options of a run. */
export interface RunOptions {
  readonly cwd?: string
  readonly input?: string | Uint8Array
  readonly env?: Record<string, string>
  /** as somebody whom permissions hold, which root is not */
  readonly isOrdinary?: boolean
  /** another build's command: a path */
  readonly bin?: string | undefined
}

const isRoot = process.getuid?.() === 0
// still root, so that everything of this run stays readable, but without root's privilege over permissions
const powerless = ['setpriv', '--bounding-set=-dac_override,-dac_read_search']

/** Whether `isOrdinary` can be had here. */
export const canBeOrdinary = !isRoot || spawnSync(powerless[0]!, [powerless[1]!, 'true']).status === 0

let home: string | undefined

/** A home without models, one for each test file. */
function emptyHome(): string {
  if (home === undefined || !existsSync(home)) home = temporaryFolder()
  return home
}

/** The environment of a command: this one's, and no test may download the survey's model. */
export function commandEnvironment(more: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...Object.fromEntries(own), LCCLF_HOME: emptyHome(), LCCLF_PULL: 'never', ...more }
}

/** Starts `lcclf …` and leaves it to the test. */
export function startLcclf(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const env = commandEnvironment(options.env)
  const asked = options.isOrdinary === true && isRoot ? powerless : []
  const [program, ...words] = [...asked, process.execPath, options.bin ?? ownBin, ...args] as [string, ...string[]]
  return spawn(program, words, { cwd: options.cwd, env, stdio: 'pipe' })
}

/** Runs `lcclf …` to its end. */
export function lcclf(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = startLcclf(args, options)
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin!.on('error', () => undefined)
  child.stdin!.end(options.input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    )
  })
}
