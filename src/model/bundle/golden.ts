// Golden answers: some inputs and what the model must say to them, bit for bit.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Taxonomy } from '../../pipeline/batch.ts'
import {
  createMatrix,
  type FeatureMatrix,
  preprocess,
  type Preprocessing,
  whyRejected,
} from '../../pipeline/preprocess.ts'
import { messageOf, ModelError, whyUnreadable } from '../../errors.ts'
import { readNumberText } from '../../formats/text-values.ts'
import type { Forest } from './forest.ts'
import { parseJson } from './manifest.ts'

/** What `golden.arrow` of a bundle holds. */
export interface Golden {
  readonly rowCount: number
  readonly oids: readonly string[]
  /** rowCount × features, row-major, as they were before preprocessing; NaN stands for null */
  readonly inputs: Float64Array
  /** in the order of the model's taxonomy: the product first */
  readonly expected: readonly {
    readonly classifierName: string
    readonly classes: readonly string[]
    /** rowCount × classes, row-major */
    readonly probabilities: Float64Array
  }[]
}

/** How far an engine is from the golden answers. */
export interface GoldenComparison {
  readonly rows: number
  /** how many probabilities differ, in any bit (0 and −0 are equal) */
  readonly differing: number
  /** how many of them are so far apart that float32 does not explain it */
  readonly beyond: number
  /** all probabilities that were compared */
  readonly compared: number
  /** null where all are equal */
  readonly worst: {
    readonly row: number
    readonly oid: string
    readonly classifierName: string
    readonly className: string
    readonly expected: number
    readonly got: number
    readonly difference: number
  } | null
}

/** The golden inputs, ready for a classifier: rowCount × features, row-major, preprocessed. */
export function goldenMatrix({ inputs }: Pick<Golden, 'inputs'>, rules: Preprocessing): FeatureMatrix {
  const matrix = createMatrix(inputs.length, rules)
  for (let i = 0; i < inputs.length; i++) matrix[i] = preprocess(inputs[i]!, rules)
  return matrix
}

/**
 * Compares an engine's answers with the golden ones.
 *
 * @param probabilities one array a level of the taxonomy, the product first (as in ClassifiedBatch)
 */
export function compareGolden(golden: Golden, probabilities: readonly Float64Array[]): GoldenComparison {
  let differing = 0
  let beyond = 0
  const compared = golden.expected.reduce((sum, { probabilities: { length } }) => sum + length, 0)
  let worst: GoldenComparison['worst'] = null
  golden.expected.forEach(({ classifierName, classes, probabilities: expected }, level) => {
    const got = probabilities[level]
    for (let i = 0; i < expected.length; i++) {
      const answer = got?.[i] ?? NaN
      if (answer === expected[i]) continue
      differing++
      const difference = Math.abs(answer - expected[i]!)
      // an answer that is missing or no number is beyond any
      if (!(difference < onnxTolerance)) beyond++
      // an answer that is missing or no number is worse than any
      if (worst && !(difference > worst.difference) && !(Number.isNaN(difference) && !Number.isNaN(worst.difference)))
        continue
      const row = Math.floor(i / classes.length)
      const className = classes[i % classes.length]!
      const oid = golden.oids[row] ?? ''
      worst = { row, oid, classifierName, className, expected: expected[i]!, got: answer, difference }
    }
  })
  return { rows: golden.rowCount, compared, differing, beyond, worst }
}

/** In words: equal in every bit, within what float32 allows, or really different. */
export function describeComparison({ rows, compared, differing, beyond, worst }: GoldenComparison): string {
  if (!worst) return `${rows} rows, every probability equal in every bit`
  const { row, oid, classifierName, className, expected, got, difference } = worst
  const where = `in row ${row} (${oid}), ${classifierName}/${className}`
  const apart = difference.toExponential(2)
  if (beyond === 0) {
    return `${rows} rows, every probability within 1e-6, but ${differing} of ${compared} not equal in every bit; the largest difference is ${apart}, ${where}`
  }
  const far = beyond === differing ? 'by more than 1e-6' : `${beyond} of them by more than 1e-6`
  return (
    `${differing} of ${compared} probabilities differ in ${rows} rows, ${far}, the worst ${where}: ` +
    `expected ${expected}, got ${got} (${apart} apart)`
  )
}

/** Expected answers in a taxonomy's order. */
export function goldenLevels({ levels }: Taxonomy, probabilities: readonly Float64Array[]): Golden['expected'] {
  return levels.map(({ classifierName, classes }, index) => ({
    classifierName,
    classes,
    probabilities: probabilities[index]!,
  }))
}

