// Flags → what a classify run will do. Pure: it looks at no file but to see what is a folder.
import { existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { EngineName } from '../../model/open.ts'
import { UsageError } from '../../errors.ts'
import type { InputFormat, Layout, OutputFormat } from '../../connectors/files/file-formats.ts'
import {
  isS3Address,
  isS3Folder,
  s3ObjectBelow,
  type S3Place,
  s3Place,
  type S3SinkSpec,
  s3SinkSpec,
} from '../../connectors/s3/address.ts'
import type { SinkSpec } from '../../connectors/spec.ts'
import { renameMapNamed } from '../../connectors/columns/rename-maps.ts'
import { isPostgresAddress, postgresSinkSpec } from '../../connectors/postgres/address.ts'
import type { MissingObject } from '../../connectors/postgres/settings.ts'
import { filePathOf, knownSuffixes, outputFormatOf } from '../../connectors/address.ts'
import type { RejectionBound } from '../../terminal/flags.ts'
import {
  isKafkaAddress,
  kafkaSinkSpec,
  type OutputSchemaName,
  timeWindow,
  type TimeWindow,
  type TimeWindowFlags,
} from '../../connectors/kafka/spec.ts'

/** What was typed, as the command's parser gives it. */
export interface ClassifyFlags extends TimeWindowFlags {
  readonly inputs: readonly string[]
  readonly model?: string | undefined
  readonly to?: readonly string[] | undefined
  readonly fromFormat?: InputFormat | undefined
  readonly toFormat?: OutputFormat | undefined
  readonly layout?: Layout | undefined
  readonly idColumn: string
  readonly candidColumn: string
  readonly rename: readonly { readonly from: string; readonly to: string }[]
  /** the name of a map of renames */
  readonly renameMap?: string | undefined
  readonly where?: string | undefined
  readonly limit?: number | undefined
  readonly shard?: { readonly index: number; readonly count: number } | undefined
  readonly duplicates: 'all' | 'newest'
  readonly engine?: EngineName | undefined
  readonly threads: number
  readonly batchSize: number
  readonly rejects?: string | undefined
  readonly maxRejected?: RejectionBound | undefined
  readonly missingObject?: MissingObject | undefined
  readonly outputSchema?: OutputSchemaName | undefined
  /** Kafka inputs: the end of the snapshot becomes the group's offsets */
  readonly commits: boolean
  /** warn while classifying when features or classes are not as usual */
  readonly watchesQuality?: boolean | undefined
  readonly receipt?: string | undefined
  readonly report?: string | undefined
  readonly resume: boolean
  readonly overwrite: boolean
  readonly isDryRun: boolean
  readonly isQuiet: boolean
  readonly showsProgress: boolean
  readonly json: boolean
}

/** A folder that gets one file for each input. */
interface FolderOutput {
  readonly address: string
  readonly folder: string
  /** of a folder in a bucket */
  readonly place?: S3Place
  readonly format: OutputFormat
  readonly layout: Layout
  readonly suffix: string
}

/** One result of a folder output. */
export type ResultSpec = Extract<SinkSpec, { kind: 'file' | 's3' }>

/** What the options say about a result: the same options over the same input with the same model give the same file. */
export type ResultOptions = Readonly<
  Record<string, string | number | boolean | Readonly<Record<string, string>> | null>
>

type Environment = Readonly<Record<string, string | undefined>>

/** A classify run. */
export interface ClassifyPlan extends ClassifyFlags {
  /** outputs of the whole run */
  readonly shared: readonly SinkSpec[]
  /** outputs with one file for each input */
  readonly folders: readonly FolderOutput[]
  readonly renames: ReadonlyMap<string, string>
  /** of renameMap */
  readonly renameMapPairs: ReadonlyMap<string, string> | undefined
  /** of Kafka inputs */
  readonly window: TimeWindow
  readonly options: ResultOptions
}

/**
 * Checks the pairs of flags and decides formats and layouts.
 *
 * @param isTerminal whether stdout is a terminal: without `--to` it then gets a summary instead of rows
 * @param environment where passwords and what an address leaves out are found
 * @throws UsageError for an impossible pair
 */
export function planClassify(flags: ClassifyFlags, isTerminal: boolean, environment: Environment): ClassifyPlan {
  const addresses = flags.to && flags.to.length > 0 ? flags.to : ['-']
  const shared: SinkSpec[] = []
  const folders: FolderOutput[] = []
  for (const address of new Set(addresses)) {
    if (address === '-') shared.push(stdoutSpec(flags, isTerminal && flags.to === undefined))
    else if (isPostgresAddress(address)) shared.push(postgresSinkSpec(address, flags.missingObject, environment))
    else if (isKafkaAddress(address)) shared.push(kafkaSinkSpec(address, flags.outputSchema ?? 'original', environment))
    else if (isS3Address(address) && isS3Folder(address)) {
      folders.push({ ...folderOutput(address, flags), place: s3Place(address, environment) })
    } else if (isS3Address(address)) shared.push(s3SinkSpec(address, fileForm(address, flags), environment))
    else if (isFolder(filePathOf(address, 'output'))) folders.push(folderOutput(address, flags))
    else shared.push(fileSpec(address, flags))
  }
  refuseSamePlace([
    ...shared.flatMap((spec) => (spec.kind === 'file' ? [spec.path] : spec.kind === 's3' ? [spec.address] : [])),
    ...folders.map((o) => o.folder),
  ])
  refuseImpossiblePairs(flags, shared, folders)
  const renames = new Map(flags.rename.map(({ from, to }) => [from, to]))
  const renameMapPairs = flags.renameMap === undefined ? undefined : renameMapNamed(flags.renameMap)
  const options = resultOptions(flags, renames)
  return { ...flags, shared, folders, renames, renameMapPairs, window: timeWindow(flags), options }
}

function stdoutSpec(flags: ClassifyFlags, isSummary: boolean): SinkSpec {
  if (isSummary && flags.toFormat === undefined && flags.layout === undefined) return { kind: 'terminal', address: '-' }
  const format = flags.toFormat ?? 'csv'
  if (format === 'parquet')
    throw new UsageError('Parquet cannot be written to stdout', {
      hint: 'Use --to FILE.parquet, or --to-format arrow.',
    })
  return { kind: 'stdout', address: '-', format, layout: layoutFor(format, flags.layout) }
}

function fileSpec(address: string, flags: ClassifyFlags): SinkSpec {
  return { kind: 'file', address, path: address, ...fileForm(address, flags) }
}

function fileForm(
  address: string,
  flags: ClassifyFlags,
): Pick<S3SinkSpec, 'format' | 'isGzipped' | 'layout' | 'overwrite'> {
  const named = outputFormatOf(address)
  if (!named) {
    throw new UsageError(`${address}: the name does not say which format to write`, {
      hint: `Known suffixes are ${knownSuffixes.output}. A folder ends with /.`,
    })
  }
  const { format, isGzipped } = named
  return { format, isGzipped, layout: layoutFor(format, flags.layout), overwrite: flags.overwrite }
}

function folderOutput(address: string, flags: ClassifyFlags): FolderOutput {
  const format = flags.toFormat ?? 'parquet'
  return { address, folder: address, format, layout: layoutFor(format, flags.layout), suffix: `.${format}` }
}

/** The file, or the object, a folder output has for one input. */
export function fileInFolder(output: FolderOutput, relativeName: string, overwrite: boolean): ResultSpec {
  const { format, layout } = output
  if (output.place) {
    const name = `${relativeName}${output.suffix}`
    return s3ObjectBelow(output.place, name, { format, isGzipped: false, layout, overwrite })
  }
  const path = join(output.folder, `${relativeName}${output.suffix}`)
  return {
    kind: 'file',
    address: path,
    path,
    format,
    isGzipped: false,
    layout,
    overwrite,
  }
}

function layoutFor(format: OutputFormat, asked: Layout | undefined): Layout {
  const layout = asked ?? (format === 'ndjson' ? 'nested' : 'wide')
  if (layout === 'nested' && (format === 'csv' || format === 'tsv')) {
    throw new UsageError(`--layout nested cannot be written as ${format.toUpperCase()}`, {
      hint: 'Use --layout wide or long, or NDJSON, Parquet or Arrow.',
    })
  }
  return layout
}

function isFolder(path: string): boolean {
  return path.endsWith('/') || (existsSync(path) && statSync(path).isDirectory())
}

function refuseImpossiblePairs(
  flags: ClassifyFlags,
  shared: readonly SinkSpec[],
  folders: readonly FolderOutput[],
): void {
  const usesStdout = shared.some(({ kind }) => kind === 'stdout' || kind === 'terminal')
  if (flags.json && usesStdout && !flags.isDryRun) {
    throw new UsageError('--json and results on stdout cannot share stdout', { hint: 'Name a file with --to.' })
  }
  const single = shared.find((spec) => spec.kind === 'file' || spec.kind === 's3' || spec.kind === 'stdout')
  if (flags.resume && (folders.length === 0 || single)) {
    throw new UsageError('--resume needs a folder as its only kind of output', {
      hint: 'Only whole files can be passed over: use --to FOLDER/ with one result for each input.',
    })
  }
  if (flags.missingObject !== undefined && !shared.some(({ kind }) => kind === 'postgres')) {
    throw new UsageError('--missing-object is for results that go to Postgres', {
      hint: 'Use it with --to postgres://…, whose table object may lack an oid.',
    })
  }
  if (flags.outputSchema !== undefined && !shared.some(({ kind }) => kind === 'kafka')) {
    throw new UsageError('--output-schema is for results that go to Kafka')
  }
  refuseKafkaFlags(flags)
  if (flags.inputs.length === 0) {
    throw new UsageError('no input', {
      hint: 'Name files, a folder, or - for stdin; lcclf classify --help has examples.',
    })
  }
  refuseNames(flags)
}

function refuseKafkaFlags({ inputs, since, until, on, commits }: ClassifyFlags): void {
  if (inputs.some(isKafkaAddress)) return
  const flag = Object.entries({ '--since': since, '--until': until, '--on': on }).find(
    ([, value]) => value !== undefined,
  )
  if (flag || commits) throw new UsageError(`${flag?.[0] ?? '--commit'} is for an input that is read from Kafka`)
}

function refuseSamePlace(paths: readonly string[]): void {
  const places = paths.map((path) => resolve(path))
  const again = paths.find((_, i) => places.indexOf(places[i]!) !== i)
  if (again !== undefined) throw new UsageError(`--to ${again}: two outputs cannot have one place`)
}

function refuseNames({ rejects, rename, receipt }: ClassifyFlags): void {
  for (const [flag, path] of Object.entries({ '--rejects': rejects, '--receipt': receipt })) {
    if (path === undefined || !isS3Address(path)) continue
    throw new UsageError(`${flag} ${path}: expected a file of this machine`, {
      hint: 'Only results go to a bucket; with --to s3://bucket/prefix/ each has its receipt beside it there.',
    })
  }
  if (rejects !== undefined && !rejects.endsWith('.ndjson')) {
    throw new UsageError(`--rejects ${rejects}: expected a name that ends with .ndjson`)
  }
  if (receipt !== undefined && !receipt.endsWith('.json')) {
    throw new UsageError(`--receipt ${receipt}: expected a name that ends with .json`)
  }
  const targets = rename.map(({ to }) => to)
  const twice = targets.find((to, i) => targets.indexOf(to) !== i)
  if (twice !== undefined) throw new UsageError(`--rename: two columns cannot both be read as ${twice}`)
  const sources = rename.map(({ from }) => from)
  const again = sources.find((from, i) => sources.indexOf(from) !== i)
  if (again !== undefined) throw new UsageError(`--rename: ${again} is renamed twice`)
}

function resultOptions(flags: ClassifyFlags, renames: ReadonlyMap<string, string>): ResultOptions {
  const { engine, idColumn, candidColumn, where, limit, shard, duplicates, layout, fromFormat, toFormat } = flags
  return {
    engine: engine ?? null,
    idColumn,
    candidColumn,
    rename: Object.fromEntries(renames),
    // receipts of runs without one stay as they were
    ...(flags.renameMap === undefined ? {} : { renameMap: flags.renameMap }),
    where: where ?? null,
    limit: limit ?? null,
    shard: shard ? `${shard.index + 1}/${shard.count}` : null,
    duplicates,
    layout: layout ?? null,
    fromFormat: fromFormat ?? null,
    toFormat: toFormat ?? null,
    ...kafkaOptions(flags),
  }
}

/** Only where they are used, so that receipts of files stay as they were. */
function kafkaOptions({ inputs, outputSchema, commits, ...flags }: ClassifyFlags): ResultOptions {
  const { since, until } = timeWindow(flags)
  return {
    ...(inputs.some(isKafkaAddress) ? { since: since ?? null, until: until ?? null, commit: commits } : {}),
    ...(outputSchema === undefined ? {} : { outputSchema }),
  }
}

/** Two inputs must not have one result. */
export function refuseSharedNames(outputs: readonly FolderOutput[], relativeNames: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of relativeNames) {
    if (seen.has(name) && outputs.length > 0) {
      throw new UsageError(
        `two inputs would be written to ${basename(name)}${outputs[0]!.suffix} in ${outputs[0]!.address}`,
        {
          hint: 'Classify them into different folders.',
        },
      )
    }
    seen.add(name)
  }
}
