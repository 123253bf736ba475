// The client of the AWS SDK, loaded when the first s3 address is opened, and its errors in our words.
import type { S3Client } from '@aws-sdk/client-s3'
import { LcclfError, messageOf, ServiceError } from '../../errors.ts'
import { checkScheme, type HttpPolicy } from '../../transfer/http-reader.ts'
import type { S3Settings } from './address.ts'
import { passingFailure, TransientError } from '../../transfer/transient-error.ts'

/** How a bucket is asked. */
export interface S3ClientOptions extends HttpPolicy {
  readonly settings: S3Settings
  /** without credentials: refuse (writing) instead of asking anonymously (reading) */
  readonly needsCredentials: boolean
}

const connectMs = 10_000
/** A socket that is silent for so long is given up. */
const idleMs = 30_000
const maxAttempts = 4

/**
 * Opens a client. Credentials, profile, role and region come from the SDK's own chain. Without a region anywhere:
 * us-east-1, and the SDK follows the bucket to another one.
 *
 * @throws UsageError for an http endpoint elsewhere that was not allowed; ServiceError where credentials are needed and
 *   there are none
 */
export async function openS3Client(options: S3ClientOptions): Promise<S3Client> {
  const { settings, needsCredentials } = options
  const { endpoint } = settings
  if (endpoint !== undefined && URL.canParse(endpoint)) checkScheme(new URL(endpoint), options)
  // otherwise the SDK tells our users, on stderr, which Node its authors will require next year
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
  const { S3Client: Client } = await import('@aws-sdk/client-s3')
  const { isVirtualHosted = endpoint === undefined } = settings
  const configuration = {
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: !isVirtualHosted,
    followRegionRedirects: true,
    maxAttempts,
    // other stores than Amazon's do not all know the newer checksums
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: connectMs, requestTimeout: idleMs, socketTimeout: idleMs },
  } as const
  const client = new Client(configuration)
  const region = await client.config.region().catch(() => 'us-east-1')
  const isKnown = !settings.isAnonymous && (await hasCredentials(client))
  client.destroy()
  if (isKnown) return new Client({ ...configuration, region })
  if (needsCredentials) {
    const hint = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or use a role of this machine.'
    throw new ServiceError('s3: no credentials for writing', { hint })
  }
  // the SDK wants an identity even where nothing is signed
  return new Client({
    ...configuration,
    region,
    credentials: { accessKeyId: '', secretAccessKey: '' },
    signer: { sign: (request) => Promise.resolve(request) },
  })
}

async function hasCredentials(client: S3Client): Promise<boolean> {
  try {
    await client.config.credentials()
    return true
  } catch (error) {
    // a broken profile, or a role that is refused, must not silently become anonymous access
    const isNone = error instanceof Error && error.name === 'CredentialsProviderError'
    if (isNone && /Could not load credentials/.test(error.message)) return false
    throw new ServiceError(`s3: no credentials (${messageOf(error)})`, {
      cause: error,
      hint: 'A profile or role is named but cannot be used. AWS_SKIP_SIGNATURE=true asks without credentials.',
    })
  }
}

const hints = new Map([
  ['NoSuchBucket', 'There is no such bucket. Check the endpoint (AWS_ENDPOINT_URL).'],
  ['AccessDenied', 'The credentials do not allow this; without ListBucket, missing objects are refused too.'],
  ['InvalidAccessKeyId', 'The service does not know this AWS_ACCESS_KEY_ID.'],
  ['SignatureDoesNotMatch', 'AWS_SECRET_ACCESS_KEY is wrong.'],
  ['ExpiredToken', 'The credentials have expired.'],
  ['InvalidToken', 'AWS_SESSION_TOKEN does not belong to the other credentials.'],
  ['RequestTimeTooSkewed', 'The clock of this machine, or of the service, is wrong.'],
  ['PermanentRedirect', 'The bucket is in another region: set AWS_REGION.'],
])

/** The HTTP status of what the SDK throws. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode
}

/**
 * What the AWS SDK throws → our errors: what may pass, and what will not, with advice.
 *
 * @param where the object, for the message
 */
export function s3Failure(error: unknown, where: string): Error {
  if (error instanceof LcclfError || error instanceof TransientError) return error
  if (error instanceof Error && error.name === 'AbortError') return error
  const { name } = error as { name?: string }
  const status = statusOf(error)
  const passing = passingFailure(error) ?? (name === 'TimeoutError' ? 'no answer in time' : undefined)
  if (passing !== undefined) return new TransientError(`${where}: ${passing}`, { cause: error })
  if (status !== undefined && (status >= 500 || status === 429)) {
    return new TransientError(`${where}: the service answers ${status} ${name}`, { cause: error })
  }
  const answer = status === undefined ? messageOf(error) : `${status} ${name}`
  const usual = status === 403 ? hints.get('AccessDenied') : 'Check the address and the endpoint (AWS_ENDPOINT_URL).'
  return new ServiceError(`${where}: refused (${answer})`, { cause: error, hint: hints.get(name ?? '') ?? usual })
}
