// Objects in a folder of this machine, or one file: the same contract as over the network.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, ServiceError, systemCode, UsageError } from '../errors.ts'
import type { ObjectReader } from './object-reader.ts'
import { redactedText } from '../formats/shown-text.ts'

/** Reads below a folder, or the one file that the path names. */
export function fileReader(typed: string): ObjectReader {
  const path = resolve(typed)
  const pathOf = (name: string): string => (name === '' ? path : join(path, name))
  return {
    address: path,
    nameOf: pathOf,
    async open(name, request) {
      const file = pathOf(name)
      try {
        const { size, mtimeMs, ino } = await stat(file)
        const etag = `"${size}-${mtimeMs}-${ino}"`
        const from = request.etag === etag ? request.from : 0
        return { kind: 'object', from, size, etag, md5: null, body: createReadStream(file, { start: from }) }
      } catch (cause) {
        const code = systemCode(cause)
        if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent', why: 'not found' }
        throw new ServiceError(`${file}: cannot be read (${code ?? messageOf(cause)})`, { cause })
      }
    },
    close: () => undefined,
  }
}

// file:… → a path of this machine.

/**
 * The path of `file:/folder/`, `file:///folder/`, its escapes (`%20`) undone.
 *
 * @throws UsageError for a file address of another machine, or one that is none
 */
export function pathOfFileAddress(address: string, hint: string): string {
  try {
    const path = address.replace(/^file:/i, '')
    return fileURLToPath(path.startsWith('/') ? `file:${path}` : `file:///${path}`)
  } catch (cause) {
    throw new UsageError(`${redactedText(address)}: is no file address`, { cause, hint })
  }
}
