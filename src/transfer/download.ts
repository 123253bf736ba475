// One object → one file: resumed where it broke, repeated with patience, bounded in size, and checked.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { LcclfError, messageOf, ModelError, ServiceError, systemCode } from '../errors.ts'
import type { AbsentObject, ObjectReader, OpenedObject } from './object-reader.ts'
import { passingFailure, rangesHint, StalePartError, TransientError } from './transient-error.ts'

/** How a download is done. */
export interface DownloadOptions {
  /** what the file must be; the first difference is an error */
  readonly expected?: { readonly sha256?: string | undefined; readonly size?: number | undefined }
  /** bytes that no honest file exceeds */
  readonly maxBytes: number
  /** @param total NaN where the server does not say */
  readonly onBytes?: (done: number, total: number) => void
  /** called before each repetition, with the reason */
  readonly onRetry?: (reason: string, waitMs: number) => void
  readonly signal?: AbortSignal | undefined
  readonly patience?: Patience
}

/** How long to bear with a server. */
interface Patience {
  /** failures in a row, without progress in between, that are borne */
  readonly retries: number
  /** the first wait; each is twice the last, up to `maxWaitMs` */
  readonly waitMs: number
  readonly maxWaitMs: number
  /** fewer than a thousand bytes in this time is a standstill */
  readonly stallMs: number
}

const usualPatience: Patience = { retries: 5, waitMs: 500, maxWaitMs: 15_000, stallMs: 30_000 }

/** A file that is whole. */
export interface Downloaded {
  readonly kind: 'downloaded'
  readonly path: string
  readonly size: number
  readonly sha256: string
  readonly etag: string | null
}

/** A server that cuts after each few bytes must not keep us for ever. */
const maxAttempts = 200
const progressBytes = 64 * 1024

/**
 * Downloads an object. What has arrived stays beside `path` as `.part`, and the next call goes on from there, whichever
 * process makes it.
 *
 * @param name below the reader's address; '' for the address itself
 * @returns absent where the object is not there
 * @throws ServiceError for a server that fails for good, a full disk; ModelError where the bytes are not those expected
 */
export async function download(
  reader: ObjectReader,
  name: string,
  path: string,
  options: DownloadOptions,
): Promise<Downloaded | AbsentObject> {
  const patience = options.patience ?? usualPatience
  let failures = 0
  let milestone = 0
  let hasBegunAnew = false
  for (let attempt = 1; ; attempt++) {
    try {
      const got = await attemptDownload(reader, name, path, { ...options, patience })
      if (got.kind === 'absent') return got
      return await finish(path, got, { expected: options.expected, label: reader.nameOf(name) })
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error instanceof StalePartError || (error instanceof WrongBytesError && error.wasResumed)) {
        await dropPart(path)
        if (!hasBegunAnew) {
          // no failure: of what the server has now nothing was asked for yet
          hasBegunAnew = true
          failures = milestone = 0
          continue
        }
      }
      if (!(error instanceof TransientError)) throw error
      const arrived = await sizeOf(`${path}.part`)
      failures = arrived >= milestone + progressBytes ? 1 : failures + 1
      if (failures === 1) milestone = arrived
      if (failures > patience.retries || attempt >= maxAttempts) throw givenUp(reader.nameOf(name), attempt, error)
      const backOff = Math.min(patience.waitMs * 2 ** (failures - 1), patience.maxWaitMs)
      // not all who were cut off at once come back at once
      const waitMs = error.retryAfterMs ?? backOff * (0.5 + Math.random() / 2)
      options.onRetry?.(error.message, waitMs)
      await delay(waitMs, undefined, options.signal ? { signal: options.signal } : {})
    }
  }
}

function givenUp(label: string, attempts: number, cause: Error): ServiceError {
  return new ServiceError(`${label}: ${cause.message}; gave up after ${attempts} attempts`, {
    cause,
    hint:
      cause instanceof StalePartError
        ? `The file keeps changing, or: ${rangesHint} Nothing of it is kept.`
        : 'What has arrived is kept: the same command goes on from there.',
  })
}

