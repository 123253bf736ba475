// A bucket and what can be done with it: list, look, read a range, write something that appears whole or not at all.
import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { openS3Client, type S3ClientOptions, s3Failure } from './client.ts'
import { type S3Upload, startS3Upload } from './upload.ts'
import type { S3Place } from './address.ts'

/** What a listing says of an object. */
export interface S3Entry {
  readonly key: string
  readonly size: number
  readonly etag: string | null
  /** milliseconds since 1970 */
  readonly mtime: number
}

/** An object that is being read. */
interface S3Body {
  /** where `body` begins */
  readonly from: number
  /** bytes of the whole object */
  readonly size: number
  readonly etag: string | null
  /** of the whole object, where its ETag is one */
  readonly md5: string | null
  readonly body: Readable
}

/** When a write may happen. */
interface S3WriteOptions {
  readonly signal?: AbortSignal | undefined
  readonly contentType?: string
  /** only over this version; null: only where nothing is there yet */
  readonly ifEtag?: string | null
}

/**
 * One bucket. Every call throws ServiceError, after the SDK's own repetitions, for what the service refuses, and
 * TransientError for what may go better the next time; neither says a secret.
 */
export interface S3Bucket {
  readonly name: string
  /** everything whose key begins with `prefix`, in the order of keys */
  list(prefix: string, signal?: AbortSignal): AsyncGenerator<S3Entry>
  /** undefined where there is no such object */
  stat(key: string): Promise<S3Entry | undefined>
  /**
   * @param from the first byte wanted
   * @param to the last, to the end where undefined
   * @param etag of the version that is wanted
   * @returns undefined where there is no such object; 'changed' where it is another version
   */
  read(
    key: string,
    range: { from?: number; to?: number; etag?: string | null; signal?: AbortSignal | undefined },
  ): Promise<S3Body | 'changed' | undefined>
  /**
   * Writes an object: in one request if it is small, else in parts. It appears whole when the promise resolves; if
   * anything fails, or the signal comes, the parts are given back and nothing appears.
   *
   * @returns its ETag, or 'changed' where `ifEtag` did not hold
   */
  write(
    key: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options?: S3WriteOptions,
  ): Promise<string | null | 'changed'>
  /** Begins an object of many parts, which appears when it is completed. */
  startUpload(key: string): Promise<S3Upload>
  remove(key: string): Promise<void>
  close(): void
}

/** What one part of an upload holds in memory; two are under way at once. 10,000 of them are the largest object. */
const partBytes = 16 * 1024 * 1024
const partsAtOnce = 2

/** Opens a bucket. The SDK is loaded here, and nowhere before. */
export async function openS3Bucket(name: string, options: S3ClientOptions): Promise<S3Bucket> {
  const client = await openS3Client(options)
  const sdk = await import('@aws-sdk/client-s3')
  const where = (key: string): string => `s3://${name}/${key}`
  return {
    name,
    async *list(prefix, signal) {
      let token: string | undefined
      do {
        const command = new sdk.ListObjectsV2Command({ Bucket: name, Prefix: prefix, ContinuationToken: token })
        const page = await attempt(where(prefix), () => client.send(command, signal ? { abortSignal: signal } : {}))
        for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
          yield { key: Key!, size: Size ?? 0, etag: ETag || null, mtime: LastModified?.getTime() ?? 0 }
        }
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined
      } while (token !== undefined)
    },
    async stat(key) {
      const command = new sdk.HeadObjectCommand({ Bucket: name, Key: key })
      // an answer without a body does not say why it refuses; asking for a byte does
      const reason = new sdk.GetObjectCommand({ Bucket: name, Key: key, Range: 'bytes=0-0' })
      const whyRefused = async (error: unknown): Promise<never> => {
        if (statusOf(error) === 403) await client.send(reason)
        throw error
      }
      const found = await attempt(where(key), () => unlessAbsent(client.send(command).catch(whyRefused)))
      return found
        ? { key, size: found.ContentLength ?? 0, etag: found.ETag || null, mtime: found.LastModified?.getTime() ?? 0 }
        : undefined
    },
    async read(key, { from = 0, to, etag, signal }) {
      const isPart = from > 0 || to !== undefined
      const command = new sdk.GetObjectCommand({
        Bucket: name,
        Key: key,
        ...(isPart ? { Range: `bytes=${from}-${to ?? ''}` } : {}),
        ...(etag === undefined || etag === null ? {} : { IfMatch: etag }),
      })
      const sending = client.send(command, signal ? { abortSignal: signal } : {})
      // of the version that is wanted there would be such bytes
      const unlessShorter = (error: unknown): 'changed' => {
        if (statusOf(error) === 416 && from > 0 && typeof etag === 'string') return 'changed'
        throw error
      }
      const found = await attempt(where(key), () => unlessChanged(unlessAbsent(sending)).catch(unlessShorter))
      if (found === undefined || found === 'changed') return found
      const { Body, ContentLength = 0, ContentRange, ETag = null } = found
      const total = /\/(\d+)$/.exec(ContentRange ?? '')?.[1]
      const isEncrypted =
        found.ServerSideEncryption?.startsWith('aws:kms') === true || found.SSECustomerAlgorithm !== undefined
      return {
        // a server that knows no ranges sends the whole
        from: isPart && total !== undefined ? from : 0,
        size: total === undefined ? ContentLength : Number(total),
        etag: ETag,
        md5: isEncrypted ? null : (/^"([0-9a-f]{32})"$/.exec(ETag ?? '')?.[1] ?? null),
        body: Body as Readable,
      }
    },
    write: (key, content, options = {}) =>
      attempt(where(key), () => unlessChanged(upload(client, { bucket: name, key }, content, options))),
    startUpload: (key) => startS3Upload(client, { bucket: name, key }),
    async remove(key) {
      await attempt(where(key), () => client.send(new sdk.DeleteObjectCommand({ Bucket: name, Key: key })))
    },
    close: () => client.destroy(),
  }
}

