// An object of a bucket → a file that is read in its place, of one version, and removed afterwards.
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rmSync } from 'node:fs'
import { DataError, LcclfError, messageOf, ModelError, ServiceError, systemCode } from '../../errors.ts'
import { download } from '../../transfer/download.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { bucketToRead, type S3Bucket } from './bucket.ts'
import { patiently } from '../../transfer/transient-error.ts'
import { s3Failure } from './client.ts'
import { hasEnded, ownerHere, parseOwner } from '../../transfer/owner.ts'
import type { SeenObject } from './address.ts'

/** A file with the object's bytes. */
interface FetchedObject {
  readonly path: string
  /** Harmless twice. */
  remove(): Promise<void>
}

/**
 * Fetches the whole object: a broken connection goes on where it broke, sizes and MD5 sums are checked.
 *
 * @throws DataError where it is gone or another one by now; ServiceError for a service that fails for good, a full disk
 */
export function fetchObject(object: SeenObject, signal?: AbortSignal): Promise<FetchedObject> {
  return intoFile(async (path) => {
    const reader = readerOf(object, await bucketToRead(object.place))
    const { size } = object
    try {
      const got = await download(reader, '', path, { maxBytes: size, expected: { size }, signal })
      if (got.kind === 'absent') throw gone(object)
    } catch (error) {
      throw asFetchError(error, object)
    }
  })
}

/** What is asked for at the end of a Parquet file at first: most footers are shorter. */
const tailBytes = 256 * 1024
const magicBytes = 4
/** the footer's length and the magic */
const trailerBytes = 8

/**
 * Fetches no more of a Parquet object than its columns need to be known: a file of the same size, empty between its first
 * bytes and its footer.
 *
 * @throws as fetchObject
 */
export function fetchParquetFooter(object: SeenObject, signal?: AbortSignal): Promise<FetchedObject> {
  if (object.size <= tailBytes) return fetchObject(object, signal)
  return intoFile(async (path) => {
    const bucket = await bucketToRead(object.place)
    const range = (from: number, to: number): Promise<Buffer> => readRange(bucket, object, { from, to, signal })
    const end = object.size - 1
    const [head, last] = await Promise.all([range(0, magicBytes - 1), range(object.size - tailBytes, end)])
    const length = last.readUInt32LE(last.length - trailerBytes) + trailerBytes
    const tail = length > last.length && length < object.size ? await range(object.size - length, end) : last
    try {
      const file = await open(path, 'w')
      try {
        await file.truncate(object.size)
        await file.write(head, 0, head.length, 0)
        await file.write(tail, 0, tail.length, object.size - tail.length)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw asFetchError(error, object)
    }
  })
}

async function intoFile(fill: (path: string) => Promise<void>): Promise<FetchedObject> {
  const folder = await newObjectFolder()
  const path = join(folder, 'object')
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    await fill(path)
  } catch (error) {
    await remove()
    throw error
  }
  return { path, remove }
}

function readRange(
  bucket: S3Bucket,
  object: SeenObject,
  range: { from: number; to: number; signal: AbortSignal | undefined },
): Promise<Buffer> {
  const read = async (): Promise<Buffer> => {
    const { etag, place } = object
    const found = await bucket.read(place.key, { ...range, etag })
    if (found === undefined) throw gone(object)
    if (found === 'changed') throw changed(object)
    const bytes = await bytesOf(found.body).catch((error: unknown) => {
      throw s3Failure(error, object.address)
    })
    // a server that knows no ranges sends the whole
    const wanted = bytes.subarray(range.from - found.from, range.to + 1 - found.from)
    if (wanted.length !== range.to + 1 - range.from) throw changed(object)
    return wanted
  }
  return patiently(read, { signal: range.signal, hint: serviceHint })
}

async function bytesOf(body: AsyncIterable<unknown>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of body) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** The object by the contract of all readers, its version fixed. */
function readerOf(object: SeenObject, bucket: S3Bucket): ObjectReader {
  const { address, etag, place } = object
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

const serviceHint = 'Is the service up, and the endpoint (AWS_ENDPOINT_URL) right? Then the same command again.'

/** What a download says of a model or of its own folder means something else here. */
function asFetchError(error: unknown, object: SeenObject): unknown {
  if (error instanceof Error && error.name === 'AbortError') return error
  const code = systemCode(error instanceof LcclfError ? error.cause : error)
  if (error instanceof ModelError) return changed(object, error)
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    const full = `${object.address}: no room for its ${object.size} bytes in the temporary folder ${tmpdir()}`
    return new ServiceError(full, { cause: error, hint: temporaryHint })
  }
  if (error instanceof ServiceError && / gave up after /.test(error.message)) {
    return new ServiceError(error.message, { cause: error, hint: serviceHint })
  }
  if (error instanceof LcclfError || code === undefined) return error
  return new ServiceError(`${object.address}: cannot be kept in the temporary folder ${tmpdir()} (${code})`, {
    cause: error,
    hint: temporaryHint,
  })
}

function gone({ address }: SeenObject): DataError {
  return new DataError(`${address}: is not there any more`)
}

function changed({ address }: SeenObject, cause?: unknown): DataError {
  return new DataError(`${address} changed after the run began`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Wait until whatever writes it has finished, then run again.',
  })
}

// The folder for objects that are read from the disk: one a process, removed with it.

const prefix = 'lcclf-s3-'
const ownerFile = 'owner.json'

let folder: Promise<string> | undefined
let objects = 0

/**
 * A folder that nobody has used.
 *
 * @throws ServiceError where temporary files cannot be made
 */
async function newObjectFolder(): Promise<string> {
  try {
    // in a long run somebody may tidy up the temporary folder
    return await folderInside().catch(() => ((folder = undefined), folderInside()))
  } catch (cause) {
    folder = undefined
    throw new ServiceError(`the temporary folder ${tmpdir()} cannot be used: ${messageOf(cause)}`, {
      cause,
      hint: temporaryHint,
    })
  }
}

async function folderInside(): Promise<string> {
  folder ??= createFolder()
  return mkdtemp(join(await folder, `${++objects}-`))
}

/** What to do when the folder for temporary files is full or closed. */
const temporaryHint =
  'Objects are read through temporary files, two at a time; TMPDIR names a folder where the two largest have room.'

async function createFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  // the second Ctrl-C ends the process where it stands
  process.once('exit', () => rmSync(path, { recursive: true, force: true }))
  await writeFile(join(path, ownerFile), JSON.stringify(ownerHere()))
  await removeLitter()
  return path
}

/** What runs that were killed left behind. */
async function removeLitter(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const path = join(tmpdir(), name)
    const owner = parseOwner(await readFile(join(path, ownerFile), 'utf8').catch(() => ''))
    if (owner && hasEnded(owner)) await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}
