// --rejects: every row that could not be classified, with its reason, as NDJSON.
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Reject } from '../../pipeline/batch.ts'
import { ServiceError, systemCode, UsageError } from '../../errors.ts'

/** Takes rejects as they come. */
export interface RejectsLog {
  write(rejects: readonly Reject[]): void
  /** what was written so far survives a crash */
  sync(): void
  publish(): void
  close(): void
}

/**
 * Opens the file of rejects.
 *
 * @param mode `whole`: it appears when the run has ended, in place of an older one, as the results do. `growing`: the run
 *   publishes its results one by one (a folder), so the rejects of each must be safe before its receipt is; `resumed` goes
 *   on with what an earlier run left.
 */
export function openRejectsLog(path: string, mode: 'whole' | 'growing' | 'resumed'): RejectsLog {
  const target = mode === 'whole' ? join(dirname(path), `.${basename(path)}.${process.pid}.partial`) : path
  let file: number | undefined
  try {
    file = openSync(target, mode === 'resumed' ? 'a+' : 'w')
    if (mode === 'resumed') endTornLine(file)
  } catch (cause) {
    throw new UsageError(`${path}: rejects cannot be written there (${systemCode(cause) ?? 'unknown reason'})`, {
      cause,
    })
  }

  function guarded(action: (open: number) => void): void {
    try {
      if (file !== undefined) action(file)
    } catch (cause) {
      throw new ServiceError(`${path}: rejects cannot be written (${systemCode(cause) ?? 'unknown reason'})`, {
        cause,
        hint: 'Is there space left on the disk?',
      })
    }
  }

  return {
    write: (rejects) =>
      guarded((open) => {
        if (rejects.length > 0) writeSync(open, rejects.map(lineOf).join(''))
      }),
    sync: () => guarded((open) => fsyncSync(open)),
    publish: () =>
      guarded((open) => {
        fsyncSync(open)
        if (target !== path) renameSync(target, path)
      }),
    close() {
      if (file === undefined) return
      closeSync(file)
      file = undefined
      if (target !== path) rmSync(target, { force: true })
    },
  }
}

function lineOf({ oid, where, reason, value }: Reject): string {
  return `${JSON.stringify({ oid, where, reason, value })}\n`
}

/** A run that was killed may have left half a line, which must not run into the next one. */
function endTornLine(file: number): void {
  const { size } = fstatSync(file)
  if (size === 0) return
  const last = Buffer.alloc(1)
  readSync(file, last, 0, 1, size - 1)
  if (last.toString() !== '\n') writeSync(file, '\n')
}
