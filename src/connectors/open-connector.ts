// An address or a spec becomes a source or a sink: the only switches over systems, each library loaded when it is needed.
import { UsageError } from '../errors.ts'
import { redacted } from '../formats/shown-text.ts'
import type { Sink, SinkContext } from '../pipeline/sink.ts'
import type { ReadOptions, Source } from '../pipeline/source.ts'
import type { ByteOutput } from '../whole-file.ts'
import { filePathOf, formatName, knownSuffixes, type OutputFormat, outputFormatOf } from './address.ts'
import type { EncoderOptions, TableEncoder } from './files/table-sink.ts'
import { expandInputs, type InputOptions } from './inputs.ts'
import type { SinkSpec, SourceSpec } from './spec.ts'
import type { OutputSchema } from './kafka/output-message.ts'
import { isKafkaAddress, kafkaSinkSpec } from './kafka/spec.ts'
import { isPostgresAddress, postgresSinkSpec } from './postgres/address.ts'
import type { MissingObject } from './postgres/settings.ts'
import { isS3Address, s3SinkSpec } from './s3/address.ts'
import { formFor, type FormOptions, hasStructures, namedForm, partOf, shownPart } from './result-form.ts'

/**
 * Opens a place by its address, exactly as on the command line: `night.parquet`, `s3://bucket/night.csv.gz`,
 * `kafka://host/topic`, `postgres://host/db`, `-`. What it answers are a `Source` and a `Sink` like those that you write
 * yourself: `classifyInput` takes either. Nothing is opened before `source` or `sink` is called.
 *
 * @example
 * const classifier = await openClassifier('models/hierarchical_random_forest_1.0.0')
 * const source = await openConnector('night.parquet').source(readOptions(classifier))
 * const { identity, taxonomy } = classifier
 * const { classifierVersion } = identity
 * const sink = await openConnector('out.parquet').sink({ schema: source.schema, taxonomy, classifierVersion })
 *
 * @param options what flags say on the command line, where an address alone does not decide
 */
export function openConnector(address: string, options: InputOptions & OutputOptions = {}) {
  return {
    /**
     * @throws UsageError for an address that stands for several inputs (a folder, a pattern), or that does not fit the
     *   options; DataError for an input that cannot be read or lacks columns; ServiceError
     */
    async source(how: ReadOptions): Promise<Source> {
      const [input, ...others] = await expandInputs([address], options)
      if (others.length === 0) return openSource(input!.spec, how)
      throw new UsageError(`${address} stands for ${others.length + 1} inputs`, {
        hint: 'Open each by its own address; lcclf classify takes them all.',
      })
    },
    /**
     * @throws UsageError for a name that does not say its format, a file that exists; ServiceError
     *   for a folder that cannot be made, a full disk or a service that is away; ModelError
     */
    sink: async (context: SinkContext): Promise<Sink> => openSink(outputSpec(address, options), context),
  }
}

/**
 * Opens one input and checks all that can be known before its first row.
 *
 * @throws DataError for an input that cannot be read or lacks columns; UsageError for options that do not fit it
 */
export async function openSource(spec: SourceSpec, options: ReadOptions): Promise<Source> {
  if (spec.kind === 'custom') return spec.open(options)
  if (spec.kind === 'unreadable') throw spec.error
  if ((options.delimiter ?? options.decimal) !== undefined && !isDelimited(spec)) {
    throw new UsageError(`${redacted(spec.address)}: --delimiter and --decimal are for CSV and TSV`)
  }
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
    case 'fits':
    case 'votable':
      return (await import('./files/typed-source.ts')).openTypedSource(spec, options)
    case 'csv':
    case 'tsv':
      return (await import('./files/csv-source.ts')).openCsvSource(spec, options)
  }
}

function isDelimited(spec: SourceSpec): boolean {
  return (spec.kind === 'file' || spec.kind === 'stdin' || spec.kind === 's3') && /^[ct]sv$/.test(spec.format)
}

/**
 * Opens an output and fails early where it can be seen that it will not work.
 *
 * @throws UsageError for a file that exists, a folder that is closed; ServiceError for a full disk, a database
 * that cannot be used; ModelError for a database that holds another model's classes under this version
 */
export async function openSink(spec: SinkSpec, context: SinkContext): Promise<Sink> {
  switch (spec.kind) {
    case 'file':
    case 's3':
    case 'stdout':
    case 'memory':
      return openTableSink(spec, context)
    case 'postgres':
      return (await import('./postgres/postgres-sink.ts')).openPostgresSink(spec, context)
    case 'kafka':
      return (await import('./kafka/kafka-sink.ts')).openKafkaSink(spec, context)
    case 'terminal':
      return (await import('./stdout/terminal-sink.ts')).openTerminalSink(
        context,
        process.stdout,
        await shownPart(spec.excerpt, context),
      )
    case 'custom':
      return spec.open(context)
  }
}

type TableSpec = Extract<SinkSpec, { kind: 'file' | 's3' | 'stdout' | 'memory' }>

