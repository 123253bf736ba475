// From the files of a model to a bundle, without Python and without running anything.
import { basename } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { firstMaximum } from '../pipeline/batch.ts'
import { alercePreprocessing, type Preprocessing } from '../pipeline/preprocess.ts'
import { ModelError, UsageError } from '../errors.ts'
import { evaluateBundle } from './bundle/evaluate-bundle.ts'
import { type CoveredForest, withProduct } from './bundle/forest.ts'
import {
  acceptableInputs,
  compareGolden,
  describeComparison,
  drawGoldenInputs,
  type Golden,
  goldenLevels,
  goldenMatrix,
  readGoldenFiles,
} from './bundle/golden.ts'
import { type BranchTaxonomy, identityOf, type Manifest, taxonomyOf } from './bundle/manifest.ts'
import type { Part } from './bundle/parts.ts'
import {
  checkBundlePlace,
  type ImportedModel,
  type ImportOptions,
  type ProvenGolden,
  writeBundle,
} from './bundle/write-bundle.ts'
import { type ModelFile, openModelFile } from './container/model-file.ts'
import { readLightgbm } from './lightgbm/read-lightgbm.ts'
import { openEngine } from './open.ts'
import { readXgboost } from './xgboost/read-xgboost.ts'
import type { Estimator } from './estimator.ts'
import { readEstimator } from './sklearn/estimator.ts'
import { unionOf, withFeatures } from './sklearn/level-features.ts'
import { assignLevels, chooseFeatures, findModelFiles, type LevelFile, type ModelFiles } from './sklearn/model-files.ts'
import { unpickle } from './sklearn/pickle/unpickle.ts'
import type { PyValue } from './sklearn/pickle/values.ts'
import { isSurveyForm, named, type ReadLevel, readSurveyForm, type SurveyForm } from './sklearn/survey-form.ts'

/** What to import, and where to. */
export interface PickleImportOptions extends ImportOptions {
  /** the folder with the files, or one file */
  readonly source: string
  /** in place of the survey's own */
  readonly taxonomy?: BranchTaxonomy | undefined
  /** names of a single classifier's numbered classes, in their order */
  readonly classes?: readonly string[] | undefined
  /** names in place of features_RF_model.pkl */
  readonly features?: readonly string[] | undefined
  readonly acceptSwapped?: boolean
  /** in place of that of the model's form */
  readonly classifierName?: string | undefined
  /** what becomes of a missing value, in place of what the model's form says; NaN: it stays missing */
  readonly missing?: number | undefined
}

/** A model as its files say it. */
interface ReadModel extends SurveyForm {
  readonly formatVersion: Manifest['formatVersion']
  /** where each level comes from, for messages */
  readonly labels: readonly string[]
  readonly warnings: readonly string[]
}

/**
 * Imports a model. Of its files only what is asked for is ever in memory.
 *
 * @throws ModelError for files that are refused, broken or swapped, and where the golden answers are not reproduced;
 *   UsageError for an `out` that exists or an impossible taxonomy; ServiceError where the bundle cannot be written
 */
export async function importModel(options: PickleImportOptions): Promise<ImportedModel> {
  const { source, name, version, classifierName } = options
  // a name that cannot be is refused before any work is done
  identityOf(name, version, classifierName)
  await checkBundlePlace(options)
  const files = await findModelFiles(source, options.taxonomy)
  const opened: ModelFile[] = []
  try {
    for (const { path } of files.levels) opened.push(await openModelFile(path))
    const model = await readModel(files, opened, options)
    return await importRead(model, { features: files.features, opened }, options)
  } finally {
    for (const file of opened) await file.close()
  }
}

