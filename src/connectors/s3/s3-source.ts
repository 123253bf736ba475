// Objects of a bucket as a source: each through a temporary file of one version, for as long as it is open.
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { DataError, LcclfError, ModelError, ServiceError, systemCode } from '../../errors.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import { download } from '../../transfer/download.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { patiently } from '../../transfer/transient-error.ts'
import type { FileSourceSpec } from '../address.ts'
import { newTemporaryFolder } from '../files/temporary-folder.ts'
import { plainEtag, type S3SourceSpec, type SeenObject } from './address.ts'
import { bucketToRead } from './bucket.ts'
import { s3Failure } from './client.ts'

/**
 * Opens one object.
 *
 * @param openFile opens the file that it becomes
 * @throws DataError where it changed since it was listed, or as the file's format says; ServiceError for a service or a
 *   disk that fails
 */
export async function openS3Source(
  spec: S3SourceSpec,
  options: ReadOptions,
  openFile: (spec: FileSourceSpec, options: ReadOptions) => Promise<Source>,
): Promise<Source> {
  const { address, format, size, etag } = spec
  const isFooterEnough = options.isForSchema === true && format === 'parquet'
  const object = await (isFooterEnough ? fetchParquetFooter : fetchObject)(spec, options.signal)
  try {
    const file = await openFile({ kind: 'file', address, path: object.path, format }, options)
    return {
      ...file,
      identity: { address, size, ...(etag === null ? {} : { etag: plainEtag(etag) }) },
      async *deliveries(signal) {
        try {
          yield* file.deliveries(signal)
        } catch (error) {
          throw withAddress(error, object.path, address)
        }
      },
      async close() {
        await file.close()
        await object.remove()
      },
    }
  } catch (error) {
    await object.remove()
    throw withAddress(error, object.path, address)
  }
}

/** Libraries name the temporary file, which tells a user nothing. */
function withAddress(error: unknown, path: string, address: string): unknown {
  if (error instanceof LcclfError) error.message = error.message.replaceAll(path, address)
  return error
}

/**
 * Fetches the whole object: a broken download is resumed, sizes and MD5 sums are checked.
 *
 * @throws DataError where it is gone or has changed; ServiceError for a service that fails for good, a full disk
 */
export function fetchObject(object: SeenObject, signal?: AbortSignal) {
  return intoFile(object, async (path) => {
    const { size } = object
    const got = await download(await readerOf(object), '', path, { maxBytes: size, expected: { size }, signal })
    if (got.kind === 'absent') throw gone(object)
  })
}

/** The first read at the end of a Parquet file: most footers are shorter. */
const tailBytes = 256 * 1024
const magicBytes = 4
/** the footer's length and the magic */
const trailerBytes = 8

/**
 * Fetches no more of a Parquet object than is needed to know its columns: a file of the same size, empty between its
 * first bytes and its footer.
 *
 * @throws as fetchObject
 */
export function fetchParquetFooter(object: SeenObject, signal?: AbortSignal) {
  if (object.size <= tailBytes) return fetchObject(object, signal)
  return intoFile(object, async (path) => {
    const end = object.size - 1
    const [head, last] = await Promise.all([
      readRange(object, 0, magicBytes - 1, signal),
      readRange(object, object.size - tailBytes, end, signal),
    ])
    const length = last.readUInt32LE(last.length - trailerBytes) + trailerBytes
    const isLonger = length > last.length && length < object.size
    const tail = isLonger ? await readRange(object, object.size - length, end, signal) : last
    const file = await open(path, 'w')
    try {
      await file.truncate(object.size)
      await file.write(head, 0, head.length, 0)
      await file.write(tail, 0, tail.length, object.size - tail.length)
    } finally {
      await file.close()
    }
  })
}

async function intoFile(object: SeenObject, fill: (path: string) => Promise<void>) {
  const ours = await newTemporaryFolder(temporaryHint)
  const path = join(ours, 'object')
  /** Harmless twice. */
  const remove = (): Promise<void> => rm(ours, { recursive: true, force: true })
  try {
    await fill(path)
  } catch (error) {
    await remove()
    throw asFetchError(error, object)
  }
  return { path, remove }
}

/** Bytes `from` to `to`, both inclusive. */
async function readRange(object: SeenObject, from: number, to: number, signal?: AbortSignal): Promise<Buffer> {
  const { address, etag, place } = object
  const bucket = await bucketToRead(place)
  const read = async (): Promise<Buffer> => {
    const found = await bucket.read(place.key, { from, to, signal, etag })
    if (found === undefined) throw gone(object)
    if (found === 'changed') throw changed(object)
    const bytes = await buffer(found.body).catch((error: unknown) => {
      throw s3Failure(error, address)
    })
    // a server that does not support ranges sends the whole object
    const wanted = bytes.subarray(from - found.from, to + 1 - found.from)
    if (wanted.length !== to + 1 - from) throw changed(object)
    return wanted
  }
  return patiently(read, { signal, hint: serviceHint })
}

/** The object by the contract of all readers, its version fixed. */
async function readerOf(object: SeenObject): Promise<ObjectReader> {
  const { address, etag, place } = object
  const bucket = await bucketToRead(place)
  return {
    address,
    nameOf: () => address,
    async open(_, { from, etag: resumed, signal }) {
      const found = await bucket.read(place.key, { from, etag: etag ?? resumed, signal })
      if (found === undefined) return { kind: 'absent', why: 'not found (404)' }
      if (found === 'changed') throw changed(object)
      return { kind: 'object', ...found }
    },
    close: () => undefined,
  }
}

const serviceHint = 'Check that the service is up and the endpoint (AWS_ENDPOINT_URL) is right, then run again.'
const temporaryHint =
  'Objects are read through temporary files, two at a time; set TMPDIR to a folder with room for the two largest.'

/** What a download says of a model, or of its own folder, means something else here. */
function asFetchError(error: unknown, object: SeenObject): unknown {
  if (error instanceof Error && error.name === 'AbortError') return error
  if (error instanceof ModelError) return changed(object, error)
  if (error instanceof ServiceError && / gave up after /.test(error.message)) {
    return new ServiceError(error.message, { cause: error, hint: serviceHint })
  }
  const code = systemCode(error instanceof LcclfError ? error.cause : error)
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
  if (!isFull && (error instanceof LcclfError || code === undefined)) return error
  const what = isFull ? `no room for its ${object.size} bytes` : `cannot be kept (${code})`
  const message = `${object.address}: ${what} in the temporary folder ${tmpdir()}`
  return new ServiceError(message, { cause: error, hint: temporaryHint })
}

function gone({ address }: SeenObject): DataError {
  return new DataError(`${address}: no longer there`)
}

function changed({ address }: SeenObject, cause?: unknown): DataError {
  const hint = 'Wait until the program that writes it has finished, then run again.'
  return new DataError(`${address} changed after the run began`, { cause, hint })
}