async function upload(
  client: S3Client,
  place: { bucket: string; key: string },
  content: Uint8Array | AsyncIterable<Uint8Array>,
  { signal, contentType, ifEtag }: S3WriteOptions,
): Promise<string | null> {
  signal?.throwIfAborted()
  const { Upload } = await import('@aws-sdk/lib-storage')
  const condition = ifEtag === undefined ? {} : ifEtag === null ? { IfNoneMatch: '*' } : { IfMatch: ifEtag }
  const task = new Upload({
    client,
    partSize: partBytes,
    queueSize: partsAtOnce,
    leavePartsOnError: false,
    params: {
      Bucket: place.bucket,
      Key: place.key,
      Body:
        content instanceof Uint8Array ? content : Readable.from(untilAborted(content, signal), { objectMode: false }),
      ...(contentType === undefined ? {} : { ContentType: contentType }),
      ...condition,
    },
  })
  return (await task.done()).ETag ?? null
}

/**
 * A source that breaks when the signal comes. Upload's own abort() answers before the parts are given back, and lets a
 * small object appear all the same; a broken source does neither.
 */
async function* untilAborted(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    signal?.throwIfAborted()
    yield piece
  }
  signal?.throwIfAborted()
}

async function attempt<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw s3Failure(error, where)
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode
}

async function unlessAbsent<T>(sending: Promise<T>): Promise<T | undefined> {
  return sending.catch((error: unknown) => {
    const isBucket = error instanceof Error && error.name === 'NoSuchBucket'
    if (statusOf(error) === 404 && !isBucket) return undefined
    throw error
  })
}

async function unlessChanged<T>(sending: Promise<T>): Promise<T | 'changed'> {
  return sending.catch((error: unknown) => {
    if (statusOf(error) === 412 || statusOf(error) === 409) return 'changed' as const
    throw error
  })
}

// The buckets of a run: one client for each, however many objects it reads and writes.

const opened = new Map<string, Promise<S3Bucket>>()

/** Looking for credentials takes requests of its own on some machines, and connections are used again. */
function openOnce({ bucket, settings }: S3Place, needsCredentials: boolean): Promise<S3Bucket> {
  const name = JSON.stringify([bucket, settings, needsCredentials])
  const known = opened.get(name)
  if (known) return known
  // the endpoint is the user's own word, as a broker's address is: it may be plain http
  const opening = openS3Bucket(bucket, { settings, needsCredentials, allowHttp: true })
  opened.set(name, opening)
  opening.catch(() => opened.delete(name))
  return opening
}

/** The bucket for reading; without credentials as nobody. @throws ServiceError for credentials that cannot be used */
export function bucketToRead(place: S3Place): Promise<S3Bucket> {
  return openOnce(place, false)
}

/** The bucket for writing. @throws ServiceError without credentials */
export function bucketToWrite(place: S3Place): Promise<S3Bucket> {
  return openOnce(place, true)
}
