// The story of `lcclf model import`: a bundle from pickles or an ONNX file, and the profile of its usual inputs.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { renameMapNamed } from '../../connectors/columns/settle-names.ts'
import { expandInputs, type Input } from '../../connectors/inputs.ts'
import { openSource } from '../../connectors/open-connector.ts'
import { DataError, LcclfError, UsageError, whyUnreadable } from '../../errors.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { goldenMatrix } from '../../model/bundle/golden.ts'
import type { ImportProgress } from '../../model/bundle/write-bundle.ts'
import type { InputProfile, ProfiledImport } from '../../model/bundle/input-profile.ts'
import { type BranchTaxonomy, taxonomyOf } from '../../model/bundle/manifest.ts'
import { importModel, type PickleImportOptions } from '../../model/import-model.ts'
import { enginesOf } from '../../model/open.ts'
import { importOnnx } from '../../model/onnx/import-graph.ts'
import type { OnnxTaxonomy } from '../../model/onnx/levels.ts'
import { createInputProfiler, type InputProfiler } from '../../model/profile/profile-inputs.ts'
import { modelStore } from '../../model/store/model-reference.ts'
import { alercePreprocessing } from '../../pipeline/preprocess.ts'
import type { ReadOptions } from '../../pipeline/source.ts'
import type { ImportFlags } from '../../terminal/model-flags.ts'
import { openStepProgress } from '../../terminal/progress.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Imports, says what was made, and with --json prints one object. */
export async function importFiles(flags: ImportFlags & { readonly source: string }): Promise<void> {
  const { source, name, version, golden, features, taxonomy, acceptSwapped, overwrite, missing, classifierName } = flags
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(source)) {
    throw new UsageError(`${redactedText(source)} is not a folder`, {
      hint: 'lcclf model pull fetches a model from an address, and imports pickles on the way.',
    })
  }
  const progress = openStepProgress({ isSilent: flags.quiet })
  const say = (line: string) => (flags.quiet ? undefined : progress.say(line))
  try {
    const makeProfile = await profileMaker(flags, {
      onRow: () => progress.update('profile the inputs', NaN),
      onWarning: (line) => say(`warning: ${line}`),
    })
    const options = {
      source,
      name,
      version,
      out: flags.out ?? modelStore().place(name, version),
      overwrite,
      goldenDir: golden,
      features: features === undefined ? undefined : readFeatures(features),
      acceptSwapped,
      makeProfile,
      onProgress: ({ step, done, total }: ImportProgress) => progress.update(step, total > 0 ? done / total : NaN),
    }
    const { directory, manifest, sha256, warnings } = source.toLowerCase().endsWith('.onnx')
      ? await importOnnx({
          ...options,
          taxonomy: taxonomy === undefined ? undefined : readTaxonomyOrList(taxonomy),
          classifierName,
          missing,
        })
      : await importModel({
          ...options,
          ...(taxonomy === undefined ? {} : asTaxonomyOrClasses(readTaxonomyOrList(taxonomy))),
          missing,
          classifierName,
        })
    progress.stop()
    for (const warning of warnings) say(`warning: ${warning}`)
    for (const level of manifest.levels) {
      const size = level.trees > 0 ? `${level.trees} trees, ${level.nodes.toLocaleString('en')} nodes, ` : ''
      say(`${level.name}: ${size}${level.classes.join(' ')}`)
    }
    const equality = enginesOf({ manifest })[0] === 'forest' ? 'in every bit' : 'within 1e-6'
    say(`golden answers: ${manifest.golden.rows} rows from ${manifest.golden.source}, reproduced ${equality}`)
    say(`${name} ${version} is in ${directory}`)
    if (flags.json) await print(`${JSON.stringify({ schemaVersion: 1, directory, name, version, sha256, warnings })}\n`)
  } finally {
    progress.stop()
  }
}

/** A flat classifier may also be given its classes as a plain list. */
function readTaxonomyOrList(path: string): OnnxTaxonomy {
  const value = readJson('--taxonomy', path)
  return isTextList(value) ? value : readTaxonomy(path)
}

function asTaxonomyOrClasses(value: OnnxTaxonomy): Pick<PickleImportOptions, 'taxonomy' | 'classes'> {
  return isTextList(value) ? { classes: value } : { taxonomy: value as BranchTaxonomy }
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
    throw new UsageError(`${flag} ${path}: cannot be read (${whyUnreadable(cause)})`, { cause })
  }
}

