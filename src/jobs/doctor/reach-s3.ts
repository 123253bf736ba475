// Whether S3 answers us, and what its clock says. Nothing is written, and nothing of what is read is kept.
import type { S3Client } from '@aws-sdk/client-s3'
import type { S3Address } from '../../connectors/s3/address.ts'
import { openS3Client, type S3ClientOptions } from '../../connectors/s3/client.ts'
import { s3Failure } from '../../connectors/s3/s3-failure.ts'

/** What was reached. */
export interface S3Reach {
  /** the Date of the answer, in milliseconds since 1970; null where it has none */
  readonly serverTime: number | null
  /** objects below the key: at least one, or none; null where no bucket was named, or its content may not be listed */
  readonly hasObjects: boolean | null
  readonly isAnonymous: boolean
}

/**
 * Lists one key of a bucket, or without a bucket asks for the buckets, which the credentials need not be allowed.
 *
 * @throws ServiceError, or TransientError where no answer came
 */
export async function reachS3(
  address: S3Address | undefined,
  options: S3ClientOptions,
  signal: AbortSignal,
): Promise<S3Reach> {
  const client = await openS3Client(options)
  const sdk = await import('@aws-sdk/client-s3')
  const where = address === undefined ? 's3' : `s3://${address.bucket}/${address.key}`
  const isAnonymous = (await client.config.credentials()).accessKeyId === ''
  const date = watchDate(client)
  const reach = (hasObjects: boolean | null): S3Reach => ({ serverTime: date(), hasObjects, isAnonymous })
  try {
    if (address === undefined) {
      await client.send(new sdk.ListBucketsCommand({}), { abortSignal: signal })
      return reach(null)
    }
    const listing = new sdk.ListObjectsV2Command({ Bucket: address.bucket, Prefix: address.key, MaxKeys: 1 })
    const { Contents = [] } = await client.send(listing, { abortSignal: signal })
    return reach(Contents.length > 0)
  } catch (error) {
    // who we are was accepted; that all buckets may be listed is rare
    if (address === undefined && error instanceof Error && error.name === 'AccessDenied') return reach(null)
    throw s3Failure(error, where)
  } finally {
    client.destroy()
  }
}

/** Remembers the Date header of answers. */
function watchDate(client: S3Client): () => number | null {
  let seen: number | null = null
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as { headers?: Record<string, string> }
      const time = Date.parse(headers?.['date'] ?? '')
      if (Number.isFinite(time)) seen = time
      return result
    },
    { step: 'deserialize', name: 'lcclfWatchDate' },
  )
  return () => seen
}
