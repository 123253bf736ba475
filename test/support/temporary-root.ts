// vitest's global set-up: all that a run writes to the temporary folder goes below one root, and must be gone at its end.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What is meant to stay, or is not ours to clear up; it goes with the root. */
const allowed = [
  // graphs of forests for the onnx engine: a cache of lcclf's own, see classifier/open.ts
  /^lcclf-graphs$/,
  // what tsx has compiled
  /^tsx-\d+$/,
  // the session and the logs of the telemetry that onnxruntime brings along
  /^\.ses$/,
  /^mat-debug-\d+\.log$/,
]

/** Gives the run its root, which its processes inherit. Fails the run for what is left in it. */
export default function setup(): () => Promise<void> {
  const outer = process.env['TMPDIR']
  // short, as the path of a socket must be
  const root = mkdtempSync(join(tmpdir(), 'lcclf-'))
  // run by root, Postgres is somebody else, who must get through to its folder
  chmodSync(root, 0o711)
  process.env['TMPDIR'] = root
  const remove = (): void => rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  process.once('exit', remove)
  return async () => {
    const left = await leftIn(root)
    remove()
    if (outer === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = outer
    if (left.length === 0) return
    // vitest prints what a teardown throws, and ends well
    process.exitCode = 1
    throw new Error(`the tests left in the temporary folder:\n${left.join('\n')}`)
  }
}

/** Processes that were told to end a moment ago may still be clearing up. */
async function leftIn(root: string): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const left = readdirSync(root).filter((name) => !allowed.some((pattern) => pattern.test(name)))
    if (left.length === 0 || tries === 50) return left.map((name) => describe(root, name))
    await sleep(100)
  }
}

function describe(root: string, name: string): string {
  try {
    return `${name}: ${readdirSync(join(root, name)).slice(0, 8).join(', ')}`
  } catch {
    return name
  }
}
