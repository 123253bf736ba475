// stdout and stderr of every command: the one way to print, and how a stream that fails ends a run. oclif calls the hook first.
import { writeSync } from 'node:fs'
import type { Hook } from '@oclif/core'
import { isReaderGone, openStandardOutput } from '../connectors/stdout/standard-output.ts'
import { type LcclfError, writeFailure } from '../errors.ts'
import type { ByteOutput } from '../whole-file.ts'

const failedWrite = 5

let standardOutput: ByteOutput | undefined
let failure: unknown
let isGuarded = false

/**
 * Prints on stdout: data, a report, one JSON object. A reader that has gone is no failure.
 *
 * @throws ServiceError for a full disk, or whatever else is behind stdout and fails
 */
export async function print(text: string): Promise<void> {
  standardOutput ??= openStandardOutput(process.stdout)
  await standardOutput.write(Buffer.from(text))
}

/** Lines on stderr that say what went wrong, and what to do. */
export function failureLines({ message, hint }: Pick<LcclfError, 'message' | 'hint'>): string {
  return `lcclf: ${message}\n${hint ? `  ${hint.replaceAll('\n', '\n  ')}\n` : ''}`
}

/**
 * Keeps a stream that fails from ending the process with a stack trace. A failed stdout makes the exit code 5, also where
 * oclif itself has written to it (help, version); a failed stderr leaves nobody to tell, and the work goes on.
 */
export function guardStandardStreams(): void {
  // oclif's own listener throws
  process.stdout.removeAllListeners('error')
  process.stdout.on('error', (error) => {
    if (!isReaderGone(error)) failure ??= error
  })
  if (isGuarded) return
  isGuarded = true
  process.stderr.on('error', () => undefined)
  process.once('exit', () => {
    // whoever printed by `print` has said so
    if (failure === undefined || process.exitCode === failedWrite) return
    process.exitCode = failedWrite
    try {
      writeSync(process.stderr.fd, failureLines(writeFailure('-', failure)))
    } catch {
      // stderr is full as well
    }
  })
}

const hook: Hook<'init'> = () => {
  guardStandardStreams()
  return Promise.resolve()
}

export default hook
