// A sink made of three parts: the layout's columns, a format's encoder and where the bytes go.
import type { OutputField, OutputLayout, OutputTable } from './layouts/output-table.ts'
import type { ByteOutput } from './byte-output.ts'
import type { Sink, SinkContext } from '../../pipeline/sink.ts'

/** One file format: tables in, bytes out. */
export interface TableEncoder {
  add(table: OutputTable): Promise<void>
  /** Writes what is still held and what ends the format; a file of no rows is valid too. */
  end(): Promise<void>
}

/** What an encoder is made of. */
export interface EncoderOptions {
  readonly fields: readonly OutputField[]
  /** facts that formats with room for them carry along */
  readonly facts: ReadonlyMap<string, string>
  readonly write: (bytes: Uint8Array) => Promise<void>
}

/** The parts of a sink. */
export interface TableSinkParts {
  readonly address: string
  readonly layout: OutputLayout
  readonly encoder: TableEncoder
  readonly output: ByteOutput
}

/** @see Sink */
export function createTableSink({ address, layout, encoder, output }: TableSinkParts): Sink {
  return {
    address,
    durable: 'on-finish',
    get isGone() {
      return output.isGone ?? false
    },
    async write(batch) {
      const table = layout.tableOf(batch)
      if (table.rowCount > 0 && !output.isGone) await encoder.add(table)
      return { objects: batch.rowCount, rows: table.rowCount, refused: [], superseded: 0 }
    },
    async finish() {
      if (!output.isGone) await encoder.end()
      await output.finish()
    },
    publish: () => output.publish(),
    close: () => output.close(),
  }
}

/** The facts about a run that Parquet and Arrow files carry in their metadata. */
export function factsOf({ classifierVersion, modelSha256 }: SinkContext): ReadonlyMap<string, string> {
  const facts = new Map([['classifier_version', classifierVersion]])
  if (modelSha256 !== undefined) facts.set('model_sha256', modelSha256)
  return facts
}
