// Spec → source; each format's libraries are loaded only when it is read.
import { UsageError } from '../errors.ts'
import type { ReadOptions, Source, SourceSpec } from './source.ts'

/**
 * Opens one input and checks all that can be known before its first row.
 *
 * @throws DataError for an input that cannot be read or lacks columns; UsageError for options that do not fit it
 */
export async function openSource(spec: SourceSpec, options: ReadOptions): Promise<Source> {
  if (spec.kind === 'postgres') return (await import('./postgres.ts')).openPostgresSource(spec, options)
  if (options.where !== undefined && (spec.kind === 'kafka' || spec.format !== 'parquet')) {
    throw new UsageError(`${spec.address}: --where works on Parquet files only`)
  }
  if (spec.kind === 'kafka') return (await import('./kafka.ts')).openKafkaSource(spec, options)
  if (spec.kind === 's3') return (await import('./s3.ts')).openS3Source(spec, options, openSource)
  switch (spec.format) {
    case 'ndjson':
      return (await import('./ndjson.ts')).openNdjsonSource(spec, options)
    case 'arrow':
      return (await import('./arrow.ts')).openArrowSource(spec, options)
    case 'avro':
      return (await import('./avro.ts')).openAvroSource(spec, options)
    case 'parquet':
      return (await import('./parquet.ts')).openParquetSource(spec, options)
    case 'csv':
    case 'tsv':
      return (await import('./csv.ts')).openCsvSource(spec, options)
    default:
      return spec satisfies never
  }
}

/** Loads now what these inputs will need later. What cannot be loaded is said when the input is opened. */
export async function loadLibrariesFor(specs: readonly SourceSpec[]): Promise<void> {
  if (!specs.some((spec) => (spec.kind === 'file' || spec.kind === 's3') && spec.format === 'parquet')) return
  const { leaseDuckDb } = await import('./duckdb.ts')
  const lease = await leaseDuckDb().catch(() => undefined)
  lease?.release()
}