/**
 * How far onnxruntime's answers may be from the golden ones. Then the predicted class is the same wherever the best two
 * are further apart than twice this.
 */
export const onnxTolerance = 1e-6

/** Whether the worst difference is small enough for an engine that computes in float32. */
export function isWithinTolerance({ worst }: GoldenComparison): boolean {
  return worst === null || worst.difference < onnxTolerance
}

// Golden inputs for a model that comes without: drawn from the forest's own thresholds, always the same.

/** What inputs are drawn from; −1 for a node without a threshold. */
export type Splits = Pick<Forest, 'feature' | 'threshold'>

const drawnRows = 64
/** thresholds kept for each feature: enough to be different in every row */
const mostThresholds = 256

/**
 * Values where an engine goes wrong if it can: exactly on a threshold, one float32 beside it, missing, infinite, huge,
 * zero of both signs. Never one that preprocessing leaves infinite.
 *
 * @param prefix of the drawn oids
 * @returns inputs before preprocessing, and no expected answers
 */
export function drawGoldenInputs(forests: readonly Splits[], featureCount: number, prefix = 'golden'): Golden {
  const pools = thresholdsByFeature(forests, featureCount)
  const random = randomNumbers(20_200_914)
  const inputs = new Float64Array(drawnRows * featureCount)
  for (let i = 0; i < inputs.length; i++) inputs[i] = drawValue(pools[i % featureCount]!, random)
  const oids = Array.from({ length: drawnRows }, (_, row) => `${prefix}${row}`)
  return { rowCount: drawnRows, oids, inputs, expected: [] }
}

/** Inputs as drawn, with 0 for what would reject its row. */
export function acceptableInputs<Inputs extends Pick<Golden, 'inputs'>>(golden: Inputs, rules: Preprocessing): Inputs {
  const isRejected = (value: number) => whyRejected(value, preprocess(value, rules), rules) !== undefined
  return { ...golden, inputs: golden.inputs.map((value) => (isRejected(value) ? 0 : value)) }
}

const oddValues = [NaN, Infinity, -Infinity, 1e33, 1e32, -999, 0, -0, -1e30, 1e-45, 1e300]

function drawValue(thresholds: readonly number[], random: () => number): number {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  const kind = random()
  if (thresholds.length === 0 || kind < 0.1) return pick(oddValues)
  const threshold = pick(thresholds)
  const nearest = Math.fround(threshold)
  if (kind < 0.3) return threshold
  if (kind < 0.5) return nearest
  if (kind < 0.7) return nextFloat32(nearest, 1)
  if (kind < 0.9) return nextFloat32(nearest, -1)
  return threshold + (random() - 0.5) * Math.max(1, Math.abs(threshold))
}

/** The float32 beside a float32, upwards or downwards. */
export function nextFloat32(value: number, direction: 1 | -1): number {
  const floats = Float32Array.of(value)
  const bits = new Int32Array(floats.buffer)
  if (value === 0) return direction * 2 ** -149
  bits[0]! += value > 0 === direction > 0 ? 1 : -1
  return floats[0]!
}

function thresholdsByFeature(forests: readonly Splits[], featureCount: number): number[][] {
  const pools = Array.from({ length: featureCount }, (): number[] => [])
  for (const { feature, threshold } of forests) {
    // spread over the forest: the first trees alone would be enough for a broken reader of the last
    const step = Math.max(1, Math.floor(feature.length / (featureCount * mostThresholds)))
    for (let row = 0; row < feature.length; row += step) {
      const pool = feature[row]! >= 0 ? pools[feature[row]!]! : undefined
      // 1.3 and later can hold infinite thresholds; huge ones would be turned into something else first
      if (pool && pool.length < mostThresholds * forests.length && Math.abs(threshold[row]!) < 1e30)
        pool.push(threshold[row]!)
    }
  }
  return pools
}

/** Mulberry32: small, known, and the same everywhere. Numbers in [0, 1). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

// golden_input.csv and golden.json: a model's inputs and scikit-learn's own answers, as its trainer wrote them down.

/**
 * Reads a folder with `golden_input.csv` (oid, perhaps candid, features in any order; an empty field is null) and
 * `golden.json` (`classes` and `probabilities` by classifier_name; `sklearn`, `oid`, `predicted` where they are known).
 *
 * @returns the answers, where they come from, and the class of each row as the trainer saw it, where golden.json says so
 * @throws ModelError where a feature, a class or an answer is missing
 */