async function readModel(
  files: ModelFiles,
  opened: readonly ModelFile[],
  options: PickleImportOptions,
): Promise<ReadModel> {
  if (files.taxonomy === null) return readSingle(opened[0]!, options)
  if (options.classes !== undefined) {
    throw new UsageError('--taxonomy: a hierarchy needs branches', { hint: 'Expected {"branch": ["class", …], …}.' })
  }
  const found: (ReadLevel & { file: LevelFile; classes: readonly string[] })[] = []
  for (const [index, file] of files.levels.entries()) {
    const estimator = await readFile(opened[index]!, options)
    found.push({ name: file.name, branch: file.branch, file, estimator, classes: estimator.classes, features: null })
  }
  const taxonomy = files.areOwn ? ownTaxonomy(found) : files.taxonomy
  const { order, warnings } = assignLevels(found, taxonomy, options.acceptSwapped ?? false)
  return {
    formatVersion: files.areOwn ? 2 : 1,
    levels: files.levels.map(({ name, branch }, index) => ({ ...found[order[index]!]!, name, branch })),
    labels: order.map((index) => opened[index]!.label),
    taxonomy,
    preprocessing: alercePreprocessing,
    classifierName: 'lc_classifier',
    warnings,
  }
}

/** The forests of ELAsTiCC have classes of their own; their product has the order of the branches' `classes_`. */
function ownTaxonomy(levels: readonly ReadLevel[]): BranchTaxonomy {
  const branches = levels.filter(({ branch }) => branch !== null)
  return Object.fromEntries(branches.map(({ branch, estimator }) => [branch!, estimator.classes]))
}

/** One file: a classifier alone, or all forests of a hierarchy. */
async function readSingle(file: ModelFile, options: PickleImportOptions): Promise<ReadModel> {
  const { label } = file
  const value = file.form === 'pickle' ? await readValue(file, options) : undefined
  if (value === undefined || !isSurveyForm(value)) {
    const read = value === undefined ? await readFile(file, options) : estimatorIn(value, file, options)
    const estimator = options.classes === undefined ? read : named(read, options.classes, label)
    const { preprocessing } = estimator
    const levels = [{ name: 'flat', branch: null, estimator, features: null }]
    const rest = { taxonomy: null, preprocessing, classifierName: 'lc_classifier', warnings: [] }
    return { formatVersion: 2, levels, labels: [label], ...rest }
  }
  if (options.taxonomy !== undefined || options.classes !== undefined) {
    throw new UsageError(`--taxonomy: ${label} says itself what its hierarchy is`, { hint: 'Omit --taxonomy.' })
  }
  const form = readSurveyForm(value, file, (one, where) => estimatorIn(one, { ...file, label: where }, options))
  const labels = form.levels.map(({ name }) => (name === 'flat' ? label : `${label}: ${name}`))
  return { formatVersion: 2, ...form, labels, warnings: [] }
}

async function readValue(file: ModelFile, { onProgress }: Pick<ImportOptions, 'onProgress'>): Promise<PyValue> {
  onProgress?.({ step: `read ${file.label}`, done: 0, total: 1 })
  // a signal can be answered between the steps, which themselves run through
  await setImmediate()
  return unpickle(file.content, file.label)
}

/** The classifier in a file of any library. */
async function readFile(file: ModelFile, options: Pick<ImportOptions, 'onProgress'>): Promise<Estimator> {
  switch (file.form) {
    case 'pickle':
      return estimatorIn(await readValue(file, options), file, options)
    case 'xgboost':
      return readXgboost(wholeContent(file), file.label)
    case 'lightgbm':
      return readLightgbm(wholeContent(file).toString('utf8'), file.label)
  }
}

/** a booster's own file is far smaller, and V8 refuses longer texts */
const largestBooster = 2 ** 28

function wholeContent({ content, label }: ModelFile): Buffer {
  if (content.size <= largestBooster) return content.read(0, content.size)
  throw new ModelError(`${label}: has ${content.size} bytes, more than any booster`)
}

function estimatorIn(
  value: PyValue,
  { label, path, content }: Pick<ModelFile, 'label' | 'path' | 'content'>,
  { onProgress }: Pick<ImportOptions, 'onProgress'>,
): Estimator {
  const step = `convert ${basename(path)}`
  const onTree = (done: number, total: number) => onProgress?.({ step, done, total })
  return readEstimator(value, { label, fileSize: content.size, onTree })
}

