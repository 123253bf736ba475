// The story of `lcclf model import`, from pickles or an ONNX file.
import { readFileSync } from 'node:fs'
import { messageOf, systemCode, UsageError } from '../../errors.ts'
import { openOnnxRunner } from '../../model/onnx/runner.ts'
import { importModel } from '../../model/sklearn/import-model.ts'
import type { ImportProgress } from '../../model/bundle/identity.ts'
import { importOnnx } from '../../model/onnx/import-graph.ts'
import type { OnnxTaxonomy } from '../../model/onnx/levels.ts'
import { renameMapNamed } from '../../connectors/columns/rename-maps.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { profileMaker, type ProfileRequest } from './make-profile.ts'
import { modelStore } from '../../model/store/model-reference.ts'
import { openStepProgress } from '../../terminal/progress.ts'

/** What was typed. */
interface ImportFlags extends Omit<ProfileRequest, 'file' | 'renameMapPairs'> {
  readonly source: string
  readonly name: string
  readonly version: string
  readonly out?: string | undefined
  readonly golden?: string | undefined
  readonly taxonomy?: string | undefined
  readonly features?: string | undefined
  /** a file with usual inputs */
  readonly profile?: string | undefined
  readonly renameMap: string | undefined
  readonly acceptSwapped: boolean
  readonly overwrite: boolean
  readonly quiet: boolean
  readonly json: boolean
}

/** Imports, says what was made, and with --json prints one object. */
export async function importFiles(flags: ImportFlags): Promise<void> {
  const { source, name, version, golden, acceptSwapped, overwrite } = flags
  refuseAddress(source)
  const progress = openStepProgress({ isSilent: flags.quiet })
  const say = (line: string) => (flags.quiet ? undefined : progress.say(line))
  try {
    const makeProfile = await profileMaker(profileRequest(flags), {
      onRow: () => progress.update('profile the inputs', NaN),
      onWarning: (line) => say(`warning: ${line}`),
    })
    const options = {
      source,
      name,
      version,
      out: flags.out ?? modelStore().place(name, version),
      overwrite,
      ...(golden === undefined ? {} : { goldenDir: golden }),
      ...(flags.features === undefined ? {} : { features: readFeatures(flags.features) }),
      makeProfile,
      onProgress: ({ step, done, total }: ImportProgress) => progress.update(step, total > 0 ? done / total : NaN),
    }
    const { directory, manifest, sha256, warnings } = source.toLowerCase().endsWith('.onnx')
      ? await importOnnx({ ...options, ...taxonomyOption(flags, readOnnxTaxonomy) }, openOnnxRunner)
      : await importModel({ ...options, ...taxonomyOption(flags, readTaxonomy), acceptSwapped })
    progress.stop()
    for (const warning of warnings) say(`warning: ${warning}`)
    for (const level of manifest.levels) {
      const size = level.trees > 0 ? `${level.trees} trees, ${level.nodes.toLocaleString('en')} nodes, ` : ''
      say(`${level.name}: ${size}${level.classes.join(' ')}`)
    }
    const equality = manifest.kind === 'forest' ? 'in every bit' : 'within 1e-6'
    say(`golden answers: ${manifest.golden.rows} rows from ${manifest.golden.source}, reproduced ${equality}`)
    say(`${name} ${version} is in ${directory}`)
    if (flags.json)
      process.stdout.write(`${JSON.stringify({ schemaVersion: 1, directory, name, version, sha256, warnings })}\n`)
  } finally {
    progress.stop()
  }
}

function refuseAddress(source: string): void {
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(source)) return
  throw new UsageError(`${redactedText(source)} is no folder`, {
    hint: 'lcclf model pull fetches a model from an address, and imports pickles on the way.',
  })
}

function profileRequest({ profile, renames, renameMap }: ImportFlags): ProfileRequest | undefined {
  if (profile === undefined) return undefined
  return {
    file: profile,
    renames,
    renameMapPairs: renameMap === undefined ? undefined : renameMapNamed(renameMap),
  }
}

function taxonomyOption<T>({ taxonomy }: ImportFlags, read: (path: string) => T): { taxonomy?: T } {
  return taxonomy === undefined ? {} : { taxonomy: read(taxonomy) }
}

/** A flat classifier may also be given its classes as a plain list. */
function readOnnxTaxonomy(path: string): OnnxTaxonomy {
  const value = readJson('--taxonomy', path)
  return isTextList(value) ? value : readTaxonomy(path)
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
