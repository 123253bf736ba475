// From scikit-learn's pickles to a bundle, without Python and without running anything.
import { basename } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { firstMaximum } from '../../pipeline/batch.ts'
import { alercePreprocessing, type Features } from '../../pipeline/preprocess.ts'
import { ModelError } from '../../errors.ts'
import { evaluatePlainly, type Forest, withProduct } from '../bundle/forest.ts'
import {
  compareGolden,
  describeComparison,
  drawGoldenInputs,
  goldenLevels,
  goldenMatrix,
  readGoldenFiles,
} from '../bundle/golden.ts'
import { type BranchTaxonomy, identityOf, type Manifest, taxonomyOf } from '../bundle/manifest.ts'
import {
  checkBundlePlace,
  type ImportedModel,
  type ImportOptions,
  type ProvenGolden,
  writeBundle,
} from '../bundle/write-bundle.ts'
import { plainParts } from '../bundle/parts.ts'
import { openEngine } from '../open.ts'
import { convertForest, leafValues, withoutMissingRule } from './convert-forest.ts'
import { assignLevels, chooseFeatures, findModelFiles, type LevelFile, readPickleFile } from './model-files.ts'
import { type PickledForest, readPickledForest } from './pickled-forest.ts'

/** What to import, and where to. */
export interface PickleImportOptions extends ImportOptions {
  /** the folder with the pickles, or one pickle */
  readonly source: string
  /** in place of the survey's own */
  readonly taxonomy?: BranchTaxonomy | undefined
  /** names in place of features_RF_model.pkl */
  readonly features?: readonly string[] | undefined
  readonly acceptSwapped?: boolean
}

/** One file of the model, converted; its pickle is gone. */
type LoadedLevel = Awaited<ReturnType<typeof loadLevel>>

/**
 * Imports a model. One pickle is in memory at a time.
 *
 * @throws ModelError for pickles that are refused, broken or swapped, and where the golden answers are not reproduced;
 *   UsageError for an `out` that exists or an impossible taxonomy; ServiceError where the bundle cannot be written
 */
export async function importModel(options: PickleImportOptions): Promise<ImportedModel> {
  const { source, name, version, acceptSwapped = false, onProgress } = options
  const identity = identityOf(name, version)
  await checkBundlePlace(options)
  const files = await findModelFiles(source, options.taxonomy)
  const found: LoadedLevel[] = []
  for (const file of files.levels) found.push(await loadLevel(file, onProgress))
  const { order, warnings } =
    files.taxonomy === null ? { order: [0], warnings: [] } : assignLevels(found, files.taxonomy, acceptSwapped)
  const levels = order.map((index) => found[index]!)
  const { features, origin, warnings: nameWarnings } = await chooseFeatures(levels, files.features, options.features)
  const forests = levels.map(({ forest }) => forest)
  const content = {
    ...identity,
    formatVersion: files.taxonomy === null ? (2 as const) : (1 as const),
    taxonomy: files.taxonomy,
    levels: forests.map(({ classes, roots, feature }, index) => {
      const { name: level, branch } = files.levels[index]!
      return { name: level, branch, classes, trees: roots.length, nodes: feature.length }
    }),
    features,
    preprocessing: alercePreprocessing,
    trainedBy: {
      library: 'scikit-learn',
      version: levels.find((level) => level.sklearnVersion)?.sklearnVersion ?? null,
    },
    origin: [...origin, ...levels.map(({ digest }) => digest)],
  }
  const proof = await proveForests({ ...content, forests, pickles: levels }, options)
  const golden = { rows: proof.golden.rowCount, source: proof.source }
  const manifest = { ...content, golden, files: [] }
  const bundle = { manifest, sha256: '', parts: plainParts(content.levels), forests, golden: proof.golden }
  const open = () => openEngine('', bundle, { threads: 0 })
  const said = [...found.flatMap((level) => level.warnings), ...warnings, ...nameWarnings]
  return writeBundle({ manifest: content, forests, proof, open }, options, said)
}

