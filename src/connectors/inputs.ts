// Addresses → the inputs of a run: files, globs and folders expanded, each input once.
import { realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { DataError, systemCode, UsageError } from '../errors.ts'
import {
  byCodeUnit,
  filePathOf,
  type InputFormat,
  inputFormatOf,
  isData,
  knownSuffixes,
  namedInput,
  skippedOutputs,
  staticRoot,
  withoutResults,
} from './address.ts'
import { isKafkaAddress, kafkaSnapshotSpec, type TimeWindow } from './kafka/spec.ts'
import { isPostgresAddress, postgresSourceSpec } from './postgres/address.ts'
import { isS3Address } from './s3/address.ts'
import type { OpenSource, SourceSpec } from './spec.ts'

/** One input and where its result goes in a folder output. */
export interface Input {
  readonly spec: SourceSpec
  /** path below the input root, without the suffix, with `/`; for stdin `stdin` */
  readonly relativeName: string
  /** the same with the suffix, by which whole files are put into shards */
  readonly relativePath: string
}

/** What decides about the inputs besides their names. */
export interface InputOptions {
  readonly fromFormat?: InputFormat | undefined
  /** folders that receive results: never read as inputs, so that a second run does not read the results of the first */
  readonly outputFolders?: readonly string[]
  /** where passwords and what a database's address leaves out are found */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** which messages of a topic */
  readonly window?: TimeWindow
  /** whether the end of a topic's snapshot becomes its group's offsets */
  readonly commits?: boolean
}

/**
 * Expands the inputs named on the command line, in their order, folders and globs sorted by path. A file that is named
 * twice is read once.
 *
 * @throws DataError for a file that is not there, UsageError for a name that does not say its format
 */
export async function expandInputs(
  addresses: readonly (string | OpenSource)[],
  options: InputOptions = {},
): Promise<Input[]> {
  const inputs = new Map<string, Input>()
  for (const address of addresses) {
    if (typeof address !== 'string') {
      const name = `input-${inputs.size + 1}`
      inputs.set(name, serviceInput({ kind: 'custom', address: name, open: address }, name))
      continue
    }
    for (const [identity, input] of await identifiedInputs(address, options)) {
      if (!inputs.has(identity)) inputs.set(identity, input)
    }
  }
  return [...inputs.values()]
}

/** The inputs of one address, each with what tells that two are the same. */
async function identifiedInputs(address: string, options: InputOptions): Promise<[string, Input][]> {
  const { fromFormat, outputFolders = [], environment = process.env, window = {}, commits = false } = options
  if (address === '-') return [['-', stdinInput(fromFormat)]]
  if (isKafkaAddress(address)) {
    const spec = kafkaSnapshotSpec(address, { window, commit: commits }, environment)
    return [[address, serviceInput(spec, spec.topics.join('+').replace(/[^\w.+-]/g, '_'))]]
  }
  if (isPostgresAddress(address)) {
    const spec = postgresSourceSpec(address, environment)
    return [[address, serviceInput(spec, spec.reading.kind === 'table' ? spec.reading.table : 'query')]]
  }
  if (isS3Address(address)) {
    const { s3Inputs } = await import('./s3-inputs.ts')
    const inputs = await s3Inputs(address, { fromFormat, outputFolders, environment })
    return inputs.map((input) => [input.spec.address, input])
  }
  const { root, paths } = await filesOf(filePathOf(address, 'input'), outputFolders)
  return paths.map((path) => [realpathOf(path), fileInput(path, root, fromFormat)])
}

function stdinInput(format: InputFormat | undefined): Input {
  if (format === undefined || format === 'parquet' || format === 'avro') {
    throw new UsageError('reading from stdin needs --from-format csv, tsv, ndjson or arrow')
  }
  return { spec: { kind: 'stdin', address: '-', format }, relativeName: 'stdin', relativePath: 'stdin' }
}

function serviceInput(spec: SourceSpec, name: string): Input {
  return { spec, relativeName: name, relativePath: name }
}

function fileInput(path: string, root: string, fromFormat: InputFormat | undefined): Input {
  const relativePath = (relative(root, path) || basename(path)).split(sep).join('/')
  const { format, ...names } = namedInput(path, relativePath, fromFormat)
  return { spec: { kind: 'file', address: path, path, format }, ...names }
}

/** The files that a path stands for, and the folder that their names are relative to. */
async function filesOf(path: string, outputs: readonly string[]): Promise<{ root: string; paths: readonly string[] }> {
  const stats = statOf(path)
  if (stats?.isDirectory()) return { root: path, paths: await filesIn(path, outputs) }
  if (stats) return { root: dirname(path), paths: [path] }
  const { glob, isDynamicPattern } = await import('tinyglobby')
  if (!isDynamicPattern(path)) throw new DataError(`${path}: there is no such file or folder`)
  const root = staticRoot(path)
  const found = await glob(path, { followSymbolicLinks: true, expandDirectories: false })
  const named = found.filter((one) => inputFormatOf(one))
  const paths = withoutResults(named, (one) => one, { root, outputs, isBelow }).sort(byCodeUnit)
  if (paths.length === 0) throw new DataError(`${path}: no file matches`)
  return { root, paths }
}

async function filesIn(folder: string, outputs: readonly string[]): Promise<string[]> {
  const { glob, escapePath } = await import('tinyglobby')
  const skipped = skippedOutputs({ root: folder, outputs, isBelow })
  const ignore = skipped.map((output) => `${escapePath(resolve(output))}/**`)
  const walk = { cwd: folder, ignore, dot: true, followSymbolicLinks: true, expandDirectories: false }
  const paths = (await glob('**/*', walk)).filter(isData).sort(byCodeUnit)
  if (paths.length === 0) {
    throw new DataError(`${folder}: no input files in this folder`, { hint: `lcclf reads ${knownSuffixes.input}.` })
  }
  return paths.map((path) => join(folder, path))
}

function isBelow(path: string, folder: string): boolean {
  const below = relative(resolve(folder), resolve(path))
  return below !== '' && !below.startsWith('..')
}

function realpathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (cause) {
    throw new DataError(`${path}: cannot be read (${systemCode(cause) ?? 'unknown reason'})`, { cause })
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch (cause) {
    const code = systemCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new DataError(`${path}: cannot be read (${code ?? 'unknown reason'})`, { cause })
  }
}
