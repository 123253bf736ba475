// A spec becomes a sink: the only switch over outputs, each library loaded when it is first needed.
import { createLayout } from './files/layouts/create-layout.ts'
import type { ByteOutput } from '../whole-file.ts'
import type { EncoderOptions, TableEncoder } from './files/table-sink.ts'
import type { OutputFormat } from './files/file-formats.ts'
import type { Sink, SinkContext } from '../pipeline/sink.ts'
import type { SinkSpec } from './spec.ts'

/**
 * Opens an output and fails early where it can be seen that it will not work.
 *
 * @throws UsageError for a file that exists, a folder that is missing or closed; ServiceError for a full disk, a database
 * that cannot be used; ModelError for a database that holds another model's classes under this version
 */
export async function openSink(spec: SinkSpec, context: SinkContext): Promise<Sink> {
  switch (spec.kind) {
    case 'file':
      return openTableSink(spec, context, () => openFile(spec))
    case 's3': {
      const { openS3Output } = await import('./s3/s3-output.ts')
      return openTableSink(spec, context, async () => gzippedIf(spec.isGzipped, await openS3Output(spec)))
    }
    case 'stdout': {
      const { openStandardOutput } = await import('./stdout/standard-output.ts')
      return openTableSink(spec, context, () => Promise.resolve(openStandardOutput(process.stdout)))
    }
    case 'postgres': {
      const { openPostgresSink } = await import('./postgres/postgres-sink.ts')
      return openPostgresSink(spec, context)
    }
    case 'kafka': {
      const { openKafkaSink } = await import('./kafka/kafka-sink.ts')
      return openKafkaSink(spec, context)
    }
    case 'terminal': {
      const { openTerminalSink } = await import('./stdout/terminal-sink.ts')
      return openTerminalSink(context, process.stdout)
    }
    case 'custom':
      return spec.open(context)
  }
}

async function openFile(spec: Extract<SinkSpec, { kind: 'file' }>): Promise<ByteOutput> {
  const { openReplacement } = await import('../whole-file.ts')
  return gzippedIf(spec.isGzipped, await openReplacement(spec))
}

async function gzippedIf(isGzipped: boolean, output: ByteOutput): Promise<ByteOutput> {
  if (!isGzipped) return output
  const { gzipped } = await import('./files/table-sink.ts')
  return gzipped(output)
}

async function openTableSink(
  spec: Extract<SinkSpec, { kind: 'file' | 's3' | 'stdout' }>,
  context: SinkContext,
  openOutput: () => Promise<ByteOutput>,
): Promise<Sink> {
  const { createTableSink, factsOf } = await import('./files/table-sink.ts')
  const layout = createLayout(spec.layout, context)
  const output = await openOutput()
  try {
    const write = (bytes: Uint8Array): Promise<void> => output.write(bytes)
    const options = { fields: layout.fields, facts: factsOf(context), write }
    const encoder = await createEncoder(spec.format, spec.kind !== 'stdout', options)
    return createTableSink({ address: spec.address, layout, encoder, output })
  } catch (error) {
    await output.close()
    throw error
  }
}

async function createEncoder(format: OutputFormat, isFile: boolean, options: EncoderOptions): Promise<TableEncoder> {
  switch (format) {
    case 'parquet':
      return (await import('./files/parquet-sink.ts')).createParquetEncoder(options)
    case 'csv':
      return (await import('./files/csv-sink.ts')).createDelimitedEncoder(options, ',')
    case 'tsv':
      return (await import('./files/csv-sink.ts')).createDelimitedEncoder(options, '\t')
    case 'ndjson':
      return (await import('./files/ndjson-sink.ts')).createNdjsonEncoder(options)
    case 'arrow':
      return (await import('./files/arrow-sink.ts')).createArrowEncoder(options, isFile ? 'file' : 'stream')
  }
}
