// A sink made of three parts: the layout's columns, a format's encoder and where the bytes go.
import { createGzip } from 'node:zlib'
import type { OutputField, OutputLayout, OutputTable } from './layouts/output-table.ts'
import type { Sink, SinkContext } from '../../pipeline/sink.ts'
import type { ByteOutput } from '../../whole-file.ts'

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
interface TableSinkParts {
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

// Where a format's bytes go: a file that appears whole, or stdout.
// gzip before the file.

/** Compresses what is written; each `write` waits until the compressed bytes of it have gone on. */
export function gzipped(output: ByteOutput): ByteOutput {
  const gzip = createGzip()
  let compressed: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => compressed.push(chunk))

  async function passOn(): Promise<void> {
    const chunks = compressed
    compressed = []
    if (chunks.length > 0) await output.write(Buffer.concat(chunks))
  }

  return {
    async write(bytes) {
      // closed before: the output says so in its own words
      if (gzip.destroyed) return output.write(bytes)
      await new Promise<void>((done, failed) => gzip.write(bytes, (error) => (error ? failed(error) : done())))
      await passOn()
    },
    async finish() {
      if (gzip.destroyed) return output.finish()
      await new Promise<void>((done, failed) => gzip.once('end', done).once('error', failed).end())
      await passOn()
      await output.finish()
    },
    publish: () => output.publish(),
    async close() {
      gzip.destroy()
      await output.close()
    },
  }
}