/** Everything after reading: names, rules, proof, bundle. */
async function importRead(
  model: ReadModel,
  files: { readonly features: string | null; readonly opened: readonly ModelFile[] },
  options: PickleImportOptions,
): Promise<ImportedModel> {
  const named = model.levels.map((level, index) => ({ ...level, label: model.labels[index]! }))
  const { lists, origin, warnings: nameWarnings } = await chooseFeatures(named, files.features, options.features)
  const features = unionOf(lists)
  const levels = named.map((level, index) => {
    return { ...level, estimator: withFeatures(level.estimator, lists[index]!, features) }
  })
  const estimators = levels.map(({ estimator }) => estimator)
  const preprocessing = rulesFor(model.preprocessing, estimators, options.missing)
  const parts = estimators.flatMap(({ parts: own }, level) => own.map((part) => ({ ...part, level })))
  const forests = estimators.flatMap((estimator) =>
    estimator.forests.map((forest) => withMissingRule(forest, preprocessing)),
  )
  const content = {
    ...identityOf(options.name, options.version, options.classifierName ?? model.classifierName),
    formatVersion: model.formatVersion,
    taxonomy: model.taxonomy,
    ...(model.productClasses ? { productClasses: model.productClasses } : {}),
    levels: levels.map(({ name, branch, estimator }) => ({ name, branch, ...shapeOf(estimator) })),
    features,
    preprocessing,
    trainedBy: estimators.find(({ trainedBy }) => trainedBy.version !== null)?.trainedBy ?? estimators[0]!.trainedBy,
  }
  const proof = await proveModel({ ...content, estimators, parts, forests }, options)
  const digests = await Promise.all(files.opened.map((file) => file.digest()))
  const manifest = {
    ...content,
    origin: [
      ...origin,
      ...inOrderOf(
        levels.map(({ label }) => label),
        digests,
      ),
    ],
  }
  const golden = { rows: proof.golden.rowCount, source: proof.source }
  const bundle = { manifest: { ...manifest, golden, files: [] }, sha256: '', parts, forests, golden: proof.golden }
  const open = () => openEngine('', bundle, { threads: 0 })
  const said = [...estimators.flatMap(({ warnings }) => warnings), ...model.warnings, ...nameWarnings]
  return writeBundle({ manifest, parts, forests, proof, open }, options, said)
}

/** Digests in the order of the levels that the files hold; a file that holds all of them is one. */
function inOrderOf(labels: readonly string[], digests: Manifest['origin']): Manifest['origin'] {
  return [...digests].sort((a, b) => labels.indexOf(a.file) - labels.indexOf(b.file))
}

function shapeOf({ classes, parts }: Estimator): Pick<Manifest['levels'][number], 'classes' | 'trees' | 'nodes'> {
  const sumOf = (key: 'trees' | 'nodes') => parts.reduce((sum, part) => sum + part[key], 0)
  return { classes, trees: sumOf('trees'), nodes: sumOf('nodes') }
}

/**
 * The rules of a model's form, with what was asked for in their place. A missing value that stays one is what the
 * classifiers themselves take or refuse; one that becomes a number is refused by none of them.
 */
function rulesFor(
  { rejectsMissing, ...form }: Preprocessing,
  estimators: readonly Estimator[],
  missing: number | undefined,
): Preprocessing {
  const isFine = estimators.some(({ preprocessing }) => preprocessing.precision === 'float64')
  const rules = { ...form, ...(isFine ? { precision: 'float64' as const } : {}) }
  if (missing !== undefined && !Number.isNaN(missing)) return { ...rules, missing }
  const refusal =
    missing === undefined
      ? rejectsMissing
      : estimators.map(({ preprocessing }) => preprocessing.rejectsMissing).find((reason) => reason !== undefined)
  return { ...rules, missing: missing ?? form.missing, ...(refusal === undefined ? {} : { rejectsMissing: refusal }) }
}

