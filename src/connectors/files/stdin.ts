// stdin: looked at before anybody knows its format, read once, and kept in a file where a format needs its end first.
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { gunzipSync, constants } from 'node:zlib'
import { writeFailure } from '../../errors.ts'
import type { InputFormat } from '../address.ts'
import { newTemporaryFolder } from './temporary-folder.ts'

/** enough for every signature, and for a header row or the beginning of one */
const headLength = 4096

const seen: Buffer[] = []
let rest: AsyncIterator<Buffer> | undefined
let kept: Promise<string> | undefined

/** What has been looked at, then the rest. */
export async function* stdinBytes(): AsyncGenerator<Buffer, void, undefined> {
  for (let chunk = seen.shift(); chunk; chunk = seen.shift()) yield chunk
  const iterator = unread()
  for await (const chunk of { [Symbol.asyncIterator]: () => iterator }) yield chunk
}

function unread(): AsyncIterator<Buffer> {
  return (rest ??= process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>)
}

/** The format of what comes on stdin, by its first bytes; CSV where they are nothing else. */
export async function stdinFormat(): Promise<InputFormat> {
  const length = (): number => seen.reduce((sum, chunk) => sum + chunk.length, 0)
  while (length() < headLength) {
    const next = await unread().next()
    if (next.done === true) break
    seen.push(next.value)
  }
  return formatOfHead(Buffer.concat(seen))
}

const signatures: readonly (readonly [string, InputFormat])[] = [
  ['PAR1', 'parquet'],
  ['ARROW1', 'arrow'],
  // an Arrow stream: the mark of a message
  ['\u00ff\u00ff\u00ff\u00ff', 'arrow'],
  ['Obj\u0001', 'avro'],
  ['SIMPLE  =', 'fits'],
]

/** @param head the first bytes, gzip or not */
export function formatOfHead(head: Buffer): InputFormat {
  const text = plainHead(head).toString('latin1')
  const signed = signatures.find(([signature]) => text.startsWith(signature))
  if (signed) return signed[1]
  // a byte order mark may stand before text
  const start = text.replace(/^\u00ef\u00bb\u00bf/, '').trimStart()
  if (start.startsWith('{') || start.startsWith('[')) return 'ndjson'
  if (/^<(?:\?xml |(?:\w+:)?VOTABLE)/.test(start)) return 'votable'
  const [header = ''] = start.split('\n', 1)
  return header.split('\t').length > header.split(',').length ? 'tsv' : 'csv'
}

function plainHead(head: Buffer): Buffer {
  if (head[0] !== 0x1f || head[1] !== 0x8b) return head
  try {
    // as much as the beginning gives
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH })
  } catch {
    // whoever reads it says what is wrong with it
    return head
  }
}

const hint = 'Parquet on stdin is read through a temporary file; set TMPDIR to a folder with room for it.'

/**
 * All of stdin as a file, which goes with the process.
 *
 * @throws ServiceError where there is no room for it
 */
export function stdinFile(signal?: AbortSignal): Promise<string> {
  return (kept ??= keep(signal))
}

async function keep(signal: AbortSignal | undefined): Promise<string> {
  const path = join(await newTemporaryFolder(hint), 'stdin')
  try {
    await pipeline(stdinBytes(), createWriteStream(path), ...(signal ? [{ signal }] : []))
  } catch (error) {
    throw signal?.aborted === true ? error : writeFailure(path, error)
  }
  return path
}
