// An object that appears whole or not at all: sent in parts while it is written, completed when it is published.
import { ServiceError } from '../../errors.ts'
import { bucketToWrite } from './bucket.ts'
import { patiently } from '../../transfer/transient-error.ts'
import type { S3Upload } from './upload.ts'
import { alreadyThere, type ByteOutput } from '../../whole-file.ts'
import type { S3SinkSpec } from './address.ts'

/** What a part holds in memory; 10,000 of them are the largest object (156 GiB). */
const partBytes = 16 * 1024 * 1024
/** A further one is being filled meanwhile. */
const partsUnderWay = 2

const hint = 'Nothing was published there. Is the service up, and the endpoint (AWS_ENDPOINT_URL) right?'

/**
 * Begins the upload, so that a bucket which is not there or may not be written to is known before the first row.
 *
 * @throws UsageError for a key that is taken (without `overwrite`); ServiceError for a service that refuses or is away
 */
export async function openS3Output({ address, place, overwrite }: S3SinkSpec): Promise<ByteOutput> {
  const bucket = await bucketToWrite(place)
  if (!overwrite && (await patiently(() => bucket.stat(place.key), { hint }))) throw alreadyThere(address)
  const upload = await patiently(() => bucket.startUpload(place.key), { hint })
  const parts = createPartQueue(upload)
  let state: 'open' | 'finished' | 'ended' = 'open'

  function checkOpen(): void {
    if (state !== 'open') throw new ServiceError(`cannot write ${address}: it was closed before`)
  }

  return {
    async write(bytes) {
      checkOpen()
      await parts.add(bytes)
    },
    async finish() {
      checkOpen()
      await parts.end()
      state = 'finished'
    },
    async publish() {
      if (state !== 'finished') throw new Error(`${address} is published before it was finished`)
      const outcome = await patiently(() => upload.complete(!overwrite), { hint })
      if (outcome === 'taken') throw alreadyThere(address)
      state = 'ended'
    },
    async close() {
      if (state === 'ended') return
      state = 'ended'
      await parts.drop()
      // one that cannot be given back is not seen by anybody, and is removed by the bucket's rules
      await patiently(() => upload.abort(), { hint, retries: 1 }).catch(() => undefined)
    },
  }
}

/** Bytes cut into parts of one size, which are sent while the next ones come. */
interface PartQueue {
  /** waits while too many parts are under way; throws what befell an earlier one */
  add(bytes: Uint8Array): Promise<void>
  /** sends the rest and waits for all */
  end(): Promise<void>
  /** breaks off what is under way; harmless twice */
  drop(): Promise<void>
}

function createPartQueue(upload: S3Upload): PartQueue {
  const leaving = new AbortController()
  const underWay = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  let held: Buffer[] = []
  let heldBytes = 0
  let count = 0

  function sendHeld(): void {
    const number = ++count
    const bytes = Buffer.concat(held)
    held = []
    heldBytes = 0
    const { signal } = leaving
    const sending = patiently(() => upload.sendPart(number, bytes, signal), { signal, hint })
      .catch((error: unknown) => {
        failure ??= { error }
      })
      .finally(() => underWay.delete(sending))
    underWay.add(sending)
  }

  async function untilAtMost(most: number): Promise<void> {
    while (underWay.size > most && !failure) await Promise.race(underWay)
    if (failure) throw failure.error
  }

  return {
    async add(bytes) {
      for (let from = 0; from < bytes.length;) {
        const piece = bytes.subarray(from, from + partBytes - heldBytes)
        // whoever wrote it may use its memory again
        held.push(Buffer.from(piece))
        heldBytes += piece.length
        from += piece.length
        if (heldBytes < partBytes) continue
        await untilAtMost(partsUnderWay - 1)
        sendHeld()
      }
      if (failure) throw failure.error
    },
    async end() {
      if (heldBytes > 0) sendHeld()
      await untilAtMost(0)
    },
    async drop() {
      leaving.abort()
      held = []
      await Promise.all(underWay)
    },
  }
}
