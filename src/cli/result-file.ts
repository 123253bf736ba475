// An address of results on the command line → the file or the table to read.
import { existsSync, statSync } from 'node:fs'
import { DataError, UsageError } from '../errors.ts'
import { isPostgresAddress } from '../postgres/address.ts'
import type { PostgresResultsSpec } from '../postgres/settings.ts'
import type { FileSpec } from '../predictions/relation.ts'
import { filePathOf, inputFormatOf } from './address.ts'
import { postgresResultsSpec } from './postgres-specs.ts'

/** A file, and which of its results. */
export interface ResultFile {
  readonly file: FileSpec
  readonly classifierVersion: string | undefined
}

/** Results, and which of them. */
export interface ResultAddress {
  readonly results: FileSpec | PostgresResultsSpec
  readonly classifierVersion: string | undefined
}

const versionQuery = '?classifier_version='

/**
 * A file as in resultFile, or `postgres://…?classifier_version=V`: the table `probability`, or another with `table=`.
 *
 * @throws UsageError for what is neither; DataError for a file that is not there
 */
export function resultAddress(address: string, environment: NodeJS.ProcessEnv = process.env): ResultAddress {
  if (!isPostgresAddress(address)) {
    const { file, classifierVersion } = resultFile(address)
    return { results: file, classifierVersion }
  }
  const spec = postgresResultsSpec(address, environment)
  return { results: spec, classifierVersion: spec.results.classifierVersion }
}

/**
 * `night.parquet`, or `night.parquet?classifier_version=V` where a file has the results of several models.
 *
 * @throws UsageError for what is no file with a known suffix; DataError for one that is not there
 */
export function resultFile(address: string): ResultFile {
  const at = address.lastIndexOf(versionQuery)
  const isQuery = at > 0 && !existsSync(address)
  const path = filePathOf(isQuery ? address.slice(0, at) : address, 'input')
  const format = inputFormatOf(path)?.format
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) throw new DataError(`${address}: there is no such file`)
  if (stats.isDirectory()) throw new UsageError(`${address} is a folder; one file is needed`)
  if (format === undefined || format === 'avro') {
    throw new UsageError(`${address}: the name does not say its format`, {
      hint: 'Read are .parquet .csv .tsv .ndjson .arrow .feather, text also as .gz.',
    })
  }
  const version = isQuery ? address.slice(at + versionQuery.length) : undefined
  return { file: { kind: 'file', address, path, format }, classifierVersion: version }
}