interface Arrived extends PartState {
  readonly kind: 'arrived'
  readonly md5: string | null
  readonly wasResumed: boolean
}

async function attemptDownload(
  reader: ObjectReader,
  name: string,
  path: string,
  options: DownloadOptions & { patience: Patience },
): Promise<Arrived | AbsentObject> {
  const label = reader.nameOf(name)
  const { from, ...before } = await resumePoint(path)
  const object = await reader.open(name, { from, etag: before.etag, signal: options.signal })
  if (object.kind === 'absent') return object
  const state: PartState =
    object.from === 0 ? object : { etag: object.etag ?? before.etag, size: object.size ?? before.size }
  try {
    checkSameVersion(object, before)
    checkAnnounced(state, label, options)
    const file = await open(`${path}.part`, 'a')
    try {
      await file.truncate(object.from)
      await writeState(path, state)
      await receive({ ...object, ...state }, file, label, options)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw asDownloadError(cause, path)
  } finally {
    object.body.destroy()
  }
  return { kind: 'arrived', etag: state.etag, size: state.size, md5: object.md5, wasResumed: object.from > 0 }
}

/** Not every server, or cache on the way to it, heeds If-Range: some answer with a part of whatever they have now. */
function checkSameVersion({ from, etag, size }: OpenedObject, before: PartState): void {
  if (from === 0) return
  // with a part that was asked for by a date, the date need not be said again (RFC 9110, 15.3.7)
  const isDate = before.etag?.startsWith('"') === false
  const isSame = etag === before.etag || (etag === null && isDate)
  if (!isSame) throw new StalePartError('the server answers with a part of another version')
  if (size !== null && before.size !== null && size !== before.size) {
    throw new StalePartError(`the server has ${size} bytes now, and had ${before.size} before`)
  }
}

function checkAnnounced({ size }: PartState, label: string, { maxBytes, expected }: DownloadOptions): void {
  if (size === null) return
  if (size > maxBytes) {
    throw new ServiceError(`${label}: has ${size} bytes, more than the ${maxBytes} that such a file may have`)
  }
  if (expected?.size !== undefined && size !== expected.size) {
    throw new ModelError(`${label}: has ${size} bytes, and should have ${expected.size}`, { hint: otherFileHint })
  }
}

async function receive(
  object: OpenedObject,
  file: FileHandle,
  label: string,
  { maxBytes, onBytes, patience }: DownloadOptions & { patience: Patience },
): Promise<void> {
  const limit = Math.min(maxBytes, object.size ?? Infinity)
  let done = object.from
  let seen = done
  const watch = setInterval(() => {
    if (done - seen < 1000) {
      object.body.destroy(new TransientError(`the server sends nothing for ${patience.stallMs / 1000} s`))
    }
    seen = done
  }, patience.stallMs)
  try {
    for await (const chunk of object.body as AsyncIterable<Buffer>) {
      done += chunk.length
      if (done > limit) throw new ServiceError(`${label}: the server sends more than ${limit} bytes`)
      await file.appendFile(chunk)
      onBytes?.(done, object.size ?? NaN)
    }
  } finally {
    clearInterval(watch)
  }
  if (object.size !== null && done < object.size) {
    throw new TransientError(`the connection was cut after ${done} of ${object.size} bytes`)
  }
}

/** Bytes that came in two pieces may be of two versions of the object; those of one piece are what the server has. */
class WrongBytesError extends ModelError {
  readonly wasResumed: boolean

  constructor(message: string, wasResumed: boolean) {
    super(message, { hint: otherFileHint })
    this.wasResumed = wasResumed
  }
}

const otherFileHint = 'The file was changed or damaged: ask whoever publishes it. Nothing of it is kept.'

interface Expectation {
  readonly expected: DownloadOptions['expected']
  readonly label: string
}

async function finish(
  path: string,
  { etag, md5, wasResumed }: Arrived,
  { expected, label }: Expectation,
): Promise<Downloaded> {
  const digest = await digestOf(`${path}.part`, md5 !== null)
  const problem =
    expected?.size !== undefined && digest.size !== expected.size
      ? `has ${digest.size} bytes, and should have ${expected.size}`
      : expected?.sha256 !== undefined && digest.sha256 !== expected.sha256
        ? `its sha256 is ${digest.sha256}, and should be ${expected.sha256}`
        : md5 !== null && digest.md5 !== md5
          ? `its MD5 is ${digest.md5}, and the server says ${md5}`
          : null
  if (problem !== null) {
    await dropPart(path)
    throw new WrongBytesError(`${label}: ${problem}`, wasResumed)
  }
  await rename(`${path}.part`, path)
  return { kind: 'downloaded', path, size: digest.size, sha256: digest.sha256, etag }
}

interface Digest {
  readonly size: number
  readonly sha256: string
  readonly md5: string | null
}

async function digestOf(path: string, withMd5: boolean): Promise<Digest> {
  const sha256 = createHash('sha256')
  const md5 = withMd5 ? createHash('md5') : undefined
  let size = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    size += chunk.length
    sha256.update(chunk)
    md5?.update(chunk)
  }
  return { size, sha256: sha256.digest('hex'), md5: md5?.digest('hex') ?? null }
}

