// The golden answers of a model that is being imported, and the proof that its forests reproduce them.
import { basename } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { firstMaximum } from '../../pipeline/batch.ts'
import { ModelError } from '../../errors.ts'
import type { Forest } from '../bundle/forest.ts'
import { drawGoldenInputs } from '../bundle/golden-draw.ts'
import { readGoldenFiles } from '../bundle/golden-files.ts'
import {
  compareGolden,
  describeComparison,
  type Golden,
  goldenLevels,
  goldenMatrix,
  withProduct,
} from '../bundle/golden.ts'
import type { ImportProgress } from '../bundle/identity.ts'
import { type FileDigest, type Manifest, taxonomyOf } from '../bundle/manifest.ts'
import { evaluatePlainly } from '../bundle/plain-evaluation.ts'
import { type PickledForest, readPickledForest } from './pickled-forest.ts'
import { readPickleFile } from './read-pickle-file.ts'
import { leafFractions } from './convert-forest.ts'

/** The model as far as it is known. */
interface UnprovenModel extends Pick<
  Manifest,
  'classifierName' | 'taxonomy' | 'levels' | 'features' | 'preprocessing'
> {
  readonly forests: readonly Forest[]
  /** the pickles of the forests, in the same order */
  readonly sources: readonly { readonly path: string; readonly digest: FileDigest }[]
}

/** Golden answers that the forests reproduce in every bit. */
interface MadeGolden {
  readonly golden: Golden
  readonly source: string
  readonly warnings: readonly string[]
}

/**
 * Takes scikit-learn's answers from `directory`, or works out answers from the pickles' own node arrays; then compares.
 *
 * @throws ModelError naming the worst difference where the converted forests answer otherwise
 */
export async function makeGolden(
  model: UnprovenModel,
  { directory, onProgress }: { directory: string | undefined; onProgress: (event: ImportProgress) => void },
): Promise<MadeGolden> {
  const made = directory === undefined ? await workOut(model, onProgress) : await takeFrom(directory, model)
  const { golden } = made
  const matrix = goldenMatrix(golden, model.preprocessing)
  const answers = model.forests.map((forest) => evaluatePlainly(forest, matrix, golden.rowCount))
  const comparison = compareGolden(golden, withProduct(model, answers, golden.rowCount))
  if (comparison.differing > 0) {
    throw new ModelError(
      `${directory ?? 'the pickles'}: the golden answers are not reproduced: ${describeComparison(comparison)}`,
      {
        hint: 'Are the golden files those of this very model? If so, do not use it, and report it.',
      },
    )
  }
  return made
}

async function takeFrom(directory: string, model: UnprovenModel): Promise<MadeGolden> {
  const { golden, source, predicted } = await readGoldenFiles(directory, {
    features: model.features,
    taxonomy: taxonomyOf(model),
  })
  const { classes, probabilities } = golden.expected[0]!
  predicted?.forEach((name, row) => {
    const class_ = classes[firstMaximum(probabilities, row * classes.length, classes.length)]
    if (name === class_) return
    throw new ModelError(`${directory}: golden row ${row} is predicted as ${name}, its probabilities say ${class_}`)
  })
  return { golden, source, warnings: [] }
}

async function workOut(model: UnprovenModel, onProgress: (event: ImportProgress) => void): Promise<MadeGolden> {
  const { rowCount, inputs } = drawGoldenInputs(model.forests, model.features.length)
  const oids = Array.from({ length: rowCount }, (_, row) => `golden${row}`)
  const matrix = goldenMatrix({ rowCount, oids, inputs, expected: [] }, model.preprocessing)
  const answers: Float64Array[] = []
  for (const [index, { path, digest: known }] of model.sources.entries()) {
    onProgress({ step: 'evaluate the pickles', done: index, total: model.sources.length })
    // read again, because four pickles at once would be too much to keep
    const { value, digest } = await readPickleFile(path)
    if (digest.sha256 !== known.sha256) throw new ModelError(`${path}: changed while it was imported`)
    const pickled = readPickledForest(value, { label: basename(path), fileSize: digest.size })
    answers.push(evaluatePickled(pickled, matrix, rowCount))
    await setImmediate()
  }
  const expected = goldenLevels(taxonomyOf(model), withProduct(model, answers, rowCount))
  return { golden: { rowCount, oids, inputs, expected }, source: 'plain evaluation at import', warnings: [] }
}

/**
 * The same answer from the pickle's own node arrays, in their own order, without the conversion: what a bundle's golden
 * answers are when scikit-learn's are not at hand. Every tree of `pickled` has been through `convertForest`'s checks.
 */
function evaluatePickled(pickled: PickledForest, matrix: Float32Array, rowCount: number): Float64Array {
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
      leafFractions(values, node, { layout: valueLayout, target: fractions })
      for (let i = 0; i < classes.length; i++) answer[row * classes.length + i]! += fractions[i]!
    }
  }
  return answer.map((sum) => sum / treeCount)
}