async function openTableSink(spec: TableSpec, context: SinkContext): Promise<Sink> {
  const { createTableSink, factsOf } = await import('./files/table-sink.ts')
  const { layout, keep } = await partOf(spec, context)
  if (spec.extras?.sets !== undefined) refuseAmbiguousSets(spec, context)
  const output = await openOutput(spec)
  try {
    const write = (bytes: Uint8Array): Promise<void> => output.write(bytes)
    const options = { fields: layout.fields, facts: factsOf(context), write }
    const encoder = await createEncoder(spec.format, spec.kind === 'file' || spec.kind === 's3', options)
    return createTableSink(spec.address, { layout, keep, encoder, output })
  } catch (error) {
    await output.close()
    throw error
  }
}

/** In text the classes of a set are joined by |. */
function refuseAmbiguousSets({ format }: TableSpec, { taxonomy }: SinkContext): void {
  const odd = taxonomy.levels[0]?.classes.find((name) => name.includes('|'))
  if (odd === undefined || hasStructures[format]) return
  throw new UsageError(`--sets: ${formatName(format)} joins classes by |, which the class ${odd} has in its name`, {
    hint: 'Write NDJSON, Parquet or Arrow.',
  })
}

async function openOutput(spec: TableSpec): Promise<ByteOutput> {
  if (spec.kind === 'stdout') return (await import('./stdout/standard-output.ts')).openStandardOutput(process.stdout)
  if (spec.kind === 'memory') return memoryOutput(spec.take)
  const output =
    spec.kind === 's3'
      ? await (await import('./s3/s3-output.ts')).openS3Output(spec)
      : await (await import('../whole-file.ts')).openReplacement(spec)
  return spec.isGzipped ? (await import('./files/table-sink.ts')).gzipped(output) : output
}

function memoryOutput(take: (bytes: Uint8Array) => void): ByteOutput {
  const nothing = (): Promise<void> => Promise.resolve()
  const write = (bytes: Uint8Array): Promise<void> => {
    take(bytes)
    return nothing()
  }
  return { write, finish: nothing, publish: nothing, close: nothing }
}

async function createEncoder(format: OutputFormat, isFile: boolean, options: EncoderOptions): Promise<TableEncoder> {
  switch (format) {
    case 'parquet':
      return (await import('./files/parquet-sink.ts')).createParquetEncoder(options)
    case 'csv':
    case 'tsv':
      return (await import('./files/text-sinks.ts')).createDelimitedEncoder(options, format === 'csv' ? ',' : '\t')
    case 'ndjson':
      return (await import('./files/text-sinks.ts')).createNdjsonEncoder(options)
    case 'arrow':
      return (await import('./files/arrow-sink.ts')).createArrowEncoder(options, isFile ? 'file' : 'stream')
    case 'fits':
      return (await import('./files/fits-sink.ts')).createFitsEncoder(options)
    case 'votable':
      return (await import('./files/votable-sink.ts')).createVotableEncoder(options)
  }
}

/** What decides about an output besides its address. */
export interface OutputOptions extends FormOptions {
  /** of stdout; a file's goes by its name */
  readonly toFormat?: OutputFormat | undefined
  readonly overwrite?: boolean
  /** of Postgres: what happens to an object that has no row in the table `object`; `wait` unless given */
  readonly missingObject?: MissingObject | undefined
  /** of Kafka: `original` unless given */
  readonly outputSchema?: OutputSchema | undefined
  /** where passwords and what an address leaves out are found */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** @throws UsageError for an address that cannot be an output, or options that do not fit it */
export function outputSpec(address: string, options: OutputOptions): SinkSpec {
  const { missingObject, outputSchema = 'original', environment = process.env } = options
  if (address === '-') return stdoutSpec(options)
  if (isPostgresAddress(address)) {
    return namedForm(postgresSinkSpec(address, missingObject, environment), options, redacted(address))
  }
  if (isKafkaAddress(address)) {
    return namedForm(kafkaSinkSpec(address, outputSchema, environment), options, redacted(address))
  }
  if (isS3Address(address)) return s3SinkSpec(address, fileForm(address, options), environment)
  return { kind: 'file', address, path: filePathOf(address, 'output'), ...fileForm(address, options) }
}

function stdoutSpec({ toFormat = 'csv', ...asked }: OutputOptions): SinkSpec {
  if (toFormat === 'parquet') {
    throw new UsageError('Parquet cannot be written to stdout', {
      hint: 'Use --to FILE.parquet, or --to-format arrow.',
    })
  }
  return { kind: 'stdout', address: '-', format: toFormat, ...formFor(toFormat, asked) }
}

function fileForm(address: string, { overwrite = false, ...asked }: OutputOptions) {
  const named = outputFormatOf(address)
  if (!named) {
    throw new UsageError(`${address}: the name does not say which format to write`, {
      hint: `Known suffixes are ${knownSuffixes.output}. A folder ends with /.`,
    })
  }
  const { format, isGzipped } = named
  return { format, isGzipped, ...formFor(format, asked), overwrite }
}
