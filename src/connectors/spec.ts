// What an address on the command line stands for: one union of all places rows come from, one of all places results go.
import type { PostgresSinkSpec, PostgresSourceSpec } from './postgres/settings.ts'
import type { KafkaSinkSpec, KafkaSourceSpec } from './kafka/spec.ts'
import type { FileSourceSpec, Layout, OutputFormat } from './files/file-formats.ts'
import type { S3SinkSpec, S3SourceSpec } from './s3/address.ts'

/** Where rows come from. */
export type SourceSpec = FileSourceSpec | S3SourceSpec | PostgresSourceSpec | KafkaSourceSpec

/** Where results go. */
export type SinkSpec =
  | {
      readonly kind: 'file'
      readonly address: string
      readonly path: string
      readonly format: OutputFormat
      /** csv, tsv and ndjson may be gzipped, by suffix */
      readonly isGzipped: boolean
      readonly layout: Layout
      readonly overwrite: boolean
    }
  | {
      readonly kind: 'stdout'
      readonly address: '-'
      readonly format: 'csv' | 'tsv' | 'ndjson' | 'arrow'
      readonly layout: Layout
    }
  | { readonly kind: 'terminal'; readonly address: '-' }
  | S3SinkSpec
  | PostgresSinkSpec
  | KafkaSinkSpec
