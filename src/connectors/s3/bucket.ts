// A bucket: list its objects, look at one, read a range, write a small one, remove one.
import type { Readable } from 'node:stream'
import { ServiceError } from '../../errors.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { parseS3Address, type S3Place, type SeenObject } from './address.ts'
import { openS3Client, type S3ClientOptions, s3Failure, statusOf } from './client.ts'

/** What a listing says of an object. */
export type S3Entry = Pick<SeenObject, 'size' | 'etag'> & { readonly key: string }
export type S3Bucket = Awaited<ReturnType<typeof openS3Bucket>>

/**
 * Opens a bucket. The SDK is loaded here, and nowhere before. Every call throws ServiceError, after the SDK's own
 * retries, for what the service refuses, and TransientError for what may succeed the next time; neither tells a secret.
 */
export async function openS3Bucket(name: string, options: S3ClientOptions) {
  const client = await openS3Client(options)
  const sdk = await import('@aws-sdk/client-s3')
  /** throws what the SDK throws in our words; the key is for the message */
  const attempt = <T>(key: string, work: () => Promise<T>): Promise<T> =>
    work().catch((error: unknown) => {
      throw s3Failure(error, `s3://${name}/${key}`)
    })
  return {
    name,
    client,
    attempt,
    /** everything whose key begins with `prefix`, in the order of keys */
    async *list(prefix: string): AsyncGenerator<S3Entry> {
      let token: string | undefined
      do {
        const command = new sdk.ListObjectsV2Command({ Bucket: name, Prefix: prefix, ContinuationToken: token })
        const page = await attempt(prefix, () => client.send(command))
        for (const { Key, Size, ETag } of page.Contents ?? []) {
          if (Key !== undefined) yield { key: Key, size: Size ?? 0, etag: ETag || null }
        }
        const next = page.IsTruncated === true ? page.NextContinuationToken : undefined
        if (next !== undefined && next === token)
          throw new ServiceError(`s3://${name}/${prefix}: the listing has no end`)
        token = next
      } while (token !== undefined)
    },
    /** undefined where there is no such object */
    async stat(key: string): Promise<S3Entry | undefined> {
      const command = new sdk.HeadObjectCommand({ Bucket: name, Key: key })
      // a refusal without a body gives no reason; the refusal of one byte does
      const reason = new sdk.GetObjectCommand({ Bucket: name, Key: key, Range: 'bytes=0-0' })
      const whyRefused = async (error: unknown): Promise<never> => {
        if (statusOf(error) === 403) await client.send(reason)
        throw error
      }
      const found = await attempt(key, () => unlessAbsent(client.send(command).catch(whyRefused)))
      return found && { key, size: found.ContentLength ?? 0, etag: found.ETag || null }
    },
    /**
     * Reads an object or a part of it.
     *
     * @param range.from the first byte wanted
     * @param range.to the last, to the end where undefined
     * @param range.etag of the version that is wanted
     * @returns undefined where there is no such object; 'changed' where it is another version
     */
    async read(
      key: string,
      range: { from?: number; to?: number; etag?: string | null; signal?: AbortSignal | undefined } = {},
    ) {
      const { from = 0, to, etag, signal } = range
      const isPart = from > 0 || to !== undefined
      const command = new sdk.GetObjectCommand({
        Bucket: name,
        Key: key,
        Range: isPart ? `bytes=${from}-${to ?? ''}` : undefined,
        IfMatch: etag ?? undefined,
      })
      const found = await attempt(key, () =>
        unlessAbsent(client.send(command, signal ? { abortSignal: signal } : {})).catch((error: unknown) => {
          // the version that is wanted would have such bytes
          const isShorter = statusOf(error) === 416 && from > 0 && typeof etag === 'string'
          if (isShorter || isConflict(error)) return 'changed' as const
          throw error
        }),
      )
      if (found === undefined || found === 'changed') return found
      const { Body, ContentLength = 0, ContentRange, ETag = null, ServerSideEncryption: kind = '' } = found
      const total = /\/(\d+)$/.exec(ContentRange ?? '')?.[1]
      const isEncrypted = kind.startsWith('aws:kms') || found.SSECustomerAlgorithm !== undefined
      return {
        /** where `body` begins; a server that does not support ranges sends the whole object */
        from: isPart && total !== undefined ? from : 0,
        /** bytes of the whole object */
        size: total === undefined ? ContentLength : Number(total),
        etag: ETag,
        /** of the whole object, where its ETag is one */
        md5: isEncrypted ? null : (/^"([0-9a-f]{32})"$/.exec(ETag ?? '')?.[1] ?? null),
        body: Body as Readable,
      }
    },
    /**
     * Writes a small object in one request.
     *
     * @param options.ifEtag only over this version; null: only where nothing is there yet
     * @returns its ETag, or 'changed' where `ifEtag` did not hold
     */
    async write(
      key: string,
      content: Uint8Array,
      { contentType, ifEtag }: { contentType?: string; ifEtag?: string | null } = {},
    ): Promise<string | null | 'changed'> {
      const condition = ifEtag === undefined ? {} : ifEtag === null ? { IfNoneMatch: '*' } : { IfMatch: ifEtag }
      const object = { Bucket: name, Key: key, Body: content, ContentType: contentType, ...condition }
      try {
        return (await client.send(new sdk.PutObjectCommand(object))).ETag ?? null
      } catch (error) {
        if (isConflict(error)) return 'changed'
        throw s3Failure(error, `s3://${name}/${key}`)
      }
    },
    async remove(key: string): Promise<void> {
      await attempt(key, () => client.send(new sdk.DeleteObjectCommand({ Bucket: name, Key: key })))
    },
    close: () => client.destroy(),
  }
}

