// An address of results or labels on the command line → a file or a table to read.
import { existsSync, statSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { DataError, UsageError } from '../../errors.ts'
import { isPostgresAddress, postgresResultsSpec } from '../../connectors/postgres/address.ts'
import type { PostgresResultsSpec } from '../../connectors/postgres/settings.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import type { SourceSpec } from '../../connectors/spec.ts'
import type { FileSpec, FilesSpec } from './relation.ts'
import { redacted } from '../../formats/shown-text.ts'
import { inputFormatOf } from '../../connectors/address.ts'
import { isS3Address, s3Place, type SeenObject } from '../../connectors/s3/address.ts'
import { fetchObject } from '../../connectors/s3/s3-source.ts'
import { bucketToRead } from '../../connectors/s3/bucket.ts'
import { patiently } from '../../transfer/transient-error.ts'

const versionQuery = '?classifier_version='
const suffixes = '.parquet .csv .tsv .ndjson .arrow .feather .fits .vot .xml, text, FITS and VOTable also as .gz'

/**
 * A file as in resultFile; a folder, a pattern or a prefix of a bucket, whose results are read as one; or
 * `postgres://…?classifier_version=V`: the table `probability`, or another with `table=`.
 *
 * @throws UsageError for what is none of these; DataError for what is not there, is empty, or has several formats;
 *   ServiceError
 */
export async function resultAddress(
  address: string,
): Promise<{ results: FilesSpec | PostgresResultsSpec; classifierVersion: string | undefined }> {
  if (isPostgresAddress(address)) {
    const spec = postgresResultsSpec(address, process.env)
    return { results: spec, classifierVersion: spec.results.classifierVersion }
  }
  const { path, classifierVersion } = divided(address)
  if (!isS3Address(path) && !mayBeSeveral(path)) {
    const { file } = await resultFile(address)
    return { results: { kind: 'files', address, files: [file] }, classifierVersion }
  }
  const onNote = (line: string): boolean => process.stderr.write(`${line}\n`)
  const inputs = await expandInputs([path], { environment: process.env, onNote })
  const specs = inputs.map(({ spec }) => spec)
  const lost = specs.find((spec) => spec.kind === 'unreadable')
  if (lost) throw lost.error
  const [first, ...others] = specs
  const odd = others.find((spec) => formatOf(spec.address) !== formatOf(first!.address))
  if (odd) {
    throw new DataError(`${path} holds files of several formats, such as ${first!.address} and ${odd.address}`, {
      hint: "Choose those of one format with a pattern in quotes, such as 'classified/**/*.parquet'.",
    })
  }
  const files: FileSpec[] = []
  for (const spec of specs) files.push(await resultOf(spec))
  return { results: { kind: 'files', address, files: files as [FileSpec, ...FileSpec[]] }, classifierVersion }
}

function mayBeSeveral(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats ? stats.isDirectory() : path !== '-' && !path.includes('://')
}

async function resultOf(spec: SourceSpec): Promise<FileSpec> {
  const { address } = spec
  if (spec.kind === 's3') return { kind: 'file', address, path: await fetchResult(spec), format: formatOf(address) }
  return spec as FileSpec
}

/**
 * `night.parquet`, or `night.parquet?classifier_version=V` where a file has the results of several models; an object of a
 * bucket is fetched into a temporary file.
 *
 * @throws UsageError for what is no file with a known suffix; DataError for one that is not there; ServiceError
 */
export async function resultFile(address: string): Promise<{ file: FileSpec; classifierVersion: string | undefined }> {
  const { path, classifierVersion } = divided(address)
  refuseOthers(path)
  if (isS3Address(path)) {
    const object = await statObject(path)
    return {
      file: { kind: 'file', address, path: await fetchResult(object), format: formatOf(path) },
      classifierVersion,
    }
  }
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) throw new DataError(`${address}: there is no such file`)
  if (stats.isDirectory()) throw new UsageError(`${address} is a folder; one file is needed`)
  return { file: { kind: 'file', address, path, format: formatOf(path) }, classifierVersion }
}

/** An address and the version that it asks for. */
function divided(address: string): { readonly path: string; readonly classifierVersion: string | undefined } {
  const at = address.lastIndexOf(versionQuery)
  if (at <= 0 || existsSync(address)) return { path: address, classifierVersion: undefined }
  return { path: address.slice(0, at), classifierVersion: address.slice(at + versionQuery.length) }
}

function refuseOthers(path: string): void {
  const hint = `Give one file (${suffixes}), local or in S3 (s3://bucket/key); results may also come from a folder, a pattern, a prefix or postgres://…. Stdin is not supported.`
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

/** @throws DataError where nothing is there; ServiceError */
async function statObject(address: string): Promise<SeenObject> {
  const place = s3Place(address, process.env)
  const bucket = await bucketToRead(place)
  const seen = await patiently(() => bucket.stat(place.key), { hint })
  if (!seen) throw new DataError(`${address}: there is no such object`)
  return { address, place, size: seen.size, etag: seen.etag }
}

/**
 * Fetches one object. The folder of the temporary file goes with the process.
 *
 * @returns the file's path
 * @throws DataError where it has changed; ServiceError
 */
async function fetchResult(seen: SeenObject): Promise<string> {
  const object = await fetchObject(seen)
  // the name says whether the text is compressed
  const path = `${object.path}${inputFormatOf(seen.address)?.suffix.toLowerCase() ?? ''}`
  await rename(object.path, path)
  return path
}
