// What an address on the command line stands for: one union of all places rows come from, one of all places results go.
import type { DataError } from '../errors.ts'
import type { ReadOptions, Source } from '../pipeline/source.ts'
import type { Sink, SinkContext } from '../pipeline/sink.ts'
import type { PostgresSinkSpec, PostgresSourceSpec } from './postgres/settings.ts'
import type { KafkaSinkSpec, KafkaSourceSpec } from './kafka/spec.ts'
import type { Excerpt, FileSourceSpec, OutputFormat, ResultForm } from './address.ts'
import type { S3SinkSpec, S3SourceSpec } from './s3/address.ts'

/**
 * Opens a source that is not one of ours. It is asked for the model's features, in the model's order, and may be asked
 * for one that is closed again without having been read.
 */
export type OpenSource = (options: ReadOptions) => Promise<Source>

/** Opens a sink that is not one of ours, once model and inputs are known. */
export type OpenSink = (context: SinkContext) => Promise<Sink>

/** What was found and cannot be read: opening it says why. */
interface UnreadableSpec {
  readonly kind: 'unreadable'
  readonly address: string
  readonly error: DataError
}

/** Where rows come from. */
export type SourceSpec =
  | FileSourceSpec
  | S3SourceSpec
  | PostgresSourceSpec
  | KafkaSourceSpec
  | UnreadableSpec
  | { readonly kind: 'custom'; readonly address: string; readonly open: OpenSource }

/** Whether an output may want to know when an object was last seen. Tables are looked at only when they are opened. */
export function mayTakeMjd(spec: SinkSpec): boolean {
  if (spec.kind === 'postgres') return spec.tables !== 'alerce-2021'
  return spec.kind === 'custom' || (spec.kind === 'kafka' && spec.as === 'scribe-multisurvey')
}

/** Where results go. */
export type SinkSpec =
  | (ResultForm & {
      readonly kind: 'file'
      readonly address: string
      readonly path: string
      readonly format: OutputFormat
      /** csv, tsv and ndjson may be gzipped, by suffix */
      readonly isGzipped: boolean
      readonly overwrite: boolean
    })
  | (ResultForm & {
      readonly kind: 'stdout'
      readonly address: '-'
      readonly format: Exclude<OutputFormat, 'parquet'>
    })
  | (ResultForm & {
      readonly kind: 'memory'
      /** what a receipt calls it */
      readonly address: string
      readonly format: 'arrow'
      /** is given the bytes of a stream as they are made */
      readonly take: (bytes: Uint8Array) => void
    })
  | { readonly kind: 'terminal'; readonly address: '-'; readonly excerpt?: Excerpt | undefined }
  | S3SinkSpec
  | PostgresSinkSpec
  | KafkaSinkSpec
  | { readonly kind: 'custom'; readonly address: string; readonly open: OpenSink }
