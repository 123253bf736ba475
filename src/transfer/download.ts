// One object → one file: resumed where it broke, retried patiently, bounded in size, and checked.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { LcclfError, ModelError, ServiceError, writeFailure } from '../errors.ts'
import { jsonChecker } from '../formats/checked-json.ts'
import type { AbsentObject, ObjectReader, OpenedObject } from './object-reader.ts'
import { passingFailure, patiently, rangesHint, StalePartError, TransientError } from './transient-error.ts'

/** How a download is done. */
export interface DownloadOptions {
  /** what the file must be; the first difference is an error */
  readonly expected?: {
    readonly sha256?: string | undefined
    readonly size?: number | undefined
    readonly md5?: string | undefined
  }
  /** the size that no honest file exceeds */
  readonly maxBytes: number
  /** @param total NaN where the server does not say */
  readonly onBytes?: (done: number, total: number) => void
  /** called before each retry, with the reason */
  readonly onRetry?: (reason: string, waitMs: number) => void
  readonly signal?: AbortSignal | undefined
  /** retries and pauses as for `patiently`; fewer than a thousand bytes in `stallMs` count as a standstill */
  readonly patience?: { retries: number; waitMs: number; maxWaitMs: number; stallMs: number } | undefined
}

const usualPatience = { retries: 5, waitMs: 500, maxWaitMs: 15_000, stallMs: 30_000 }

/** A file that is whole. */
export interface Downloaded {
  readonly kind: 'downloaded'
  readonly path: string
  readonly size: number
  readonly sha256: string
  readonly etag: string | null
}

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
  const { signal, onRetry, patience = usualPatience } = options
  let milestone = -Infinity
  let hasBegunAnew = false
  const attempt = async (): Promise<Downloaded | AbsentObject> => {
    try {
      return await fetchRest(reader, name, path, options)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof StalePartError || (error instanceof WrongBytesError && error.wasResumed)) {
        await dropPart(path)
        if (!hasBegunAnew) {
          // no failure: nothing was asked for yet of the version that the server has now
          hasBegunAnew = true
          milestone = -Infinity
          return attempt()
        }
      }
      throw error
    }
  }
  return patiently(attempt, {
    ...patience,
    signal,
    onRetry,
    async hasProgressed() {
      const arrived = await sizeOf(`${path}.part`)
      if (arrived < milestone + progressBytes) return false
      milestone = arrived
      return true
    },
    hint: (error) =>
      error instanceof StalePartError
        ? `The file keeps changing, or: ${rangesHint} Nothing of it is kept.`
        : 'What has arrived is kept: the same command goes on from there.',
  })
}

async function fetchRest(
  reader: ObjectReader,
  name: string,
  path: string,
  options: DownloadOptions,
): Promise<Downloaded | AbsentObject> {
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
      await writeFile(`${path}.part.json`, JSON.stringify({ etag: state.etag, size: state.size } satisfies PartState))
      await receive({ ...object, ...state }, file, label, options)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (cause instanceof TransientError || cause instanceof LcclfError) throw cause
    if (cause instanceof Error && cause.name === 'AbortError') throw cause
    const passing = passingFailure(cause)
    throw passing === undefined ? writeFailure(path, cause) : new TransientError(passing, { cause })
  } finally {
    object.body.destroy()
  }
  const { size, sha256 } = await checkArrived(path, object, label, options)
  await rename(`${path}.part`, path)
  return { kind: 'downloaded', path, size, sha256, etag: state.etag }
}

/** Not every server, or cache on the way to it, heeds If-Range: some answer with a part of whatever they have now. */
function checkSameVersion({ from, etag, size }: OpenedObject, before: PartState): void {
  if (from === 0) return
  // a part that was asked for by a date need not repeat the date (RFC 9110, 15.3.7)
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
    throw new ServiceError(`${label}: has ${size} bytes, more than the ${maxBytes} allowed for such a file`)
  }
  if (expected?.size !== undefined && size !== expected.size) {
    throw new WrongBytesError(`${label}: has ${size} bytes, and should have ${expected.size}`, false)
  }
}

