// A file as an input: what it is called, and whether it stayed the same while it was read.
import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { DataError, messageOf, systemCode } from '../../errors.ts'
import { firstLine } from '../../formats/shown-text.ts'
import type { InputIdentity } from '../../pipeline/source.ts'

/** A file that was there and readable when it was looked at. */
export interface InputFile {
  /** as the user named it: what errors and rejects call it */
  readonly name: string
  readonly path: string
  readonly identity: InputIdentity
  readonly size: number
  /** false for a named pipe or a device: it can be read once, and has no size */
  readonly isRegular: boolean
  /** @throws DataError if the file is no longer the one that was looked at */
  checkUnchanged(): Promise<void>
}

/** @throws DataError for what is not there, cannot be read, or is a folder */
export async function inspectFile(path: string, name: string): Promise<InputFile> {
  const seen = await statOf(path, name)
  if (seen.isDirectory()) throw new DataError(`${name} is a folder, not a file`)
  const isRegular = seen.isFile()
  const { size, mtime } = seen
  return {
    name,
    path,
    identity: isRegular ? { address: name, size, mtime: mtime.toISOString() } : { address: name },
    size: isRegular ? size : 0,
    isRegular,
    async checkUnchanged() {
      if (isRegular && !isSame(await statOf(path, name), seen)) throw changedWhileRead(name)
    },
  }
}

/** The first and the last bytes of a regular file, by which formats are known. */
export async function readEnds(file: InputFile, length: number): Promise<{ head: Buffer; tail: Buffer }> {
  try {
    const handle = await open(file.path)
    try {
      const head = Buffer.alloc(Math.min(length, file.size))
      const tail = Buffer.alloc(head.length)
      await handle.read(head, 0, head.length, 0)
      await handle.read(tail, 0, tail.length, file.size - tail.length)
      return { head, tail }
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw unreadable(file.name, cause)
  }
}

const refusals: Readonly<Record<string, string>> = {
  ENOENT: ': there is no such file',
  ENOTDIR: ': there is no such file',
  EACCES: ': no permission to read it',
  EPERM: ': no permission to read it',
  EISDIR: ' is a folder, not a file',
}

/** What to say when the system refuses to read. */
export function unreadable(name: string, cause: unknown): DataError {
  const refusal = refusals[systemCode(cause) ?? ''] ?? `: cannot be read: ${firstLine(messageOf(cause))}`
  return new DataError(`${name}${refusal}`, { cause })
}

function changedWhileRead(name: string): DataError {
  return new DataError(`${name} changed while it was read`, {
    hint: 'Wait until whatever writes it has finished, then run again.',
  })
}

function isSame(now: Stats, seen: Stats): boolean {
  return now.ino === seen.ino && now.dev === seen.dev && now.size === seen.size && now.mtimeMs === seen.mtimeMs
}

async function statOf(path: string, name: string): Promise<Stats> {
  try {
    return await stat(path)
  } catch (cause) {
    throw unreadable(name, cause)
  }
}
