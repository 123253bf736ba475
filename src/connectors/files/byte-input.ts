// A file or stdin as a sequence of bytes, gzip taken off by the first bytes; and whether a file stayed the same meanwhile.
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DataError, messageOf, systemCode } from '../../errors.ts'
import { createByteReader } from '../../formats/chunks.ts'
import { firstLine } from '../../formats/shown-text.ts'
import { type BatchAssembler, createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { InputSchema } from '../../pipeline/batch.ts'
import type { Delivery, InputIdentity, ReadOptions, Source } from '../../pipeline/source.ts'
import { type FileSourceSpec, formatName, type InputFormat } from '../address.ts'
import { deliverUntil } from '../deliver.ts'
import { stdinBytes } from './stdin.ts'

type Chunks = AsyncGenerator<Buffer, void, undefined>

/** Bytes to read: once, or again and again where `replayable`. */
export type ByteInput = Awaited<ReturnType<typeof openByteInput>>

const chunkSize = 256 * 1024
/** formats that may come compressed as a whole */
const gzipped: ReadonlySet<InputFormat> = new Set<InputFormat>(['csv', 'tsv', 'ndjson', 'fits', 'votable'])

/** @throws DataError for a file that is not there or cannot be read */
export async function openByteInput(spec: FileSourceSpec) {
  const file = spec.kind === 'file' ? await inspectFile(spec.path, spec.address) : undefined
  const name = file?.name ?? 'stdin'
  const replayable = file?.isRegular ?? false
  let current: Readable | undefined
  let isStopped = false
  let bytesRead = 0
  /** what a look has taken from an input that cannot be read again, and the rest of it */
  let begun: { readonly seen: Buffer[]; readonly rest: Chunks } | undefined

  async function* fromStart(): Chunks {
    isStopped = false
    bytesRead = 0
    const raw = file ? createReadStream(file.path, { highWaterMark: chunkSize }) : process.stdin
    current = raw
    try {
      yield* plainBytes(counted(file ? raw : stdinBytes()), spec.format, name)
    } catch (cause) {
      if (isStopped) return
      throw cause instanceof DataError ? cause : readingFailed(name, cause)
    } finally {
      raw.destroy()
      current = undefined
    }
  }

  async function* counted(raw: AsyncIterable<Buffer>): Chunks {
    for await (const chunk of raw) {
      bytesRead += chunk.length
      yield chunk
    }
  }

  return {
    /** what errors and rejects call it */
    name,
    /** undefined for stdin */
    file,
    identity: file?.identity ?? { address: spec.address },
    replayable,
    /**
     * Looks at the beginning of what `chunks` will give. What can be read again is closed after that, so that hundreds of
     * opened inputs hold neither files nor rows; what cannot be is kept.
     */
    async peek<T>(look: (chunks: Chunks) => Promise<T>): Promise<T> {
      const rest = fromStart()
      const seen: Buffer[] = []
      async function* noted(): Chunks {
        for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
          if (!replayable) seen.push(next.value)
          yield next.value
        }
      }
      let isKept = false
      try {
        const found = await look(noted())
        isKept = !replayable
        return found
      } finally {
        if (isKept) begun = { seen, rest }
        else await rest.return()
      }
    },
    /** from the start, to the end or until `stop` */
    async *chunks(): Chunks {
      const { seen, rest } = begun ?? { seen: [], rest: fromStart() }
      begun = undefined
      try {
        for (let chunk = seen.shift(); chunk; chunk = seen.shift()) yield chunk
        yield* rest
      } finally {
        await rest.return()
      }
    },
    /** Ends what is being read now, even while it waits. */
    stop(): void {
      isStopped = true
      current?.destroy()
    },
    async close(): Promise<void> {
      this.stop()
      await begun?.rest.return()
    },
    /** `fractionRead`, where the size is known */
    progress: (replayable
      ? { fractionRead: () => (file!.size === 0 ? 1 : Math.min(1, bytesRead / file!.size)) }
      : {}) satisfies Pick<Source, 'fractionRead'>,
    /** @throws DataError if the file is another one by now */
    checkUnchanged: async (): Promise<void> => file?.checkUnchanged(),
  }
}

/** The source over such an input: `deliver` reads it from the start. */
export function byteSource(
  input: Omit<ByteInput, 'file' | 'peek' | 'chunks'>,
  schema: InputSchema,
  options: ReadOptions,
  deliver: (assembler: BatchAssembler, signal: AbortSignal) => AsyncIterable<Delivery>,
): Source {
  return {
    identity: input.identity,
    schema,
    replayable: input.replayable,
    ...input.progress,
    deliveries: (signal) =>
      deliverUntil(
        signal,
        () => input.stop(),
        async function* () {
          yield* deliver(createBatchAssembler({ ...options, ...schema }), signal)
          if (!signal.aborted) await input.checkUnchanged()
        },
      ),
    close: () => input.close(),
  }
}

