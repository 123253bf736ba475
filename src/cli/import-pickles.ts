// The story of `lcclf model import` from pickles.
import { readFileSync } from 'node:fs'
import { messageOf, systemCode, UsageError } from '../errors.ts'
import { importModel } from '../model/import-model.ts'
import { storedModel } from './model-reference.ts'
import { openStepProgress } from './progress.ts'

/** What was typed. */
export interface ImportFlags {
  readonly source: string
  readonly name: string
  readonly version: string
  readonly out?: string | undefined
  readonly golden?: string | undefined
  readonly taxonomy?: string | undefined
  readonly features?: string | undefined
  readonly acceptSwapped: boolean
  readonly overwrite: boolean
  readonly quiet: boolean
  readonly json: boolean
}

/** Imports, says what was made, and with --json prints one object. */
export async function importPickles(flags: ImportFlags): Promise<void> {
  const { source, name, version, golden, acceptSwapped, overwrite } = flags
  const progress = openStepProgress({ isSilent: flags.quiet })
  const say = (line: string) => (flags.quiet ? undefined : progress.say(line))
  try {
    const { directory, manifest, sha256, warnings } = await importModel({
      source,
      name,
      version,
      out: flags.out ?? storedModel(name, version),
      acceptSwapped,
      overwrite,
      ...(golden === undefined ? {} : { goldenDir: golden }),
      ...(flags.taxonomy === undefined ? {} : { taxonomy: readTaxonomy(flags.taxonomy) }),
      ...(flags.features === undefined ? {} : { features: readFeatures(flags.features) }),
      onProgress: ({ step, done, total }) => progress.update(step, total > 0 ? done / total : NaN),
    })
    progress.stop()
    for (const warning of warnings) say(`warning: ${warning}`)
    for (const level of manifest.levels) {
      say(`${level.name}: ${level.trees} trees, ${level.nodes.toLocaleString('en')} nodes, ${level.classes.join(' ')}`)
    }
    say(`golden answers: ${manifest.golden.rows} rows from ${manifest.golden.source}, reproduced in every bit`)
    say(`${name} ${version} is in ${directory}`)
    if (flags.json)
      process.stdout.write(`${JSON.stringify({ schemaVersion: 1, directory, name, version, sha256, warnings })}\n`)
  } finally {
    progress.stop()
  }
}

function readTaxonomy(path: string): Record<string, string[]> {
  const value = readJson('--taxonomy', path)
  const isTaxonomy =
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isTextList)
  if (!isTaxonomy || Object.keys(value).length === 0) {
    throw new UsageError(`--taxonomy ${path}: expected {"branch": ["class", …], …}`)
  }
  return value as Record<string, string[]>
}

function readFeatures(path: string): string[] {
  const value = readJson('--features', path)
  if (!isTextList(value)) throw new UsageError(`--features ${path}: expected a JSON list of names`)
  return value
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
}

function readJson(flag: string, path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new UsageError(`${flag} ${path}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
}
