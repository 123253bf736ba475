// Spec → source; each format's libraries are loaded only when it is read.
import { UsageError } from '../errors.ts'
import type { ReadOptions, Source } from '../pipeline/source.ts'
import type { SourceSpec } from './spec.ts'

/**
 * Opens one input and checks all that can be known before its first row.
 *
 * @throws DataError for an input that cannot be read or lacks columns; UsageError for options that do not fit it
 */
export async function openSource(spec: SourceSpec, options: ReadOptions): Promise<Source> {
  if (spec.kind === 'custom') return spec.open(options)
  if (spec.kind === 'postgres') return (await import('./postgres/postgres-source.ts')).openPostgresSource(spec, options)
  if (options.where !== undefined && (spec.kind === 'kafka' || spec.format !== 'parquet')) {
    throw new UsageError(`${spec.address}: --where works on Parquet files only`)
  }
  if (spec.kind === 'kafka') return (await import('./kafka/kafka-source.ts')).openKafkaSource(spec, options)
  if (spec.kind === 's3') return (await import('./s3/s3-source.ts')).openS3Source(spec, options, openSource)
  switch (spec.format) {
    case 'ndjson':
      return (await import('./files/ndjson-source.ts')).openNdjsonSource(spec, options)
    case 'arrow':
      return (await import('./files/arrow-source.ts')).openArrowSource(spec, options)
    case 'avro':
      return (await import('./files/avro-source.ts')).openAvroSource(spec, options)
    case 'parquet':
      return (await import('./files/parquet-source.ts')).openParquetSource(spec, options)
    case 'csv':
    case 'tsv':
      return (await import('./files/csv-source.ts')).openCsvSource(spec, options)
    default:
      return spec satisfies never
  }
}

/** Loads now what these inputs will need later. What cannot be loaded is said when the input is opened. */
export async function loadLibrariesFor(specs: readonly SourceSpec[]): Promise<void> {
  if (!specs.some((spec) => (spec.kind === 'file' || spec.kind === 's3') && spec.format === 'parquet')) return
  const { leaseDuckDb } = await import('./files/duckdb.ts')
  const lease = await leaseDuckDb().catch(() => undefined)
  lease?.release()
}
