// What is asked of a classify run → what it will do. Looks at the disk only to see what is a folder.
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type ExtraColumns, filePathOf, type OutputFormat, type ResultForm } from '../../connectors/address.ts'
import { renameMapNamed } from '../../connectors/columns/settle-names.ts'
import { isKafkaAddress, timeWindow } from '../../connectors/kafka/spec.ts'
import { isPostgresAddress } from '../../connectors/postgres/address.ts'
import { isS3Address, isS3Folder, s3ObjectBelow, type S3Place, s3Place } from '../../connectors/s3/address.ts'
import { mayTakeMjd, type OpenSink, type OpenSource, type SinkSpec } from '../../connectors/spec.ts'
import { UsageError } from '../../errors.ts'
import type { Reject } from '../../pipeline/batch.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import type { BatchReport } from '../../pipeline/classify-input.ts'
import type { Sink } from '../../pipeline/sink.ts'
import { usualMjdColumn } from '../../pipeline/source.ts'
import type { ClassifyFlags } from '../../terminal/flags.ts'
import { outputSpec } from '../../connectors/open-connector.ts'
import { excerptOf, formFor, refusePart } from '../../connectors/result-form.ts'
import { planWatch } from '../watch/plan.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * What a run does. Members with the name of a flag of `lcclf classify` mean what it does, and without one the run does what
 * it does without the flag (`lcclf classify --help`). `limit` and `batchSize` count rows, `shard.index` counts from 0,
 * `threads` 0 means one for each core, `receipt` names a file.
 */
export interface ClassifyOptions extends Partial<
  // said in another way here, or for a terminal only
  Omit<
    ClassifyFlags,
    'to' | 'model' | 'rename' | 'rejects' | 'report' | 'shard' | 'dryRun' | 'quiet' | 'noProgress' | 'json'
  >
> {
  /** Addresses as on the command line (files, folders, globs, `s3://…`, `postgres://…`, `kafka://…`), or your own sources. */
  readonly inputs: readonly (string | OpenSource)[]
  /** Addresses or sinks; each gets every row. None: whoever gives `onBatch` has the results from it. */
  readonly to?: readonly (string | Sink | OpenSink)[] | undefined
  /** A reference (a bundle's folder, `name@version`, `name`), or a model from `openModel`, which stays open. */
  readonly model?: string | Classifier | undefined
  /** `[old, new]`: input column `old` is read as `new`; a Map will do */
  readonly rename?: Iterable<readonly [old: string, renamed: string]> | undefined
  /** only part `index` of `count` */
  readonly shard?: { readonly index: number; readonly count: number } | undefined
  /** a file ending in `.ndjson`, or a function that is given the rejects of each batch before it is acknowledged */
  readonly rejects?: string | ((rejects: readonly Reject[]) => void | Promise<void>) | undefined
  /** Stops the run between two batches: it then throws an InterruptedError, and what it would have published is gone. */
  readonly signal?: AbortSignal | undefined
  /** Called once every output has taken a batch, before its rows are acknowledged. */
  readonly onBatch?: ((report: BatchReport) => void | Promise<void>) | undefined
  /** `fraction` of all inputs that was read: 0 to 1, NaN if unknown */
  readonly onProgress?: ((state: { readonly objects: number; readonly fraction: number }) => void) | undefined
  /** a line for people: warnings, inputs that were given up, a download of the model */
  readonly onMessage?: ((line: string) => void) | undefined
}

/** A folder that gets one file for each input. */
interface FolderOutput extends ResultForm {
  readonly address: string
  /** of a folder in a bucket */
  readonly place?: S3Place
  readonly format: OutputFormat
}

export type ResultSpec = Extract<SinkSpec, { kind: 'file' | 's3' }>

/** What the receipt says about the options: the same options, input and model give the same file. */
export type ResultOptions = Readonly<
  Record<string, string | number | boolean | Readonly<Record<string, string>> | null>
>

export type ClassifyPlan = ReturnType<typeof planClassify>

/**
 * Checks the pairs of options and decides formats and layouts.
 *
 * @param isTerminal whether stdout is a terminal: without `to` it then gets a summary instead of rows
 * @param environment where passwords and what an address leaves out are found
 * @throws UsageError for an impossible pair
 */