/** Keeps a forest's rule for missing values only where one can come to it. */
function withMissingRule(forest: CoveredForest, { missing, rejectsMissing }: Preprocessing): CoveredForest {
  const { missingLeft, ...rest } = forest
  if (missingLeft === undefined) return forest
  const isUsed = Number.isNaN(missing) && rejectsMissing === undefined && missingLeft.includes(1)
  return isUsed ? forest : rest
}

// The golden answers of the model, and the proof that its forests reproduce them.

/** The model as far as it is known. */
type UnprovenModel = Pick<
  Manifest,
  'classifierName' | 'taxonomy' | 'productClasses' | 'levels' | 'features' | 'preprocessing'
> & {
  readonly estimators: readonly Estimator[]
  readonly parts: readonly Part[]
  readonly forests: readonly CoveredForest[]
}

/**
 * Takes the trainer's answers from the golden folder, or works out answers from the files' own arrays; then compares.
 *
 * @throws ModelError naming the worst difference where the converted forests answer otherwise
 */
async function proveModel(
  model: UnprovenModel,
  { goldenDir, onProgress }: Pick<ImportOptions, 'goldenDir' | 'onProgress'>,
): Promise<ProvenGolden> {
  const proof = goldenDir === undefined ? await workOut(model, onProgress) : await takeFrom(goldenDir, model)
  const { golden } = proof
  const matrix = goldenMatrix(golden, model.preprocessing)
  const { parts, forests } = model
  const { probabilities } = evaluateBundle({ manifest: model, parts, forests }, matrix, golden.rowCount)
  const comparison = compareGolden(golden, probabilities)
  if (comparison.differing === 0) return proof
  const where = goldenDir ?? 'the model’s own arrays'
  throw new ModelError(`${where}: the golden answers are not reproduced: ${describeComparison(comparison)}`, {
    hint: 'Are the golden files those of this very model? If so, do not use it, and report it.',
  })
}

async function takeFrom(directory: string, model: UnprovenModel): Promise<ProvenGolden> {
  const { features } = model
  const { golden, source, predicted } = await readGoldenFiles(directory, { features, taxonomy: taxonomyOf(model) })
  const { classes, probabilities } = golden.expected[0]!
  predicted?.forEach((name, row) => {
    const class_ = classes[firstMaximum(probabilities, row * classes.length, classes.length)]
    if (name === class_) return
    throw new ModelError(`${directory}: golden row ${row} is predicted as ${name}, its probabilities say ${class_}`)
  })
  return { golden, source, warnings: [] }
}

async function workOut(model: UnprovenModel, onProgress: ImportOptions['onProgress']): Promise<ProvenGolden> {
  const { estimators, features, preprocessing } = model
  const drawn = answerable(acceptableInputs(drawGoldenInputs(model.forests, features.length), preprocessing), model)
  const matrix = goldenMatrix(drawn, preprocessing)
  const answers: Float64Array[] = []
  for (const [index, estimator] of estimators.entries()) {
    onProgress?.({ step: 'evaluate the model’s own arrays', done: index, total: estimators.length })
    answers.push(estimator.evaluate(matrix, drawn.rowCount).probabilities)
    await setImmediate()
  }
  const expected = goldenLevels(taxonomyOf(model), withProduct(model, answers, drawn.rowCount))
  return { golden: { ...drawn, expected }, source: 'plain evaluation at import', warnings: [] }
}

/**
 * Inputs without rows that the model has no answer for: transformers can make a large value larger than float32 holds. First
 * what is large in such a row becomes 0, then all of it.
 */
function answerable(golden: Golden, model: UnprovenModel): Golden {
  const { parts, forests } = model
  const width = model.features.length
  return [1000, 0].reduce(({ inputs, ...rest }, most) => {
    const matrix = goldenMatrix({ inputs }, model.preprocessing)
    const { unanswered } = evaluateBundle({ manifest: model, parts, forests }, matrix, golden.rowCount)
    const isIn = (index: number) => unanswered?.has(Math.floor(index / width)) === true
    return { ...rest, inputs: inputs.map((value, index) => (isIn(index) && Math.abs(value) > most ? 0 : value)) }
  }, golden)
}
