// What the AWS SDK throws → our errors: what may pass, and what will not, with a word of help.
import { LcclfError, messageOf, ServiceError } from '../../errors.ts'
import { passingFailure, TransientError } from '../../transfer/transient-error.ts'

const hints = new Map([
  ['NoSuchBucket', 'There is no such bucket. Is the endpoint right (AWS_ENDPOINT_URL)?'],
  ['AccessDenied', 'The credentials may not do this; without ListBucket, what is not there is refused too.'],
  ['InvalidAccessKeyId', 'AWS_ACCESS_KEY_ID is not known there.'],
  ['SignatureDoesNotMatch', 'AWS_SECRET_ACCESS_KEY is not the right one.'],
  ['ExpiredToken', 'The credentials have expired.'],
  ['InvalidToken', 'AWS_SESSION_TOKEN does not belong to the other credentials.'],
  ['RequestTimeTooSkewed', 'The clock of this machine is wrong, or the service’s.'],
  ['PermanentRedirect', 'The bucket is in another region: AWS_REGION.'],
])

/** @param where the object, for the message */
export function s3Failure(error: unknown, where: string): Error {
  if (error instanceof LcclfError || error instanceof TransientError) return error
  if (error instanceof Error && error.name === 'AbortError') return error
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } }
  const status = $metadata?.httpStatusCode
  const passing = passingFailure(error) ?? (name === 'TimeoutError' ? 'no answer in time' : undefined)
  if (passing !== undefined) return new TransientError(`${where}: ${passing}`, { cause: error })
  if (status !== undefined && (status >= 500 || status === 429)) {
    return new TransientError(`${where}: the service answers ${status} ${name}`, { cause: error })
  }
  const answer = status === undefined ? messageOf(error) : `${status} ${name}`
  const hint = hints.get(name ?? '') ?? (status === 403 ? hints.get('AccessDenied') : undefined)
  return new ServiceError(`${where}: refused (${answer})`, {
    cause: error,
    hint: hint ?? 'Is the address right, and the endpoint (AWS_ENDPOINT_URL)?',
  })
}