export function planClassify(asked: ClassifyOptions, isTerminal: boolean, environment: Environment) {
  const { overwrite = false, resume = false, commit = false, limit, shard, where } = asked
  const { idColumn = 'oid', candidColumn = 'candid', batchSize = 1000, duplicates = 'all' } = asked
  const isSummary = isTerminal && asked.to === undefined
  const outputs = [...new Set(asked.to ?? ['-'])].map((to, i) => outputOf(to, i, asked, { isSummary, environment }))
  const shared = outputs.filter((output) => 'kind' in output)
  const folders = outputs.filter((output): output is FolderOutput => !('kind' in output))
  const places = [
    ...shared.flatMap((spec) => (spec.kind === 'file' ? [spec.path] : spec.kind === 's3' ? [spec.address] : [])),
    ...folders.map(({ address }) => address),
  ]
  const again = repeated(places, (path) => resolve(path))
  if (again !== undefined) throw new UsageError(`--to ${again}: two outputs cannot have the same place`)
  refuseImpossiblePairs(asked, shared, folders)
  const renames = renamesOf([...(asked.rename ?? [])])
  const window = timeWindow(asked)
  return {
    inputs: asked.inputs,
    /** how they are found; the environment holds passwords, and a plan none */
    search: {
      fromFormat: asked.fromFormat,
      outputFolders: folders.map(({ address }) => address),
      window,
      commits: commit,
    },
    /** outputs of the whole run */
    shared,
    /** outputs with one file for each input */
    folders,
    model: asked.model,
    engine: asked.engine,
    threads: asked.threads ?? 0,
    /** undefined: nobody wants it */
    watch: planWatch(asked, environment, { inputVersion: versionOf(asked.inputs) }),
    extras: extrasOf(asked),
    idColumn,
    candidColumn,
    /** undefined: no output wants it */
    mjdColumn: shared.some(mayTakeMjd) ? (asked.mjdColumn ?? usualMjdColumn) : undefined,
    absentAsNull: asked.absentAsNull === true,
    dialect: { delimiter: asked.delimiter, decimal: asked.decimal },
    renames,
    renameMapPairs: asked.renameMap === undefined ? undefined : renameMapNamed(asked.renameMap),
    where,
    limit,
    shard,
    duplicates,
    batchSize,
    maxRejected: asked.maxRejected,
    rejects: asked.rejects,
    receipt: asked.receipt,
    resume,
    /** typed, and not only implied by --resume: results of another model may go */
    replacesOthers: overwrite,
    /** also if the same command is typed again to resume: an older result that is not done may go */
    overwrite: overwrite || resume,
    options: {
      engine: asked.engine ?? null,
      idColumn,
      candidColumn,
      rename: Object.fromEntries(renames),
      // only if it is used, as all below: the receipts of other runs stay as they were
      ...(asked.renameMap === undefined ? {} : { renameMap: asked.renameMap }),
      ...(asked.absentAsNull === true ? { absentAsNull: true } : {}),
      ...(asked.mjdColumn === undefined ? {} : { mjdColumn: asked.mjdColumn }),
      ...(asked.delimiter === undefined ? {} : { delimiter: asked.delimiter }),
      ...(asked.decimal === undefined ? {} : { decimal: asked.decimal }),
      where: where ?? null,
      limit: limit ?? null,
      shard: shard ? `${shard.index + 1}/${shard.count}` : null,
      duplicates,
      layout: asked.layout ?? null,
      ...(asked.columns === undefined ? {} : { columns: asked.columns.join() }),
      ...(asked.top === undefined ? {} : { top: asked.top }),
      ...(asked.only === undefined ? {} : { only: asked.only.join() }),
      ...(asked.minProbability === undefined ? {} : { minProbability: asked.minProbability }),
      ...extrasOf(asked),
      fromFormat: asked.fromFormat ?? null,
      toFormat: asked.toFormat ?? null,
      ...(asked.inputs.some(isTopic) ? { since: window.since ?? null, until: window.until ?? null, commit } : {}),
      ...(asked.outputSchema === undefined ? {} : { outputSchema: asked.outputSchema }),
    } satisfies ResultOptions,
  }
}

/** The version of the features that an address in a database names. */
function versionOf(inputs: ClassifyOptions['inputs']): string | undefined {
  const versions = inputs.flatMap((input) =>
    typeof input === 'string' && isPostgresAddress(input) ? (/[?&]version=([^&]+)/.exec(input)?.[1] ?? []) : [],
  )
  return versions[0] === undefined ? undefined : decodeURIComponent(versions[0])
}

/** Only what is asked for. */
function extrasOf({ margins, calibrated, sets, novelty }: ExtraColumns) {
  return {
    ...(margins ? { margins } : {}),
    ...(calibrated ? { calibrated } : {}),
    ...(sets === undefined ? {} : { sets }),
    ...(novelty ? { novelty } : {}),
  }
}

/** The options of one result in a folder. Of whole files a shard changes none: it only chooses them. */
export function resultOptions({ options }: Pick<ClassifyPlan, 'options'>): ResultOptions {
  return { ...options, shard: null }
}

function outputOf(
  output: string | Sink | OpenSink,
  index: number,
  asked: ClassifyOptions,
  { isSummary, environment }: { readonly isSummary: boolean; readonly environment: Environment },
): SinkSpec | FolderOutput {
  if (typeof output === 'function') return { kind: 'custom', address: `output ${index + 1}`, open: output }
  if (typeof output !== 'string') {
    return { kind: 'custom', address: output.address, open: () => Promise.resolve(output) }
  }
  const hasExtras = Object.keys(extrasOf(asked)).length > 0
  const isUnasked = asked.toFormat === undefined && asked.layout === undefined && !hasExtras
  if (output === '-' && isSummary && isUnasked) return { kind: 'terminal', address: '-', excerpt: excerptOf(asked) }
  if (isS3Address(output) && isS3Folder(output)) {
    return { ...folderOutput(output, asked), place: s3Place(output, environment) }
  }
  if (isFile(output) && isFolder(filePathOf(output, 'output'))) return folderOutput(output, asked)
  return outputSpec(output, { ...asked, environment })
}

