// The buckets of a run: one client for each, however many objects it reads and writes.
import { openS3Bucket, type S3Bucket } from './bucket.ts'
import type { S3Place } from './address.ts'

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
