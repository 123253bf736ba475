// An object in parts: everything but its appearing is done before it is published.
import { createHash } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import type { S3Address } from './address.ts'
import { s3Failure } from './client.ts'

/** Parts that were sent, and nobody sees yet. Errors are those of S3Bucket. */
export interface S3Upload {
  /** @param number from 1 on; all parts but the last have one size, of at least 5 MiB */
  sendPart(number: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  /**
   * Makes it appear, whole.
   *
   * @param isNew only where nothing has the name
   * @returns 'taken' where something has
   */
  complete(isNew: boolean): Promise<'published' | 'taken'>
  /** Gives the parts back. */
  abort(): Promise<void>
}

interface SentPart {
  readonly etag: string | undefined
  readonly md5: Buffer
}

/** Begins an upload, which is refused at once where the bucket is not there or may not be written to. */
export async function startS3Upload(client: S3Client, { bucket, key }: S3Address): Promise<S3Upload> {
  const sdk = await import('@aws-sdk/client-s3')
  const place = { Bucket: bucket, Key: key }
  const parts = new Map<number, SentPart>()
  const attempt = <T>(work: () => Promise<T>): Promise<T> =>
    work().catch((error: unknown) => {
      throw s3Failure(error, `s3://${bucket}/${key}`)
    })
  const { UploadId } = await attempt(() => client.send(new sdk.CreateMultipartUploadCommand(place)))
  const upload = { ...place, UploadId }
  const send = (isNew: boolean): Promise<unknown> => {
    const condition = isNew ? { IfNoneMatch: '*' } : {}
    // an object of no bytes has no parts
    if (parts.size === 0)
      return client.send(new sdk.PutObjectCommand({ ...place, Body: new Uint8Array(0), ...condition }))
    const numbers = [...parts.keys()].sort((a, b) => a - b)
    const Parts = numbers.map((PartNumber) => ({ PartNumber, ETag: parts.get(PartNumber)!.etag }))
    const MultipartUpload = { Parts }
    return client.send(new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload, ...condition }))
  }

  /** Whether what has the name is what we sent: an answer can be lost, and the repetition then finds our own object. */
  async function hasAppeared(): Promise<boolean> {
    const there = await client.send(new sdk.HeadObjectCommand(place)).catch(() => undefined)
    return there?.ETag === etagOf(parts)
  }

  async function abort(): Promise<void> {
    await attempt(() => client.send(new sdk.AbortMultipartUploadCommand(upload)))
  }

  return {
    async sendPart(number, bytes, signal) {
      const md5 = createHash('md5').update(bytes).digest()
      const part = { ...upload, PartNumber: number, Body: bytes, ContentMD5: md5.toString('base64') }
      const { ETag } = await attempt(() => client.send(new sdk.UploadPartCommand(part), { abortSignal: signal }))
      parts.set(number, { etag: ETag, md5 })
    },
    async complete(isNew) {
      try {
        await send(isNew)
      } catch (error) {
        const refusal = refusalOf(error)
        if (refusal === undefined) throw s3Failure(error, `s3://${bucket}/${key}`)
        if (refusal === 'no conditions') return await completeUnconditionally()
        if (!(await hasAppeared())) {
          if (refusal === 'taken') return 'taken'
          throw s3Failure(error, `s3://${bucket}/${key}`)
        }
      }
      if (parts.size === 0) await abort()
      return 'published'
    },
    abort,
  }

  /** For stores without conditional writes: looked for as late as can be. */
  async function completeUnconditionally(): Promise<'published' | 'taken'> {
    const there = await client.send(new sdk.HeadObjectCommand(place)).catch(() => undefined)
    if (there !== undefined) return there.ETag === etagOf(parts) ? 'published' : 'taken'
    await attempt(() => send(false))
    if (parts.size === 0) await abort()
    return 'published'
  }
}

/** The ETag of an object that was sent in these parts, where the store makes it of MD5 sums. */
function etagOf(parts: ReadonlyMap<number, SentPart>): string {
  const numbers = [...parts.keys()].sort((a, b) => a - b)
  const sum = createHash('md5')
  for (const number of numbers) sum.update(parts.get(number)!.md5)
  return `"${sum.digest('hex')}${numbers.length === 0 ? '' : `-${numbers.length}`}"`
}

function refusalOf(error: unknown): 'taken' | 'gone' | 'no conditions' | undefined {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }
  const status = $metadata?.httpStatusCode
  if (status === 412 || status === 409) return 'taken'
  if (name === 'NoSuchUpload') return 'gone'
  return status === 501 ? 'no conditions' : undefined
}
