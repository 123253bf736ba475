// A file or stdin as a sequence of bytes, gzip taken off by the first bytes.
import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DataError, systemCode } from '../../errors.ts'
import { inspectFile, unreadable } from './input-file.ts'
import type { FileSourceSpec, InputFormat } from './file-formats.ts'
import type { InputIdentity, Source } from '../../pipeline/source.ts'

/** Bytes to read; once, or again and again where `replayable`. */
export interface ByteInput {
  /** what errors and rejects call it */
  readonly name: string
  readonly identity: InputIdentity
  readonly replayable: boolean
  /** from the start, to the end or until `stop` */
  chunks(): AsyncGenerator<Buffer, void, undefined>
  /** Ends what is being read now, even while it waits. */
  stop(): void
  /** empty where the size is not known */
  readonly progress: Pick<Source, 'fractionRead'>
  /** @throws DataError if the file is another one by now */
  checkUnchanged(): Promise<void>
}

const chunkSize = 256 * 1024
const formatNames: Readonly<Record<InputFormat, string>> = {
  parquet: 'Parquet',
  csv: 'CSV',
  tsv: 'TSV',
  ndjson: 'NDJSON',
  arrow: 'Arrow',
  avro: 'Avro',
}
/** formats that may come compressed as a whole */
const gzipped: ReadonlySet<InputFormat> = new Set<InputFormat>(['csv', 'tsv', 'ndjson'])

/** @throws DataError for a file that is not there or cannot be read */
export async function openByteInput(spec: FileSourceSpec): Promise<ByteInput> {
  const file = spec.kind === 'file' ? await inspectFile(spec.path, spec.address) : undefined
  const name = file?.name ?? 'stdin'
  let current: Readable | undefined
  let isStopped = false
  let bytesRead = 0

  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    isStopped = false
    bytesRead = 0
    const raw: Readable = file ? createReadStream(file.path, { highWaterMark: chunkSize }) : process.stdin
    current = raw
    try {
      yield* plainBytes(counted(raw), spec.format, name)
    } catch (cause) {
      if (isStopped) return
      throw cause instanceof DataError ? cause : readingFailed(name, cause)
    } finally {
      raw.destroy()
      current = undefined
    }
  }

  async function* counted(raw: Readable): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of raw as AsyncIterable<Buffer>) {
      bytesRead += chunk.length
      yield chunk
    }
  }

  return {
    name,
    identity: file?.identity ?? { address: spec.address },
    replayable: file?.isRegular ?? false,
    chunks,
    stop() {
      isStopped = true
      current?.destroy()
    },
    progress: file?.isRegular ? { fractionRead: () => (file.size === 0 ? 1 : Math.min(1, bytesRead / file.size)) } : {},
    checkUnchanged: async () => file?.checkUnchanged(),
  }
}

/** The bytes without their compression, once it is known that they are not something else altogether. */
async function* plainBytes(
  raw: AsyncGenerator<Buffer, void, undefined>,
  format: InputFormat,
  name: string,
): AsyncGenerator<Buffer, void, undefined> {
  const head = await firstBytes(raw, signatureLength)
  const all = followedBy(head, raw)
  if (!gzipped.has(format) || head[0] !== 0x1f || head[1] !== 0x8b) {
    if (format !== 'arrow' && format !== 'avro') refuseForeignFormat(head, formatNames[format], name)
    yield* all
    return
  }
  const gunzip = createGunzip({ chunkSize })
  // an error of either end reaches the loop over gunzip
  pipeline(Readable.from(all, { objectMode: false }), gunzip, () => undefined)
  let isFirst = true
  for await (const chunk of gunzip as AsyncIterable<Buffer>) {
    if (isFirst) refuseForeignFormat(chunk.subarray(0, signatureLength), formatNames[format], name)
    isFirst = false
    yield chunk
  }
}

/** At least so many bytes, unless there are fewer. */
async function firstBytes(raw: AsyncGenerator<Buffer, void, undefined>, length: number): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let size = 0; size < length;) {
    const next = await raw.next()
    if (next.done === true) break
    parts.push(next.value)
    size += next.value.length
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

async function* followedBy(
  head: Buffer,
  rest: AsyncGenerator<Buffer, void, undefined>,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    if (head.length > 0) yield head
    yield* rest
  } finally {
    await rest.return()
  }
}

function readingFailed(name: string, cause: unknown): DataError {
  const code = systemCode(cause)
  if (code === 'Z_BUF_ERROR') return new DataError(`${name}: the gzip data is cut off`, { cause })
  if (code === 'Z_DATA_ERROR') return new DataError(`${name}: the gzip data is damaged`, { cause })
  return unreadable(name, cause)
}

// What a file really is, by its first bytes, where its name says something else.

const signatures: readonly (readonly [string, string])[] = [
  ['PAR1', 'a Parquet file'],
  ['ARROW1', 'an Arrow file'],
  ['Obj\u0001', 'an Avro file'],
  ['\u001f\u008b', 'compressed with gzip'],
  ['(\u00b5/\u00fd', 'compressed with zstd'],
  ['PK\u0003\u0004', 'a zip archive'],
  ['BZh', 'compressed with bzip2'],
  ['\u00fd7zXZ', 'compressed with xz'],
  ['\u0089HDF', 'an HDF5 file'],
  ['SIMPLE  =', 'a FITS file'],
  ['\u00ff\u00fe', 'text in UTF-16, not UTF-8'],
  ['\u00fe\u00ff', 'text in UTF-16, not UTF-8'],
]

/** Enough bytes to know any of them. */
const signatureLength = 12

/**
 * @param head the first bytes
 * @param format what was expected, for the message
 * @throws DataError where the bytes are plainly something else
 */
function refuseForeignFormat(head: Buffer, format: string, name: string): void {
  const text = head.toString('latin1')
  const found = signatures.find(([signature]) => text.startsWith(signature))
  if (!found) return
  throw new DataError(`${name} is ${found[1]}, not ${format}`, {
    hint: 'The format goes by the name; --from-format says it where the name does not.',
  })
}
