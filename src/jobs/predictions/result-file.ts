// An address of results or labels on the command line → a file or a table to read.
import { existsSync, statSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { DataError, UsageError } from '../../errors.ts'
import { isPostgresAddress, postgresResultsSpec } from '../../connectors/postgres/address.ts'
import type { PostgresResultsSpec } from '../../connectors/postgres/settings.ts'
import type { FileSpec } from './relation.ts'
import { redacted } from '../../formats/shown-text.ts'
import { inputFormatOf } from '../../connectors/address.ts'
import { isS3Address, s3Place } from '../../connectors/s3/address.ts'
import { fetchObject } from '../../connectors/s3/s3-source.ts'
import { bucketToRead } from '../../connectors/s3/bucket.ts'
import { patiently } from '../../transfer/transient-error.ts'

const versionQuery = '?classifier_version='
const suffixes = '.parquet .csv .tsv .ndjson .arrow .feather, text also as .gz'

/**
 * A file as in resultFile, or `postgres://…?classifier_version=V`: the table `probability`, or another with `table=`.
 *
 * @throws UsageError for what is neither; DataError for a file that is not there; ServiceError
 */
export async function resultAddress(
  address: string,
): Promise<{ results: FileSpec | PostgresResultsSpec; classifierVersion: string | undefined }> {
  if (!isPostgresAddress(address)) {
    const { file, classifierVersion } = await resultFile(address)
    return { results: file, classifierVersion }
  }
  const spec = postgresResultsSpec(address, process.env)
  return { results: spec, classifierVersion: spec.results.classifierVersion }
}

/**
 * `night.parquet`, or `night.parquet?classifier_version=V` where a file has the results of several models; an object of a
 * bucket is fetched into a temporary file.
 *
 * @throws UsageError for what is no file with a known suffix; DataError for one that is not there; ServiceError
 */
export async function resultFile(address: string): Promise<{ file: FileSpec; classifierVersion: string | undefined }> {
  const at = address.lastIndexOf(versionQuery)
  const isQuery = at > 0 && !existsSync(address)
  const path = isQuery ? address.slice(0, at) : address
  refuseOthers(path)
  const classifierVersion = isQuery ? address.slice(at + versionQuery.length) : undefined
  if (isS3Address(path)) {
    return { file: { kind: 'file', address, path: await fetchResult(path), format: formatOf(path) }, classifierVersion }
  }
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) throw new DataError(`${address}: there is no such file`)
  if (stats.isDirectory()) throw new UsageError(`${address} is a folder; one file is needed`)
  return { file: { kind: 'file', address, path, format: formatOf(path) }, classifierVersion }
}

function refuseOthers(path: string): void {
  const hint = `Give one file (${suffixes}), local or in S3 (s3://bucket/key); results may also come from postgres://…. Folders and stdin are not supported.`
  if (path === '-') throw new UsageError('-: results and labels cannot be read from stdin', { hint })
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[1]?.toLowerCase()
  if (scheme === undefined) return
  if (scheme !== 's3') throw new UsageError(`${redacted(path)}: ${scheme}:// is not supported here`, { hint })
  if (path.endsWith('/')) throw new UsageError(`${path} is a prefix; one object is needed`, { hint })
  formatOf(path)
}

function formatOf(path: string): FileSpec['format'] {
  const format = inputFormatOf(path)?.format
  if (format !== undefined && format !== 'avro') return format
  throw new UsageError(`${path}: the format cannot be told from the name`, { hint: `Supported are ${suffixes}.` })
}

// An object of a bucket that holds results or labels → a temporary file: DuckDB reads files only.

const hint = 'Check that the service is running and that the endpoint (AWS_ENDPOINT_URL) is right.'

/**
 * Fetches one object as it is now. The folder of the temporary file goes with the process.
 *
 * @returns the file's path
 * @throws UsageError for an address that is none; DataError where nothing is there; ServiceError
 */
async function fetchResult(address: string): Promise<string> {
  const place = s3Place(address, process.env)
  const bucket = await bucketToRead(place)
  const seen = await patiently(() => bucket.stat(place.key), { hint })
  if (!seen) throw new DataError(`${address}: there is no such object`)
  const object = await fetchObject({ address, place, size: seen.size, etag: seen.etag })
  // the name says whether the text is compressed
  const path = `${object.path}${inputFormatOf(address)?.suffix.toLowerCase() ?? ''}`
  await rename(object.path, path)
  return path
}
