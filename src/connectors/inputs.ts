// Addresses → the inputs of a run: files, globs and folders expanded, each input once.
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, relative, resolve, sep } from 'node:path'
import { DataError, systemCode, UsageError } from '../errors.ts'
import {
  filePathOf,
  formatName,
  type InputFormat,
  inputFormatOf,
  knownSuffixes,
  namedInput,
  otherFormatsNote,
} from './address.ts'
import { unreadable } from './files/byte-input.ts'
import type { FoundFiles } from './files/find-files.ts'
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
  /** told what was found and is no input */
  readonly onNote?: (line: string) => void
}

/**
 * Expands the inputs named on the command line, in their order, folders and globs sorted by path. A file that is named
 * twice is read once. What a folder or a pattern holds and cannot be read is an input too, whose opening fails.
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
  const { onNote = () => undefined } = options
  if (address === '-') return [['-', await stdinInput(fromFormat)]]
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
    const inputs = await s3Inputs(address, { fromFormat, outputFolders, environment, onNote })
    return inputs.map((input) => [input.spec.address, input])
  }
  const { path: files, query } = dividedTable(filePathOf(address, 'input'), fromFormat)
  const { root, paths, unreadable: lost, others } = await filesOf(files, outputFolders)
  const note = otherFormatsNote(others, address)
  if (note !== undefined) onNote(note)
  return [
    ...paths.map((path): [string, Input] => {
      return [`${realpathOf(path)}${query?.text ?? ''}`, fileInput(path, root, fromFormat, query)]
    }),
    ...lost.map(({ path, cause }): [string, Input] => [realpathOf(path), unreadableInput(path, root, cause)]),
  ]
}

async function stdinInput(fromFormat: InputFormat | undefined): Promise<Input> {
  const format = fromFormat ?? (await (await import('./files/stdin.ts')).stdinFormat())
  return { spec: { kind: 'stdin', address: '-', format }, relativeName: 'stdin', relativePath: 'stdin' }
}

/** It has no result; the slash keeps its name apart from those of the files beside it. */
function unreadableInput(path: string, root: string, cause: Error): Input {
  const name = `${relative(root, path).split(sep).join('/')}/`
  const error = isLink(path) ? brokenLink(path, cause) : unreadable(path, cause)
  return { spec: { kind: 'unreadable', address: path, error }, relativeName: name, relativePath: name }
}

function serviceInput(spec: SourceSpec, name: string): Input {
  return { spec, relativeName: name, relativePath: name }
}

function fileInput(path: string, root: string, fromFormat: InputFormat | undefined, query?: TableQuery): Input {
  const relativePath = (relative(root, path) || basename(path)).split(sep).join('/')
  const { format, ...names } = namedInput(path, relativePath, fromFormat)
  if (!query) return { spec: { kind: 'file', address: path, path, format }, ...names }
  const { table, text } = query
  const spec = { kind: 'file', address: `${path}${text}`, path, format, table } as const
  // two tables of one file have two results
  const relativeName = `${names.relativeName}.${table.replace(/[^\w.+-]/g, '_')}`
  return { spec, relativeName, relativePath: `${relativePath}${text}` }
}

/** Which table of a file is meant: `?hdu=2` of FITS, `?table=NAME` of a VOTable. */
interface TableQuery {
  readonly table: string
  /** as it was typed */
  readonly text: string
}

/** @throws UsageError for a table of what has no tables; what exists under the whole name is a file like others */
function dividedTable(address: string, fromFormat: InputFormat | undefined) {
  const [, path, text, word, table] = /^(.+?)(\?(hdu|table)=(.+))$/s.exec(address) ?? []
  if (path === undefined || statOf(address)) return { path: address, query: undefined }
  const format = fromFormat ?? inputFormatOf(path)?.format
  const isFor = word === 'hdu' ? 'fits' : 'votable'
  if (format === isFor) return { path, query: { table: table!, text: text! } }
  throw new UsageError(`${address}: ?${word}= names a table of ${formatName(isFor)}, and this is none`)
}

/** The files that a path stands for. */
async function filesOf(path: string, outputs: readonly string[]): Promise<FoundFiles> {
  const stats = statOf(path)
  if (stats && !stats.isDirectory()) return { root: dirname(path), paths: [path], unreadable: [], others: [] }
  const { filesIn, filesMatching } = await import('./files/find-files.ts')
  if (stats) {
    const found = await filesIn(path, outputs)
    if (found.paths.length + found.unreadable.length > 0) return found
    const seen = otherFormatsNote(found.others, path)
    throw new DataError(`${path}: no input files in this folder`, {
      hint: `${seen === undefined ? '' : `${seen}. `}lcclf reads ${knownSuffixes.input}.`,
    })
  }
  const { isDynamicPattern } = await import('tinyglobby')
  if (!isDynamicPattern(path)) throw new DataError(`${path}: there is no such file or folder`)
  const found = await filesMatching(path, outputs)
  if (found.paths.length + found.unreadable.length > 0) return found
  throw new DataError(`${path}: no file matches`)
}

/** What tells two files apart; one that cannot be looked at has only its name, and its opening says why. */
function realpathOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch (cause) {
    if (isLink(path)) throw brokenLink(path, cause)
    const code = systemCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(path, cause)
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink()
  } catch {
    return false
  }
}

function brokenLink(path: string, cause: unknown): DataError {
  const code = systemCode(cause)
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return unreadable(path, cause)
  return new DataError(`${path}: a symbolic link to something that is not there`, { cause })
}