export async function readGoldenFiles(
  directory: string,
  { features, taxonomy }: { features: readonly string[]; taxonomy: Taxonomy },
): Promise<{ golden: Golden; source: string; predicted: readonly string[] | null }> {
  const csv = join(directory, 'golden_input.csv')
  const { oids, inputs } = await readInputs(csv, features)
  const path = join(directory, 'golden.json')
  const json = parseJson(await readText(path), path)
  if (!isRecord(json)) throw new ModelError(`${path}: not a JSON object`)
  const expected = taxonomy.levels.map((level) => readLevel(json, level, { path, rowCount: oids.length }))
  const { oid: listed, predicted, sklearn } = json
  const isSame = (given: unknown[]) =>
    given.length === oids.length && given.every((oid, row) => String(oid) === oids[row])
  if (Array.isArray(listed) && !isSame(listed)) throw new ModelError(`${path}: its oids are not those of ${csv}`)
  return {
    golden: { rowCount: oids.length, oids, inputs, expected },
    source: typeof sklearn === 'string' ? `scikit-learn ${sklearn}` : 'scikit-learn, version not given',
    predicted: Array.isArray(predicted) ? predicted.map(String) : null,
  }
}

async function readInputs(csv: string, features: readonly string[]): Promise<{ oids: string[]; inputs: Float64Array }> {
  const text = await readText(csv)
  const { parse } = await import('csv-parse/sync')
  let rows: string[][]
  try {
    rows = parse(text, { bom: true })
  } catch (cause) {
    throw new ModelError(`${csv}: cannot be read (${messageOf(cause)})`, { cause })
  }
  const header = rows[0] ?? []
  if (new Set(header).size !== header.length) throw new ModelError(`${csv}: a column appears twice`)
  const missing = features.filter((name) => !header.includes(name))
  if (missing.length > 0) {
    throw new ModelError(`${csv}: lacks ${missing.length} of the model's features: ${missing.slice(0, 5).join(', ')}`)
  }
  const [oidColumn, ...columns] = ['oid', ...features].map((name) => header.indexOf(name))
  const inputs = new Float64Array((rows.length - 1) * features.length)
  const oids = rows.slice(1).map((fields, row) => {
    columns.forEach((column, place) => {
      const value = readNumberText(fields[column]!)
      if (value === undefined) throw new ModelError(`${csv} row ${row + 1}: ${features[place]} is not a number`)
      inputs[row * features.length + place] = value
    })
    return oidColumn === -1 ? `row ${row}` : fields[oidColumn!]!
  })
  if (oids.length === 0) throw new ModelError(`${csv}: has no rows`)
  return { oids, inputs }
}

function readLevel(
  json: Record<string, unknown>,
  { classifierName, classes }: { classifierName: string; classes: readonly string[] },
  { path, rowCount }: { path: string; rowCount: number },
): Golden['expected'][number] {
  const memberOf = (value: unknown) =>
    isRecord(value) && Object.hasOwn(value, classifierName) ? value[classifierName] : undefined
  const names = memberOf(json['classes'])
  const rows = memberOf(json['probabilities'])
  if (!Array.isArray(names) || !Array.isArray(rows))
    throw new ModelError(`${path}: lacks the answers of ${classifierName}`)
  // numbers as labels come as numbers
  const given = names.map(String)
  const columns = classes.map((name) => given.indexOf(name))
  if (columns.includes(-1) || given.length !== classes.length) {
    throw new ModelError(
      `${path}: the classes of ${classifierName} are ${given.join(', ')}, the model has ${classes.join(', ')}`,
    )
  }
  if (rows.length !== rowCount)
    throw new ModelError(`${path}: ${classifierName} has ${rows.length} rows, the inputs ${rowCount}`)
  const probabilities = new Float64Array(rowCount * classes.length)
  rows.forEach((row: unknown, index) => {
    columns.forEach((column, place) => {
      const value: unknown = Array.isArray(row) && row.length === given.length ? row[column] : undefined
      if (typeof value !== 'number') throw new ModelError(`${path}: row ${index} of ${classifierName} is damaged`)
      probabilities[index * classes.length + place] = value
    })
  })
  return { classifierName, classes, probabilities }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new ModelError(`${path}: cannot be read (${whyUnreadable(cause)})`, {
      cause,
      hint: 'A golden folder holds golden_input.csv and golden.json.',
    })
  }
}
