// Objects in a folder of this machine, or one file: the same contract as over the network.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf, ServiceError, systemCode } from '../errors.ts'
import type { ObjectReader } from './object-reader.ts'

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
