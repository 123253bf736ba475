// An object that appears whole or not at all: sent in parts while it is written, completed when it is published.
import { createHash } from 'node:crypto'
import { ServiceError } from '../../errors.ts'
import { patiently } from '../../transfer/transient-error.ts'
import { alreadyThere, type ByteOutput, type Written } from '../../whole-file.ts'
import { plainEtag, type S3SinkSpec } from './address.ts'
import { bucketToWrite, isConflict, type S3Bucket } from './bucket.ts'
import { statusOf } from './client.ts'

/** What a part holds in memory; 10,000 of them are the largest object (156 GiB). */
const partBytes = 16 * 1024 * 1024
/** A further one is being filled meanwhile. */
const partsUnderWay = 2

const hint = 'Nothing was published there. Check that the service is up and the endpoint (AWS_ENDPOINT_URL) is right.'

export async function openS3Output({ place, overwrite }: S3SinkSpec): Promise<ByteOutput> {
  return openObjectOutput(await bucketToWrite(place), place.key, { overwrite })
}

/**
 * Begins the upload, so that a bucket that does not exist or may not be written to is known before the first byte.
 *
 * @throws UsageError for a key that is taken (without `overwrite`); ServiceError for a service that refuses or is away
 */
export async function openObjectOutput(
  bucket: S3Bucket,
  key: string,
  { overwrite }: { overwrite: boolean },
): Promise<ByteOutput> {
  const address = `s3://${bucket.name}/${key}`
  if (!overwrite && (await patiently(() => bucket.stat(key), { hint }))) throw alreadyThere(address)
  const upload = await startUpload(bucket, key)
  const parts = createPartQueue(upload.sendPart)
  let state: 'open' | 'finished' | 'ended' = 'open'
  let size = 0
  let written: Written | undefined

  const checkOpen = (): void => {
    if (state !== 'open') throw new ServiceError(`cannot write ${address}: it was closed before`)
  }

  return {
    get written() {
      return written
    },
    async write(bytes) {
      checkOpen()
      await parts.add(bytes)
      size += bytes.length
    },
    async finish() {
      checkOpen()
      await parts.end()
      state = 'finished'
    },
    async publish() {
      if (state !== 'finished') throw new Error(`${address} is published before it was finished`)
      const published = await upload.complete(!overwrite)
      if (published === 'taken') throw alreadyThere(address)
      state = 'ended'
      written = { size, etag: published.etag && plainEtag(published.etag) }
    },
    async close() {
      if (state === 'ended') return
      state = 'ended'
      await parts.drop()
      // parts that cannot be removed are seen by nobody, and the bucket's rules remove them
      await upload.abort().catch(() => undefined)
    },
  }
}

/** Cuts bytes into parts of one size, which are sent while the next ones come. */
function createPartQueue(send: (number: number, bytes: Uint8Array, signal: AbortSignal) => Promise<void>) {
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
    const sending = send(number, bytes, leaving.signal)
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => underWay.delete(sending))
    underWay.add(sending)
  }

  async function untilAtMost(most: number): Promise<void> {
    while (underWay.size > most && !failure) await Promise.race(underWay)
    if (failure) throw failure.error
  }

  return {
    /** Waits while too many parts are under way; throws what went wrong with an earlier one. */
    async add(bytes: Uint8Array): Promise<void> {
      for (let from = 0; from < bytes.length;) {
        const piece = bytes.subarray(from, from + partBytes - heldBytes)
        // the caller may reuse its memory
        held.push(Buffer.from(piece))
        heldBytes += piece.length
        from += piece.length
        if (heldBytes < partBytes) continue
        await untilAtMost(partsUnderWay - 1)
        sendHeld()
      }
      if (failure) throw failure.error
    },
    /** Sends the rest and waits for all. */
    async end(): Promise<void> {
      if (heldBytes > 0) sendHeld()
      await untilAtMost(0)
    },
    /** Aborts what is under way; harmless twice. */
    async drop(): Promise<void> {
      leaving.abort()
      held = []
      await Promise.all(underWay)
    },
  }
}

/** As its store names the version; null where it does not. */
interface PublishedObject {
  readonly etag: string | null
}

/** Begins a multipart upload. It is refused at once where the bucket does not exist or may not be written to. */
async function startUpload(bucket: S3Bucket, key: string) {
  const { name, client } = bucket
  const sdk = await import('@aws-sdk/client-s3')
  const place = { Bucket: name, Key: key }
  const parts: { readonly etag: string | undefined; readonly md5: Buffer }[] = []
  const attempt = <T>(work: () => Promise<T>, options: { signal?: AbortSignal; retries?: number } = {}): Promise<T> =>
    patiently(() => bucket.attempt(key, work), { hint, ...options })
  const { UploadId } = await attempt(() => client.send(new sdk.CreateMultipartUploadCommand(place)))
  const upload = { ...place, UploadId }
  const removeParts = () => client.send(new sdk.AbortMultipartUploadCommand(upload))

  async function send(isNew: boolean): Promise<PublishedObject> {
    const condition = isNew ? { IfNoneMatch: '*' } : {}
    const MultipartUpload = { Parts: parts.map(({ etag }, index) => ({ PartNumber: index + 1, ETag: etag })) }
    const empty = { ...place, Body: new Uint8Array(0) }
    // an empty object has no parts
    const { ETag } =
      parts.length === 0
        ? await client.send(new sdk.PutObjectCommand({ ...empty, ...condition }))
        : await client.send(new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload, ...condition }))
    return { etag: ETag || null }
  }

  /** The ETag of what was sent, where the store makes it of MD5 sums. */
  function expectedEtag(): string {
    const sum = createHash('md5')
    for (const { md5 } of parts) sum.update(md5)
    return `"${sum.digest('hex')}${parts.length === 0 ? '' : `-${parts.length}`}"`
  }

  /** What a refusal of the last request means: something else has the name, or our object is there; throws any other. */
  async function afterRefusal(error: unknown): Promise<PublishedObject | 'taken'> {
    // 501: the store has no conditional writes; then we look as late as possible
    const isUnconditional = statusOf(error) === 501
    const isGone = error instanceof Error && error.name === 'NoSuchUpload'
    if (!isUnconditional && !isGone && !isConflict(error)) throw error
    const there = await client.send(new sdk.HeadObjectCommand(place)).catch(() => undefined)
    // an answer can be lost: the retry then finds our own object
    if (there?.ETag === expectedEtag()) return { etag: there.ETag }
    if (isConflict(error) || (isUnconditional && there)) return 'taken'
    if (isGone) throw error
    return send(false)
  }

  return {
    /** @param number from 1 on; all parts but the last have one size, of at least 5 MiB */
    async sendPart(number: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
      const md5 = createHash('md5').update(bytes).digest()
      const part = { ...upload, PartNumber: number, Body: bytes, ContentMD5: md5.toString('base64') }
      const sending = () => client.send(new sdk.UploadPartCommand(part), { abortSignal: signal })
      parts[number - 1] = { etag: (await attempt(sending, { signal })).ETag, md5 }
    },
    /**
     * Makes the object appear, whole.
     *
     * @param isNew only where nothing has the name
     * @returns 'taken' where something has
     */
    complete: (isNew: boolean): Promise<PublishedObject | 'taken'> =>
      attempt(async () => {
        const published = await send(isNew).catch(afterRefusal)
        if (published !== 'taken' && parts.length === 0) await removeParts()
        return published
      }),
    abort: () => attempt(removeParts, { retries: 1 }),
  }
}
