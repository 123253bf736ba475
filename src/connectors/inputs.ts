// The inputs of a run: files, globs and folders written out, each file once.
import { realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { DataError, systemCode, UsageError } from '../errors.ts'
import { isPostgresAddress, postgresSourceSpec } from './postgres/address.ts'
import type { PostgresSourceSpec } from './postgres/settings.ts'
import { isKafkaAddress, kafkaSnapshotSpec, type KafkaSourceSpec } from './kafka/spec.ts'
import type { InputFormat } from './files/file-formats.ts'
import { filePathOf, inputFormatOf, knownSuffixes } from './address.ts'
import {
  byCodeUnit,
  type Input,
  type InputOptions,
  isData,
  outputsPassedOver,
  staticRoot,
  withoutResults,
} from './input-names.ts'
import { isS3Address } from './s3/address.ts'
import type { OpenSource } from './spec.ts'

interface Candidate {
  readonly path: string
  readonly root: string
  readonly isExplicit: boolean
}

/**
 * Writes out the inputs named on the command line, in their order, folders and globs sorted by path. A file that is named
 * twice is read once.
 *
 * @throws DataError for a file that is not there, UsageError for a name that says no format
 */
export async function expandInputs(
  addresses: readonly (string | OpenSource)[],
  options: InputOptions,
): Promise<Input[]> {
  const { fromFormat, outputFolders } = options
  const inputs: Input[] = []
  const seen = new Set<string>()
  for (const address of addresses) {
    if (typeof address !== 'string') {
      const name = `input-${inputs.length + 1}`
      inputs.push({ spec: { kind: 'custom', address: name, open: address }, relativeName: name, relativePath: name })
      continue
    }
    if (address === '-') {
      if (!seen.has('-')) inputs.push(stdinInput(fromFormat))
      seen.add('-')
      continue
    }
    if (isPostgresAddress(address) || isKafkaAddress(address)) {
      if (!seen.has(address)) inputs.push(serviceInput(address, options))
      seen.add(address)
      continue
    }
    if (isS3Address(address)) {
      for (const input of await (await import('./s3-inputs.ts')).s3Inputs(address, options)) {
        if (!seen.has(input.spec.address)) inputs.push(input)
        seen.add(input.spec.address)
      }
      continue
    }
    for (const candidate of await candidatesOf(filePathOf(address, 'input'), outputFolders)) {
      const identity = realpathOf(candidate.path)
      if (seen.has(identity)) continue
      seen.add(identity)
      inputs.push(fileInput(candidate, fromFormat))
    }
  }
  return inputs
}

function stdinInput(format: InputFormat | undefined): Input {
  if (format === undefined || format === 'parquet' || format === 'avro') {
    throw new UsageError('reading from stdin needs --from-format csv, tsv, ndjson or arrow')
  }
  return { spec: { kind: 'stdin', address: '-', format }, relativeName: 'stdin', relativePath: 'stdin' }
}

function serviceInput(address: string, { environment, window, commits }: InputOptions): Input {
  return isKafkaAddress(address)
    ? topicInput(kafkaSnapshotSpec(address, { window, commit: commits }, environment))
    : databaseInput(postgresSourceSpec(address, environment))
}

function databaseInput(spec: PostgresSourceSpec): Input {
  const name = spec.reading.kind === 'table' ? spec.reading.table : 'query'
  return { spec, relativeName: name, relativePath: name }
}

function topicInput(spec: KafkaSourceSpec): Input {
  const name = spec.topics.join('+').replace(/[^\w.+-]/g, '_')
  return { spec, relativeName: name, relativePath: name }
}

async function candidatesOf(path: string, outputFolders: readonly string[]): Promise<Candidate[]> {
  const stats = statOf(path)
  if (stats?.isDirectory()) return folderCandidates(path, outputFolders)
  if (stats) return [{ path, root: dirname(path), isExplicit: true }]
  const { isDynamicPattern } = await import('tinyglobby')
  if (!isDynamicPattern(path)) {
    throw new DataError(`${path}: there is no such file or folder`)
  }
  return globCandidates(path, outputFolders)
}

async function folderCandidates(folder: string, outputFolders: readonly string[]): Promise<Candidate[]> {
  const { glob, escapePath } = await import('tinyglobby')
  const passed = outputsPassedOver({ root: folder, outputs: outputFolders, isBelow })
  const ignore = passed.map((output) => `${escapePath(resolve(output))}/**`)
  const paths = await glob('**/*', {
    cwd: folder,
    ignore,
    dot: true,
    followSymbolicLinks: true,
    expandDirectories: false,
  })
  const chosen = paths.filter((path) => isData(path)).sort(byCodeUnit)
  if (chosen.length === 0) {
    throw new DataError(`${folder}: no input files in this folder`, { hint: `Read are ${knownSuffixes.input}.` })
  }
  return chosen.map((path) => ({ path: join(folder, path), root: folder, isExplicit: false }))
}

async function globCandidates(pattern: string, outputFolders: readonly string[]): Promise<Candidate[]> {
  const { glob } = await import('tinyglobby')
  const root = staticRoot(pattern)
  const paths = await glob(pattern, { followSymbolicLinks: true, expandDirectories: false })
  const named = paths.filter((path) => inputFormatOf(path))
  const chosen = withoutResults(named, (path) => path, { root, outputs: outputFolders, isBelow }).sort(byCodeUnit)
  if (chosen.length === 0) throw new DataError(`${pattern}: no file matches`)
  return chosen.map((path) => ({ path, root, isExplicit: false }))
}

function fileInput({ path, root }: Candidate, fromFormat: InputFormat | undefined): Input {
  const named = inputFormatOf(path)
  const format = fromFormat ?? named?.format
  if (format === undefined) {
    throw new UsageError(`${path}: the name does not say its format`, {
      hint: `Known suffixes are ${knownSuffixes.input}; or say --from-format.`,
    })
  }
  const relativePath = (relative(root, path) || basename(path)).split(sep).join('/')
  const relativeName = named ? relativePath.slice(0, -named.suffix.length) : relativePath
  return { spec: { kind: 'file', address: path, path, format }, relativeName, relativePath }
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