// `--profile FILE`: rows of usual inputs through the forest that is being imported.

type ProfileProgress = { readonly onRow: () => void; readonly onWarning: (line: string) => void }

/**
 * Makes the profile of a file, or of golden inputs that came with the model. Golden inputs that the import drew itself lie
 * at the thresholds of the trees and say nothing about real ones, so there is no profile.
 *
 * A file is opened before this answers, so that a problem with it is known before the model is read.
 */
export async function profileMaker(
  { profile: file, rename, renameMap }: Partial<Pick<ImportFlags, 'profile' | 'rename' | 'renameMap'>>,
  progress: ProfileProgress,
): Promise<(model: ProfiledImport) => Promise<InputProfile | undefined>> {
  if (file === undefined) return async (model) => (model.isGoldenGiven ? profileOfGolden(model) : undefined)
  const options = {
    batchSize: 1000,
    idColumn: 'oid',
    candidColumn: 'candid',
    rename: new Map(rename),
    ...(renameMap === undefined ? {} : { renameMap: renameMapNamed(renameMap) }),
    allowance: { remaining: Infinity },
  }
  const inputs = await aboutProfile(() => findInputs(file, options))
  return (model) => profileOfFile(file, inputs, options, model, progress)
}

type ProfileReadOptions = Omit<ReadOptions, 'features' | 'preprocessing'>

/** Opens each input for its ids alone: which features are needed is not known yet. */
async function findInputs(file: string, options: ProfileReadOptions): Promise<Input[]> {
  const rest = { fromFormat: undefined, outputFolders: [], window: {}, commits: false }
  const inputs = await expandInputs([file], { ...rest, environment: process.env })
  for (const { spec } of inputs) {
    const ids = { ...options, features: [], preprocessing: alercePreprocessing, isForSchema: true }
    await (await openSource(spec, ids)).close()
  }
  return inputs
}

/** Errors name the flag, because the model is made of files too. */
async function aboutProfile<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof LcclfError) error.message = `--profile ${error.message}`
    throw error
  }
}

function profilerOf({ manifest }: ProfiledImport): InputProfiler {
  const { features, preprocessing } = manifest
  return createInputProfiler({ features, missing: preprocessing.missing, taxonomy: taxonomyOf(manifest) })
}

function profileOfGolden(model: ProfiledImport): InputProfile {
  const { golden, manifest } = model
  const profiler = profilerOf(model)
  profiler.addRows(goldenMatrix(golden, manifest.preprocessing), golden.rowCount)
  const answers = golden.expected.map(({ probabilities }) => probabilities)
  profiler.addAnswers(answers, golden.rowCount)
  return profiler.profile({ source: 'golden', name: manifest.golden.source })
}

/** A model that cannot answer before it is written is not asked for predictions. */
async function profileOfFile(
  file: string,
  inputs: readonly Input[],
  options: ProfileReadOptions,
  model: ProfiledImport,
  { onRow, onWarning }: ProfileProgress,
): Promise<InputProfile> {
  const { manifest } = model
  const classifier = await model.open?.()
  const { features, preprocessing } = manifest
  const profiler = profilerOf(model)
  let rows = 0
  let rejected = 0
  try {
    await aboutProfile(async () => {
      for await (const { batch, rejected: refused } of deliveriesOf(inputs, { ...options, features, preprocessing })) {
        profiler.addRows(batch.matrix, batch.rowCount)
        rows += batch.rowCount
        rejected += refused.length
        if (classifier && batch.rowCount > 0) {
          profiler.addAnswers((await classifier.classify(batch)).probabilities, batch.rowCount)
        }
        onRow()
      }
    })
  } finally {
    await classifier?.close()
  }
  if (rows === 0) throw new DataError(`--profile ${file}: has no rows that can be classified`)
  if (rejected > 0) onWarning(`${file}: ${rejected} rows cannot be classified and are left out of the profile`)
  return profiler.profile({ source: 'file', name: basename(file) })
}

async function* deliveriesOf(inputs: readonly Input[], options: ReadOptions) {
  for (const { spec } of inputs) {
    const source = await openSource(spec, options)
    try {
      yield* source.deliveries(new AbortController().signal)
    } finally {
      await source.close()
    }
  }
}
