// Runs the built command in a process that is already there: for tests of what a command does, not of how a process ends.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { commandEnvironment, type Outcome, type RunOptions } from './lcclf.ts'

const program = fileURLToPath(new URL('command-host.js', import.meta.url))
/** what libraries keep is given back from time to time */
const runsOfAHost = 40

let host: ChildProcess | undefined
let runs = 0
let turn: Promise<unknown> = Promise.resolve()

/** Runs `lcclf …` to its end, one after the other. `lcclf()` of lcclf.ts does the same in a process of its own. */
export function hostedLcclf(args: readonly string[], options: Omit<RunOptions, 'input'> = {}): Promise<Outcome> {
  const outcome = turn.then(() => ask(args, options))
  turn = outcome.catch(() => undefined)
  return outcome
}

async function ask(args: readonly string[], { cwd = process.cwd(), env }: RunOptions): Promise<Outcome> {
  const child = (host ??= await startHost())
  return new Promise<Outcome>((resolve, reject) => {
    const failed = (code: number | null): void => {
      host = undefined
      reject(new Error(`the process ended with ${code} during lcclf ${args.join(' ')}`))
    }
    child.once('exit', failed)
    child.once('message', (outcome: Outcome) => {
      child.off('exit', failed)
      if (++runs % runsOfAHost === 0) {
        host = undefined
        child.kill()
      }
      resolve(outcome)
    })
    child.send({ args, cwd, env: commandEnvironment(env) })
  })
}

async function startHost(): Promise<ChildProcess> {
  const child = fork(program, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  await once(child, 'message')
  child.unref()
  child.channel?.unref()
  process.once('exit', () => child.kill())
  // also between two runs
  child.once('exit', () => {
    if (host === child) host = undefined
  })
  return child
}