function isFile(address: string): boolean {
  return address !== '-' && !isPostgresAddress(address) && !isKafkaAddress(address) && !isS3Address(address)
}

function folderOutput(address: string, { toFormat: format = 'parquet', ...asked }: ClassifyOptions): FolderOutput {
  return { address, format, ...formFor(format, asked) }
}

/** The file, or the object, that a folder output has for one input. */
export function resultIn(
  { address, place, format, layout, extras, excerpt }: FolderOutput,
  relativeName: string,
  overwrite: boolean,
): ResultSpec {
  const form = { format, isGzipped: false, layout, extras, excerpt, overwrite }
  const name = `${relativeName}.${format}`
  if (place) return s3ObjectBelow(place, name, form)
  const path = join(address, name)
  return { kind: 'file', address: path, path, ...form }
}

function isFolder(path: string): boolean {
  return path.endsWith('/') || (existsSync(path) && statSync(path).isDirectory())
}

function isTopic(input: string | OpenSource): boolean {
  return typeof input === 'string' && isKafkaAddress(input)
}

function refuseImpossiblePairs(
  asked: ClassifyOptions,
  shared: readonly SinkSpec[],
  folders: readonly FolderOutput[],
): void {
  const single = shared.find(({ kind }) => kind === 'file' || kind === 's3' || kind === 'stdout' || kind === 'custom')
  if (asked.resume && (folders.length === 0 || single)) {
    throw new UsageError('--resume needs a folder as its only kind of output', {
      hint: 'Only whole files can be skipped: use --to FOLDER/ with one result for each input.',
    })
  }
  const { columns, top, only, minProbability } = asked
  const whole = shared.find(({ kind }) => kind === 'custom')?.address
  if (whole !== undefined) refusePart(whole, { columns, top, only, minProbability })
  if (shared.length + folders.length === 0) refusePart('onBatch', { columns, top, only, minProbability })
  if (asked.missingObject !== undefined && !shared.some(({ kind }) => kind === 'postgres')) {
    throw new UsageError('--missing-object is only for results that go to Postgres', {
      hint: 'Use it with --to postgres://…, whose table object may lack an oid.',
    })
  }
  if (asked.mjdColumn !== undefined && !shared.some(mayTakeMjd)) {
    throw new UsageError('--mjd-column is only for results that hold lastmjd', {
      hint: "Tables of today's pipeline (--to postgres://…) and ?as=scribe-multisurvey have it.",
    })
  }
  if (asked.outputSchema !== undefined && !shared.some(({ kind }) => kind === 'kafka')) {
    throw new UsageError('--output-schema is only for results that go to Kafka')
  }
  if (!asked.inputs.some(isTopic)) {
    const flags = { '--since': asked.since, '--until': asked.until, '--on': asked.on }
    const flag = Object.entries(flags).find(([, value]) => value !== undefined)?.[0]
    if (flag !== undefined || asked.commit) throw new UsageError(`${flag ?? '--commit'} is only for inputs from Kafka`)
  }
  if (asked.inputs.length === 0) {
    throw new UsageError('no input', {
      hint: 'Name files, a folder, or - for stdin; lcclf classify --help has examples.',
    })
  }
  refuseName('--rejects', asked.rejects, '.ndjson')
  refuseName('--receipt', asked.receipt, '.json')
}

function refuseName(flag: string, path: unknown, suffix: string): void {
  if (typeof path !== 'string') return
  if (isS3Address(path)) {
    throw new UsageError(`${flag} ${path}: expected a file on this machine`, {
      hint: 'Only results go to a bucket; with --to s3://bucket/prefix/ each has its receipt beside it there.',
    })
  }
  if (!path.endsWith(suffix)) throw new UsageError(`${flag} ${path}: expected a name that ends with ${suffix}`)
}

function renamesOf(pairs: readonly (readonly [old: string, renamed: string])[]): ReadonlyMap<string, string> {
  const twice = repeated(pairs, ([, renamed]) => renamed)
  if (twice) throw new UsageError(`--rename: two columns cannot both be read as ${twice[1]}`)
  const again = repeated(pairs, ([old]) => old)
  if (again) throw new UsageError(`--rename: ${again[0]} is renamed twice`)
  return new Map(pairs)
}

/** The first item whose key an earlier one has. */
function repeated<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item | undefined {
  const keys = items.map(keyOf)
  return items.find((_, i) => keys.indexOf(keys[i]!) !== i)
}
