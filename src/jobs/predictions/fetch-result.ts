// An object of a bucket that holds results or labels → a temporary file: DuckDB reads files only.
import { rename } from 'node:fs/promises'
import { DataError } from '../../errors.ts'
import { fetchObject } from '../../connectors/s3/fetch-object.ts'
import { bucketToRead } from '../../connectors/s3/open-buckets.ts'
import { patiently } from '../../transfer/patiently.ts'
import { inputFormatOf } from '../../connectors/address.ts'
import { s3Place } from '../../connectors/s3/s3-specs.ts'

const hint = 'Is the service up, and the endpoint (AWS_ENDPOINT_URL) right?'

/**
 * Fetches one object as it is now. The folder of the temporary file goes with the process.
 *
 * @returns the file's path
 * @throws UsageError for an address that is none; DataError where nothing is there; ServiceError
 */
export async function fetchResult(address: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const place = s3Place(address, environment)
  const bucket = await bucketToRead(place)
  const seen = await patiently(() => bucket.stat(place.key), { hint })
  if (!seen) throw new DataError(`${address}: there is no such object`)
  const object = await fetchObject({ address, place, size: seen.size, etag: seen.etag })
  // the name says whether the text is compressed
  const path = `${object.path}${inputFormatOf(address)?.suffix.toLowerCase() ?? ''}`
  await rename(object.path, path)
  return path
}
