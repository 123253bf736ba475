// A classifier run in the plainest way: what the engines do, without any of their tricks.
import type { Answers, Estimator } from '../../src/model/estimator.ts'
import { calibrate } from '../../src/model/bundle/calibration.ts'
import type { Forest } from '../../src/model/bundle/forest.ts'
import { encodeParts, decodeParts, type Part } from '../../src/model/bundle/parts.ts'
import { transformRows } from '../../src/model/bundle/steps.ts'
import { linkMargins, type Sum } from '../../src/model/bundle/sums.ts'
import { createMatrix, type Features, preprocess, whyRejected } from '../../src/pipeline/preprocess.ts'

/** What became of some rows. */
export interface PlainRun extends Answers {
  /** indices of the rows that were used; the answers are theirs */
  readonly rows: readonly number[]
  /** why each of the others was not */
  readonly rejected: ReadonlyMap<number, string>
  /** the rows used, preprocessed */
  readonly matrix: Features
}

/**
 * Preprocesses rows, runs every part as a bundle would give it back, and takes the mean.
 *
 * @param inputs rowCount × features, row-major, as they were read
 */
export function runPlainly(estimator: Estimator, inputs: Float64Array): PlainRun {
  const { featureCount, preprocessing, classes, forests } = estimator
  const rejected = new Map<number, string>()
  const rows: number[] = []
  for (let row = 0; row < inputs.length / featureCount; row++) {
    const values = inputs.subarray(row * featureCount, (row + 1) * featureCount)
    const reason = [...values]
      .map((value) => whyRejected(value, preprocess(value, preprocessing), preprocessing))
      .find((why) => why !== undefined)
    if (reason === undefined) rows.push(row)
    else rejected.set(row, reason)
  }
  const matrix = createMatrix(rows.length * featureCount, preprocessing)
  rows.forEach((row, place) => {
    for (let i = 0; i < featureCount; i++) {
      matrix[place * featureCount + i] = preprocess(inputs[row * featureCount + i]!, preprocessing)
    }
  })
  const parts = decodeParts(Buffer.from(encodeParts(estimator.parts)).toString(), 1)
  const answers = parts.map((part, i) => runPart(part, forests[i]!, { matrix, rowCount: rows.length, classes }))
  const probabilities = new Float64Array(rows.length * classes.length)
  for (const answer of answers) answer.probabilities.forEach((value, i) => (probabilities[i]! += value))
  if (answers.length > 1) probabilities.forEach((sum, i) => (probabilities[i] = sum / answers.length))
  return { rows, rejected, matrix, probabilities, margins: answers[0]!.margins }
}

function runPart(
  { steps, sum, calibration }: Part,
  forest: Forest,
  { matrix, rowCount, classes }: { matrix: Features; rowCount: number; classes: readonly string[] },
): Answers {
  const seen = steps.length === 0 ? matrix : transformRows(steps, Float64Array.from(matrix), rowCount)
  const margins = sum && addLeaves(forest, sum, { matrix: seen, rowCount })
  const answers = sum ? linkMargins(sum, margins!, rowCount, classes.length) : meanOfLeaves(forest, seen, rowCount)
  if (calibration === null) return { probabilities: answers, margins }
  return { probabilities: calibrate(calibration, answers, rowCount, classes.length), margins: null }
}

function addLeaves(
  forest: Forest,
  { targets, base, precision }: Sum,
  { matrix, rowCount }: { matrix: Features; rowCount: number },
): Float64Array {
  const margins = new Float64Array(rowCount * base.length)
  for (let row = 0; row < rowCount; row++) {
    const values = matrix.subarray((row * matrix.length) / rowCount, ((row + 1) * matrix.length) / rowCount)
    const sums = [...base]
    forest.roots.forEach((root, tree) => {
      const next = sums[targets[tree]!]! + forest.leaves[forest.leaf[leafOf(forest, root, values)]!]!
      sums[targets[tree]!] = precision === 'float32' ? Math.fround(next) : next
    })
    margins.set(sums, row * base.length)
  }
  return margins
}

function meanOfLeaves(forest: Forest, matrix: Features, rowCount: number): Float64Array {
  const width = forest.classes.length
  const answer = new Float64Array(rowCount * width)
  for (let row = 0; row < rowCount; row++) {
    const values = matrix.subarray((row * matrix.length) / rowCount, ((row + 1) * matrix.length) / rowCount)
    for (const root of forest.roots) {
      const leaf = forest.leaf[leafOf(forest, root, values)]!
      for (let i = 0; i < width; i++) answer[row * width + i]! += forest.leaves[leaf * width + i]!
    }
  }
  return answer.map((sum) => sum / forest.roots.length)
}

function leafOf({ feature, threshold, left, missingLeft }: Forest, root: number, values: Features): number {
  let node = root
  while (feature[node]! >= 0) {
    const value = values[feature[node]!]!
    const goesLeft = Number.isNaN(value) ? missingLeft?.[node] === 1 : value <= threshold[node]!
    node = left[node]! + (goesLeft ? 0 : 1)
  }
  return node
}

/** How far two lists are apart: how many numbers differ, and by how many units in the last place at most. */
export function distance(got: Float64Array, expected: Float64Array, precision: 'float32' | 'float64' = 'float64') {
  let differing = got.length === expected.length ? 0 : Infinity
  let worst = 0
  for (let i = 0; i < expected.length; i++) {
    if (got[i] === expected[i]) continue
    differing++
    const apart =
      precision === 'float32' ? ordinal32(got[i]!) - ordinal32(expected[i]!) : apart64(got[i]!, expected[i]!)
    if (!(Math.abs(apart) <= worst)) worst = Math.abs(apart)
  }
  return { differing, worst }
}

const bits = new DataView(new ArrayBuffer(8))

function ordinal32(value: number): number {
  bits.setFloat32(0, value)
  const integer = bits.getInt32(0)
  return integer < 0 ? -(integer & 0x7fffffff) : integer
}

function apart64(a: number, b: number): number {
  return Number(ordinal64(a) - ordinal64(b))
}

function ordinal64(value: number): bigint {
  bits.setFloat64(0, value)
  const integer = bits.getBigInt64(0)
  return integer < 0n ? -(integer & 0x7fffffffffffffffn) : integer
}