async function receive(
  object: OpenedObject,
  file: FileHandle,
  label: string,
  { maxBytes, onBytes, patience: { stallMs } = usualPatience }: DownloadOptions,
): Promise<void> {
  const limit = Math.min(maxBytes, object.size ?? Infinity)
  let done = object.from
  let seen = done
  const watch = setInterval(() => {
    if (done - seen < 1000) {
      object.body.destroy(new TransientError(`the server sends nothing for ${stallMs / 1000} s`))
    }
    seen = done
  }, stallMs)
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
    super(message, { hint: 'The file was changed or damaged: ask its publisher. Nothing of it is kept.' })
    this.wasResumed = wasResumed
  }
}

/** Checks the whole part, and drops it where it is wrong. */
async function checkArrived(
  path: string,
  { md5, from }: OpenedObject,
  label: string,
  { expected }: DownloadOptions,
): Promise<{ size: number; sha256: string }> {
  const hashes = { sha256: createHash('sha256'), md5: createHash('md5') }
  let size = 0
  for await (const chunk of createReadStream(`${path}.part`, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    size += chunk.length
    hashes.sha256.update(chunk)
    if (md5 !== null || expected?.md5 !== undefined) hashes.md5.update(chunk)
  }
  const sha256 = hashes.sha256.digest('hex')
  const found = hashes.md5.digest('hex')
  const problem =
    expected?.size !== undefined && size !== expected.size
      ? `has ${size} bytes, and should have ${expected.size}`
      : expected?.sha256 !== undefined && sha256 !== expected.sha256
        ? `its sha256 is ${sha256}, and should be ${expected.sha256}`
        : expected?.md5 !== undefined && found !== expected.md5
          ? `its MD5 is ${found}, and should be ${expected.md5}`
          : md5 !== null && found !== md5
            ? `its MD5 is ${found}, and the server says ${md5}`
            : null
  if (problem !== null) {
    await dropPart(path)
    throw new WrongBytesError(`${label}: ${problem}`, from > 0)
  }
  return { size, sha256 }
}

// What has arrived of a file, beside it: `.part` the bytes, `.part.json` which version of the object they are of.

/** The version of the object that the bytes of a part belong to. */
type PartState = Pick<OpenedObject, 'etag' | 'size'>

const fromStart = { from: 0, etag: null, size: null }

/** A part is valid for as long as the object is the same; its last byte is fetched again to learn that. */
async function resumePoint(path: string): Promise<PartState & { readonly from: number }> {
  // a whole file of an earlier run, of which the server may have another version by now
  if ((await sizeOf(path)) > 0 && (await sizeOf(`${path}.part`)) === 0) await rename(path, `${path}.part`)
  const there = await sizeOf(`${path}.part`)
  const state = await readState(`${path}.part.json`)
  if (there === 0 || !state || state.etag === null) return fromStart
  if (state.size !== null && there > state.size) return fromStart
  return { ...state, from: there === state.size ? there - 1 : there }
}

async function dropPart(path: string): Promise<void> {
  await rm(`${path}.part`, { force: true })
  await rm(`${path}.part.json`, { force: true })
}

async function readState(path: string): Promise<PartState | undefined> {
  const check = jsonChecker((what) => new Error(what))
  try {
    const { etag, size } = check.record(check.json(await readFile(path, 'utf8')), 'state')
    // it goes into a header
    if (/[^ -~]/.test(String(etag))) return undefined
    return {
      etag: etag === null ? null : check.text(etag, 'etag'),
      size: size === null ? null : check.count(size, 'size'),
    }
  } catch {
    // then it begins anew
    return undefined
  }
}

/** Bytes of a file; 0 where there is none. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}