async function loadLevel(file: LevelFile, onProgress: ImportOptions['onProgress']) {
  const base = basename(file.path)
  const { value, digest } = await readPickleFile(file.path, (done, total) => {
    onProgress?.({ step: `read ${base}`, done, total })
  })
  // a signal can be answered between the steps, which themselves run through
  await setImmediate()
  const pickled = readPickledForest(value, { label: base, fileSize: digest.size })
  const { treeCount: total, featureCount, featureNames, sklearnVersion, warnings } = pickled
  // the survey fills missing values
  const forest = withoutMissingRule(
    convertForest(pickled, (done) => onProgress?.({ step: `convert ${base}`, done, total })),
  )
  await setImmediate()
  const { classes } = forest
  return { file, forest, classes, featureCount, featureNames, sklearnVersion, digest, warnings }
}

// The golden answers of the model, and the proof that its forests reproduce them.

/** The model as far as it is known; `pickles`: where the forests came from, in the same order. */
type UnprovenModel = Pick<Manifest, 'classifierName' | 'taxonomy' | 'levels' | 'features' | 'preprocessing'> & {
  readonly forests: readonly Forest[]
  readonly pickles: readonly Pick<LoadedLevel, 'file' | 'digest'>[]
}

/**
 * Takes scikit-learn's answers from the golden folder, or works out answers from the pickles' own node arrays; then compares.
 *
 * @throws ModelError naming the worst difference where the converted forests answer otherwise
 */
async function proveForests(
  model: UnprovenModel,
  { goldenDir, onProgress }: Pick<ImportOptions, 'goldenDir' | 'onProgress'>,
): Promise<ProvenGolden> {
  const proof = goldenDir === undefined ? await workOut(model, onProgress) : await takeFrom(goldenDir, model)
  const { golden } = proof
  const matrix = goldenMatrix(golden, model.preprocessing)
  const answers = model.forests.map((forest) => evaluatePlainly(forest, matrix, golden.rowCount))
  const comparison = compareGolden(golden, withProduct(model, answers, golden.rowCount))
  if (comparison.differing === 0) return proof
  const where = goldenDir ?? 'the pickles'
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
  const { pickles, features, preprocessing } = model
  const drawn = drawGoldenInputs(model.forests, features.length)
  const matrix = goldenMatrix(drawn, preprocessing)
  const answers: Float64Array[] = []
  for (const [index, { file, digest: known }] of pickles.entries()) {
    onProgress?.({ step: 'evaluate the pickles', done: index, total: pickles.length })
    // read again, because four pickles at once would be too much to keep
    const { value, digest } = await readPickleFile(file.path)
    if (digest.sha256 !== known.sha256) throw new ModelError(`${file.path}: changed while it was imported`)
    const pickled = readPickledForest(value, { label: basename(file.path), fileSize: digest.size })
    answers.push(evaluatePickled(pickled, matrix, drawn.rowCount))
    await setImmediate()
  }
  const expected = goldenLevels(taxonomyOf(model), withProduct(model, answers, drawn.rowCount))
  return { golden: { ...drawn, expected }, source: 'plain evaluation at import', warnings: [] }
}

/**
 * The same answer from the pickle's own node arrays, in their own order, without the conversion: what a bundle's golden
 * answers are when scikit-learn's are not available. Every tree of `pickled` has been through `convertForest`'s checks.
 */
function evaluatePickled(pickled: PickledForest, matrix: Features, rowCount: number): Float64Array {
  const { classes, featureCount, treeCount, valueLayout } = pickled
  const answer = new Float64Array(rowCount * classes.length)
  const fractions = new Float64Array(classes.length)
  for (let index = 0; index < treeCount; index++) {
    const { left, right, feature, threshold, values } = pickled.tree(index)
    for (let row = 0; row < rowCount; row++) {
      let node = 0
      while (left[node] !== -1) {
        const value = matrix[row * featureCount + feature[node]!]!
        node = value <= threshold[node]! ? left[node]! : right[node]!
      }
      leafValues(values, node, { layout: valueLayout, target: fractions })
      for (let i = 0; i < classes.length; i++) answer[row * classes.length + i]! += fractions[i]!
    }
  }
  return answer.map((sum) => sum / treeCount)
}