/** Whether a condition on the object's version was not met. */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 412 || statusOf(error) === 409
}

async function unlessAbsent<T>(sending: Promise<T>): Promise<T | undefined> {
  return sending.catch((error: unknown) => {
    const isBucket = error instanceof Error && error.name === 'NoSuchBucket'
    if (statusOf(error) === 404 && !isBucket) return undefined
    throw error
  })
}

const opened = new Map<string, Promise<S3Bucket>>()

/**
 * One client for each bucket of a run, however many objects it reads and writes: on some machines looking for credentials
 * takes requests of its own, and connections are reused.
 */
function openOnce({ bucket, settings }: S3Place, needsCredentials: boolean): Promise<S3Bucket> {
  const name = JSON.stringify([bucket, settings, needsCredentials])
  const known = opened.get(name)
  if (known) return known
  // the user named the endpoint, as one names a broker: it may be plain http
  const opening = openS3Bucket(bucket, { settings, needsCredentials, allowHttp: true })
  opened.set(name, opening)
  opening.catch(() => opened.delete(name))
  return opening
}

/** The bucket for reading; anonymously without credentials. @throws ServiceError for credentials that cannot be used */
export function bucketToRead(place: S3Place): Promise<S3Bucket> {
  return openOnce(place, false)
}

/** The bucket for writing. @throws ServiceError without credentials */
export function bucketToWrite(place: S3Place): Promise<S3Bucket> {
  return openOnce(place, true)
}

/** Reads below a prefix, or the one object that the address names. */
export async function s3Reader(address: string, options: S3ClientOptions): Promise<ObjectReader> {
  const { bucket: name, key: prefix } = parseS3Address(address)
  const bucket = await openS3Bucket(name, options)
  return {
    address,
    nameOf: (object) => `s3://${name}/${prefix}${object}`,
    async open(object, { from, etag, signal }) {
      const key = `${prefix}${object}`
      try {
        const found = await bucket.read(key, from > 0 && etag !== null ? { from, etag, signal } : { signal })
        const current = found === 'changed' ? await bucket.read(key, { signal }) : found
        if (current === undefined || current === 'changed') return { kind: 'absent', why: 'not found (404)' }
        return { kind: 'object', ...current }
      } catch (error) {
        // without the right to list a bucket, missing objects are refused too; a wrong key or secret is another error
        const isDenied =
          error instanceof ServiceError && error.cause instanceof Error && error.cause.name === 'AccessDenied'
        if (isDenied) return { kind: 'absent', why: 'the service refuses it (403)' }
        throw error
      }
    },
    close: bucket.close,
  }
}
