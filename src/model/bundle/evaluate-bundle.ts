// A whole bundle evaluated in the plainest way: the second opinion on every engine. Shares no code with the kernel.
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { type Answers, createAnswering, seenFeatures, seenRows, whyNoAnswer } from './answers.ts'
import { childOf, type CoveredForest, evaluatePlainly, type Forest } from './forest.ts'
import type { Manifest } from './manifest.ts'
import { leafEmptiness, noveltyOf } from './novelty.ts'
import type { Part } from './parts.ts'
import type { Sum } from './sums.ts'

/** What an evaluation needs of a bundle. */
export interface EvaluatedBundle {
  readonly manifest: Pick<Manifest, 'taxonomy' | 'productClasses' | 'levels' | 'features' | 'preprocessing'>
  readonly parts: readonly Part[]
  /** one a part */
  readonly forests: readonly Forest[]
}

/**
 * @param matrix rowCount × features, row-major, preprocessed, in the precision that the model asks for
 * @returns what the model answers; NaN for rows that it has no answer for
 */
export function evaluateBundle(
  { manifest, parts, forests }: EvaluatedBundle,
  matrix: FeatureMatrix,
  rowCount: number,
): Answers {
  const { said, unanswered } = evaluateParts({ manifest, parts, forests }, matrix, rowCount)
  const answers = createAnswering({ ...manifest, parts })(
    said.map(({ values }) => values),
    rowCount,
  )
  if (unanswered.size === 0) return answers
  for (const values of [...answers.probabilities, ...(answers.margins ? [answers.margins] : [])]) {
    const width = values.length / rowCount
    for (const row of unanswered.keys()) values.fill(NaN, row * width, (row + 1) * width)
  }
  return { ...answers, unanswered }
}

/** What the trees of a part say, before any link, calibration or mean. */
interface SaidByTrees {
  /** rowCount × `features`, as they compare them */
  readonly rows: FeatureMatrix
  /** names of the columns of `rows`, which a forest's features are indices of */
  readonly features: readonly string[]
  /** rowCount × classes, or × margins, row-major */
  readonly values: Float64Array<ArrayBuffer>
}

/**
 * The trees of a bundle alone.
 *
 * @param matrix as for `evaluateBundle`
 * @returns `said` by each part; what it says of the `unanswered` rows means nothing
 */
export function evaluateParts({ manifest, parts, forests }: EvaluatedBundle, matrix: FeatureMatrix, rowCount: number) {
  const unanswered = new Map<number, string>()
  const said = parts.map((part, index): SaidByTrees => {
    const rows = rowsFor(part, matrix, rowCount, manifest, unanswered)
    const forest = forests[index]!
    const values =
      part.sum === null
        ? Float64Array.from(evaluatePlainly(forest, rows, rowCount))
        : addPlainly(forest, part.sum, rows, rowCount)
    return { rows, features: seenFeatures(part.steps, manifest.features), values }
  })
  return { said, unanswered }
}

/**
 * How strange rows are to a bundle (see novelty.ts).
 *
 * @param bundle whose forests average their leaves
 * @param matrix as for `evaluateBundle`
 * @returns one number a row, 0 to 1; NaN for rows that it has no answer for
 */
export function evaluateNovelty(
  bundle: EvaluatedBundle & { readonly forests: readonly CoveredForest[] },
  matrix: FeatureMatrix,
  rowCount: number,
): Float64Array {
  const { manifest, parts, forests } = bundle
  const emptiness = parts.map((part, index) => {
    const forest = forests[index]!
    const emptinessOf = leafEmptiness(forest)
    const rows = rowsFor(part, matrix, rowCount, manifest, new Map())
    const width = rows.length / rowCount
    return Float64Array.from({ length: rowCount }, (_, row) => {
      let sum = 0
      for (const root of forest.roots) {
        let node = root
        while (forest.feature[node]! >= 0) {
          node = childOf(forest, node, rows[row * width + forest.feature[node]!]!)
        }
        sum += emptinessOf(node, root)
      }
      return sum / forest.roots.length
    })
  })
  return noveltyOf(parts, emptiness, evaluateBundle(bundle, matrix, rowCount).probabilities[0]!)
}

/** The rows as the trees of a part compare them; those that they refuse are put into `unanswered`. */
function rowsFor(
  { steps }: Part,
  matrix: FeatureMatrix,
  rowCount: number,
  { features, preprocessing: rules }: Pick<Manifest, 'features' | 'preprocessing'>,
  unanswered: Map<number, string>,
): FeatureMatrix {
  if (steps.length === 0) return matrix
  const refuse = (row: number, reason: string) => void (unanswered.has(row) || unanswered.set(row, reason))
  const { values, isRounded } = seenRows(steps, Float64Array.from(matrix), rowCount, refuse)
  const names = seenFeatures(steps, features)
  const rows = isRounded ? Float32Array.from(values) : values
  for (let i = 0; i < values.length; i++) {
    const why = whyNoAnswer(names[i % names.length]!, { value: values[i]!, seen: rows[i]!, rules })
    if (why !== undefined) refuse(Math.floor(i / names.length), why)
  }
  return rows
}

/** Margins of a forest: from each margin's base on, one value of every tree, in tree order and in the sum's precision. */
function addPlainly(
  forest: Forest,
  { margins, targets, base, precision }: Sum,
  matrix: FeatureMatrix,
  rowCount: number,
): Float64Array<ArrayBuffer> {
  const { roots, feature, leaf, leaves } = forest
  const width = matrix.length / rowCount
  const rounded = precision === 'float32' ? Math.fround : (value: number) => value
  const answer = new Float64Array(rowCount * margins.length)
  for (let row = 0; row < rowCount; row++) {
    const sums = base.map(rounded)
    roots.forEach((root, tree) => {
      let node = root
      while (feature[node]! >= 0) node = childOf(forest, node, matrix[row * width + feature[node]!]!)
      const target = targets[tree]!
      sums[target] = rounded(sums[target]! + rounded(leaves[leaf[node]!]!))
    })
    answer.set(sums, row * margins.length)
  }
  return answer
}