/** The bytes without their compression, once it is known that they are not something else altogether. */
async function* plainBytes(raw: Chunks, format: InputFormat, name: string): Chunks {
  const bytes = createByteReader(raw)
  const head = await bytes.read(signatureLength)
  bytes.unread(head)
  if (!gzipped.has(format) || head[0] !== 0x1f || head[1] !== 0x8b) {
    if (format !== 'arrow' && format !== 'avro') refuseForeignFormat(head, format, name)
    yield* inUtf8(bytes.rest(), format, head)
    return
  }
  const gunzip = createGunzip({ chunkSize })
  // an error of either end reaches the reader of gunzip
  pipeline(Readable.from(bytes.rest(), { objectMode: false }), gunzip, () => undefined)
  const unzipped = createByteReader(gunzip)
  try {
    const head = await unzipped.read(signatureLength)
    refuseForeignFormat(head, format, name)
    unzipped.unread(head)
    yield* inUtf8(unzipped.rest(), format, head)
  } finally {
    await unzipped.close()
  }
}

/** Text in UTF-16 becomes UTF-8, where a byte order mark at its head says that it is. */
async function* inUtf8(bytes: Chunks, format: InputFormat, head: Buffer): Chunks {
  const mark = gzipped.has(format) ? head.subarray(0, 2).toString('hex') : ''
  const encoding = mark === 'fffe' ? 'utf-16le' : mark === 'feff' ? 'utf-16be' : undefined
  if (encoding === undefined) {
    yield* bytes
    return
  }
  const decoder = new TextDecoder(encoding)
  for await (const chunk of bytes) yield Buffer.from(decoder.decode(chunk, { stream: true }))
  yield Buffer.from(decoder.decode())
}

function readingFailed(name: string, cause: unknown): DataError {
  const code = systemCode(cause)
  if (code === 'Z_BUF_ERROR') return new DataError(`${name}: the gzip data is cut off`, { cause })
  if (code === 'Z_DATA_ERROR') return new DataError(`${name}: the gzip data is damaged`, { cause })
  return unreadable(name, cause)
}

// What a file really is, by its first bytes, where its name says something else.

const signatures: readonly (readonly [start: string, what: string, format?: InputFormat])[] = [
  ['PAR1', 'a Parquet file'],
  ['ARROW1', 'an Arrow file'],
  ['Obj\u0001', 'an Avro file'],
  ['\u001f\u008b', 'compressed with gzip'],
  ['(\u00b5/\u00fd', 'compressed with zstd'],
  ['PK\u0003\u0004', 'a zip archive'],
  ['BZh', 'compressed with bzip2'],
  ['\u00fd7zXZ', 'compressed with xz'],
  ['\u0089HDF', 'an HDF5 file'],
  ['SIMPLE  =', 'a FITS file', 'fits'],
  ['<?xml ', 'an XML file', 'votable'],
  ['<VOTABLE', 'a VOTable', 'votable'],
  ['\u00ff\u00fe\0\0', 'text in UTF-32, not UTF-8'],
  ['\0\0\u00fe\u00ff', 'text in UTF-32, not UTF-8'],
]

const signatureLength = 12

function refuseForeignFormat(head: Buffer, format: InputFormat, name: string): void {
  const text = head.toString('latin1')
  const found = signatures.find(([signature]) => text.startsWith(signature))
  if (!found || found[2] === format) return
  throw new DataError(`${name} is ${found[1]}, not ${formatName(format)}`, {
    hint: 'The name decides the format; --from-format sets it where the name does not.',
  })
}

/** A file that was there and readable when it was looked at. */
export type InputFile = Awaited<ReturnType<typeof inspectFile>>

/**
 * @param name as the user named it: what errors and rejects call it
 * @throws DataError for what is not there, cannot be read, or is a folder
 */
export async function inspectFile(path: string, name: string) {
  const look = () =>
    stat(path).catch((cause: unknown) => {
      throw unreadable(name, cause)
    })
  const seen = await look()
  if (seen.isDirectory()) throw new DataError(`${name} is a folder, not a file`)
  const isRegular = seen.isFile()
  const size = isRegular ? seen.size : 0
  const identity: InputIdentity = isRegular
    ? { address: name, size, mtime: seen.mtime.toISOString() }
    : { address: name }
  return {
    name,
    path,
    identity,
    size,
    /** false for a named pipe or a device: it can be read once, and has no size */
    isRegular,
    /** @throws DataError if the file is no longer the one that was looked at */
    async checkUnchanged(): Promise<void> {
      if (!isRegular) return
      const now = await look()
      if ((['ino', 'dev', 'size', 'mtimeMs'] as const).every((part) => now[part] === seen[part])) return
      throw new DataError(`${name} changed while it was read`, {
        hint: 'Wait until whatever writes it has finished, then run again.',
      })
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
  ELOOP: ' is a symbolic link that leads back to itself',
  EACCES: ': no permission to read it',
  EPERM: ': no permission to read it',
  EISDIR: ' is a folder, not a file',
}

export function unreadable(name: string, cause: unknown): DataError {
  const refusal = refusals[systemCode(cause) ?? ''] ?? `: cannot be read: ${firstLine(messageOf(cause))}`
  return new DataError(`${name}${refusal}`, { cause })
}
