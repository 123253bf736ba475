// S3: credentials, endpoint, and the bucket if one is named.
import type { S3Client } from '@aws-sdk/client-s3'
import { messageOf } from '../../errors.ts'
import { parseS3Address, type S3Address, s3Settings } from '../../connectors/s3/address.ts'
import { TransientError } from '../../transfer/transient-error.ts'
import { type Check, type Finding, readingOf } from './check.ts'
import { openS3Client, type S3ClientOptions, s3Failure } from '../../connectors/s3/client.ts'

type Environment = Readonly<Record<string, string | undefined>>

const name = 's3'

/** any of these says that somebody means to use S3 */
const variables = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
]

/** Whether the environment has settings for S3. */
export function isS3Configured(environment: Environment): boolean {
  return variables.some((variable) => (environment[variable] ?? '') !== '')
}

/** @param address `s3://bucket/key`; undefined: the settings alone */
export function s3Check(address: string | undefined, environment: Environment): Check {
  return {
    name,
    about: address,
    async look({ signal, tellClock }): Promise<Finding[]> {
      const settings = s3Settings(environment)
      const place = address ?? settings.endpoint ?? 'the settings (AWS_…)'
      const sent = Date.now()
      try {
        // nothing but a question is sent, and plain http within a cluster is no failure
        const options = { settings, needsCredentials: false, allowHttp: true }
        const parsed = address === undefined ? undefined : parseS3Address(address)
        const { serverTime, hasObjects, isAnonymous } = await reachS3(parsed, options, signal)
        const received = Date.now()
        // the header has whole seconds
        if (serverTime !== null) tellClock(readingOf('S3', serverTime + 500, sent, received))
        const who = isAnonymous ? 'without credentials' : 'with credentials'
        const content = hasObjects === null ? '' : hasObjects ? ', objects are there' : ', nothing is there yet'
        return [{ name, status: 'ok', message: `${place} answers, ${who}${content}` }]
      } catch (error) {
        if (!(error instanceof TransientError)) throw error
        const hint = 'Is the endpoint right (AWS_ENDPOINT_URL), and reachable from here?'
        return [{ name, status: 'failed', message: messageOf(error), hint }]
      }
    },
  }
}

// Whether S3 answers us, and what its clock says. Nothing is written, and nothing of what is read is kept.

/** What was reached. */
interface S3Reach {
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
async function reachS3(
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