function asDownloadError(cause: unknown, path: string): unknown {
  if (cause instanceof TransientError || cause instanceof LcclfError) return cause
  if (cause instanceof Error && cause.name === 'AbortError') return cause
  const passing = passingFailure(cause)
  if (passing !== undefined) return new TransientError(passing, { cause })
  const code = systemCode(cause)
  return new ServiceError(`${path}: cannot be written (${code ?? messageOf(cause)})`, {
    cause,
    hint: code === 'ENOSPC' ? 'The disk is full.' : 'Is there room on the disk, and may you write there?',
  })
}

// What has arrived of a file, beside it: `.part` the bytes, `.part.json` which version of the object they are of.

/** What a part is worth: its bytes belong to this version of the object. */
interface PartState {
  readonly etag: string | null
  /** bytes of the whole object; null where its server did not say */
  readonly size: number | null
}

const fromStart = { from: 0, etag: null, size: null }

/** What has arrived is good for as long as the object is the same; its last byte is fetched again to learn that. */
async function resumePoint(path: string): Promise<PartState & { readonly from: number }> {
  // a whole file of an earlier run, of which the server may have another by now
  if ((await sizeOf(path)) > 0 && (await sizeOf(`${path}.part`)) === 0) await rename(path, `${path}.part`)
  const there = await sizeOf(`${path}.part`)
  const state = await readState(`${path}.part.json`)
  if (there === 0 || !state || state.etag === null) return fromStart
  if (state.size !== null && there > state.size) return fromStart
  return { ...state, from: there === state.size ? there - 1 : there }
}

/** Says what the bytes that follow are of. */
async function writeState(path: string, { etag, size }: PartState): Promise<void> {
  await writeFile(`${path}.part.json`, JSON.stringify({ etag, size } satisfies PartState))
}

/** Nothing of what has arrived is used again. */
async function dropPart(path: string): Promise<void> {
  await rm(`${path}.part`, { force: true })
  await rm(`${path}.part.json`, { force: true })
}

async function readState(path: string): Promise<PartState | undefined> {
  try {
    const { etag, size } = JSON.parse(await readFile(path, 'utf8')) as Partial<PartState>
    return { etag: typeof etag === 'string' ? etag : null, size: typeof size === 'number' ? size : null }
  } catch {
    return undefined
  }
}

/** Bytes of a file; 0 where there is none. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}
