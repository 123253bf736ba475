// --rejects: every row that could not be classified, with its reason, as NDJSON.
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCode, UsageError, writeFailure } from '../../errors.ts'
import type { Reject } from '../../pipeline/batch.ts'
import { makeFolder, openReplacement } from '../../whole-file.ts'

export type RejectsLog = ReturnType<typeof rejectsTo>

const nothing = (): Promise<void> => Promise.resolve()

/** Hands rejects to a function. */
export function rejectsTo(take: (rejects: readonly Reject[]) => void | Promise<void>) {
  return {
    async write(rejects: readonly Reject[]): Promise<void> {
      if (rejects.length > 0) await take(rejects)
    },
    /** what was written so far survives a crash */
    sync: nothing,
    publish: nothing,
    /** Harmless twice. */
    close: nothing,
  }
}

/**
 * Opens the file of rejects.
 *
 * @param mode `whole`: it appears when the run has ended, in place of an older one, as the results do. `growing`: the run
 *   publishes its results one by one (a folder), so the rejects of each must be safe before its receipt is; `resumed` goes
 *   on with what an earlier run left.
 * @throws UsageError for a place that cannot be written
 */
export async function openRejectsLog(path: string, mode: 'whole' | 'growing' | 'resumed'): Promise<RejectsLog> {
  if (mode !== 'whole') return growingLog(path, mode)
  const output = await openReplacement({ path, address: path, overwrite: true })
  return {
    ...rejectsTo((rejects) => output.write(linesOf(rejects))),
    async publish() {
      await output.finish()
      await output.publish()
    },
    close: () => output.close(),
  }
}

async function growingLog(path: string, mode: 'growing' | 'resumed'): Promise<RejectsLog> {
  await makeFolder(dirname(path), path)
  let file: FileHandle
  try {
    file = await open(path, mode === 'resumed' ? 'a+' : 'w')
    if (mode === 'resumed') await endTornLine(file)
  } catch (cause) {
    throw new UsageError(`${path}: rejects cannot be written there (${systemCode(cause) ?? 'unknown reason'})`, {
      cause,
    })
  }
  const guarded = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => {
      throw writeFailure(path, error)
    })
  const sync = (): Promise<void> => guarded(file.sync())
  return {
    ...rejectsTo((rejects) => guarded(file.appendFile(linesOf(rejects)))),
    sync,
    publish: sync,
    close: () => file.close(),
  }
}

function linesOf(rejects: readonly Reject[]): Buffer {
  const lines = rejects.map(({ oid, where, reason, value }) => `${JSON.stringify({ oid, where, reason, value })}\n`)
  return Buffer.from(lines.join(''))
}

/** A run that was killed may have left half a line, which must not run into the next one. */
async function endTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  if (size === 0) return
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  if (buffer.toString() !== '\n') await file.appendFile('\n')
}
