// Models of any kind of parts, with thresholds and features that hurt in float32 and in float64.
import type { Forest } from '../../../src/model/bundle/forest.ts'
import type { Part } from '../../../src/model/bundle/parts.ts'
import type { Step } from '../../../src/model/bundle/steps.ts'
import type { Sum } from '../../../src/model/bundle/sums.ts'
import type { Preprocessing } from '../../../src/pipeline/preprocess.ts'
import { shapeOf, type TestModel } from './kernel-models.ts'
import { forestOf, landmarks, randomNumbers, type Tree } from './random-forests.ts'

export type Precision = 'float32' | 'float64'

type Random = () => number

const pick = <T>(random: Random, values: readonly T[]): T => values[Math.floor(random() * values.length)]!

/** The number beside x in a precision; beside the largest is infinity. */
export function beside(x: number, to: 1 | -1, precision: Precision): number {
  if (!Number.isFinite(x)) return x
  if (precision === 'float32') {
    const float = Float32Array.of(x)
    if (float[0] === 0) return to * 2 ** -149
    new Int32Array(float.buffer)[0]! += x > 0 === to > 0 ? 1 : -1
    return float[0]!
  }
  if (x === 0) return to * Number.MIN_VALUE
  const double = Float64Array.of(x)
  new BigInt64Array(double.buffer)[0]! += x > 0 === to > 0 ? 1n : -1n
  return double[0]!
}

function thresholdOf(random: Random): number {
  const x = pick(random, [...landmarks, Infinity, -Infinity, 5e-324, 2 ** -1022])
  const kind = random()
  if (kind < 0.4) return x
  if (kind < 0.6) return beside(x, pick(random, [1, -1]), pick(random, ['float32', 'float64']))
  return Math.round((random() - 0.5) * 16) / 8
}

/** Trees with a rule for missing values in about half of their nodes, or in none. */
function grownForest(
  random: Random,
  { trees, depth, features, columns }: { trees: number; depth: number; features: number; columns: number },
  leafValue: () => number,
): Forest {
  const grow = (left: number): Tree =>
    left === 0 || random() < 0.15
      ? { fractions: Array.from({ length: columns }, leafValue) }
      : {
          feature: Math.floor(random() * features),
          threshold: thresholdOf(random),
          left: grow(left - 1),
          right: grow(left - 1),
        }
  const forest = forestOf(
    Array.from({ length: trees }, () => grow(depth)),
    columns,
  )
  if (random() < 0.25) return forest
  return { ...forest, missingLeft: Uint8Array.from(forest.feature, (asked) => (asked >= 0 && random() < 0.5 ? 1 : 0)) }
}

function randomSum(random: Random, trees: number, classes: number, precision: Precision): Sum {
  const names = classes === 2 ? ['class 1'] : Array.from({ length: classes }, (_, i) => `class ${i}`)
  const rounded = (value: number) => (precision === 'float32' ? Math.fround(value) : value)
  return {
    margins: names,
    // most libraries take turns; any order must do
    targets: Array.from({ length: trees }, (_, tree) =>
      random() < 0.8 ? tree % names.length : Math.floor(random() * names.length),
    ),
    base: names.map(() => rounded(random() - 0.5)),
    precision,
    link: { kind: classes === 2 ? 'sigmoid' : 'softmax', library: 'xgboost' },
  }
}

/** What is random of a model. */
export interface ModelKind {
  readonly seed: number
  readonly precision: Precision
  readonly isSum: boolean
  readonly hasSteps: boolean
  readonly hasCalibration: boolean
  /** several are averaged */
  readonly parts: number
}

/** A flat model of some kind. */
export function randomModel({ seed, precision, isSum, hasSteps, hasCalibration, parts: count }: ModelKind): TestModel {
  const random = randomNumbers(seed)
  const features = 1 + Math.floor(random() * 5)
  const classes = 2 + Math.floor(random() * 4)
  const trees = 1 + Math.floor(random() * 12)
  const sumPrecision = pick<Precision>(random, ['float32', 'float64'])
  const leafValue = () => {
    const value = isSum ? (random() - 0.5) * 10 ** Math.floor(random() * 6 - 3) : random()
    return isSum && sumPrecision === 'float32' ? Math.fround(value) : value
  }
  const columns = isSum ? 1 : classes
  const depth = 1 + Math.floor(random() * 8)
  const forests = Array.from({ length: count }, () =>
    grownForest(random, { trees, depth, features, columns }, leafValue),
  )
  const number = () => pick(random, [0, 1, 0.1, -3, 1e-3, 1e30])
  const listOf = (value: () => number) => Array.from({ length: features }, value)
  const stepsOf = (): Step[] => {
    const columns = { kind: 'columns', indices: listOf(() => Math.floor(random() * features)) } as const
    const divide = random() < 0.5 ? null : listOf(() => number() || 2)
    const affine = { kind: 'affine', subtract: listOf(number), divide } as const
    const rounding = precision === 'float32' ? [{ kind: 'float32' } as const] : []
    return [affine, ...(random() < 0.3 ? [columns] : []), ...rounding]
  }
  const shared = random() < 0.5 ? stepsOf() : null
  const parts = forests.map(({ roots, feature }): Part => ({
    level: 0,
    trees: roots.length,
    nodes: feature.length,
    steps: hasSteps ? (shared ?? stepsOf()) : [],
    sum: isSum ? randomSum(random, trees, classes, sumPrecision) : null,
    calibration: hasCalibration
      ? { kind: 'sigmoid', a: Array.from({ length: classes }, () => -1), b: Array.from({ length: classes }, random) }
      : null,
  }))
  const preprocessing: Preprocessing = {
    missing: NaN,
    hugeAbove: Infinity,
    huge: 0,
    infinite: pick(random, ['kept', 'rejected']),
    ...(precision === 'float64' || hasSteps ? { precision: 'float64' } : {}),
    ...(random() < 0.2 ? { rejectsMissing: 'it takes none' } : {}),
  }
  const names = Array.from({ length: classes }, (_, i) => `class ${i}`)
  return {
    forests,
    features,
    parts,
    preprocessing,
    hierarchy: { taxonomy: null, levels: [{ branch: null, classes: names }] },
  }
}

/** Rows as a reader would give them, from the model's own thresholds and the numbers beside them. */
export function rowsOf(model: TestModel, rowCount: number, seed: number): Float32Array | Float64Array {
  const random = randomNumbers(seed)
  const { preprocessing, parts, features } = shapeOf(model)
  const isFloat64 = preprocessing.precision === 'float64'
  const precision: Precision = isFloat64 ? 'float64' : 'float32'
  const thresholds = model.forests.flatMap(({ threshold, feature }) =>
    [...threshold].filter((_, i) => feature[i]! >= 0),
  )
  const pool = [0, -0, 1, 2 ** -149, 5e-324, ...thresholds]
  const length = rowCount * features.length
  const values = Array.from({ length }, (_, i) => {
    const kind = random()
    if (kind < 0.1) return NaN
    if (kind < 0.12 && preprocessing.infinite === 'kept') return pick(random, [Infinity, -Infinity])
    if (kind < 0.14) return pick(random, [1e300, 3.4e38, -1e38, 1e-40])
    const step = parts[0]!.steps.find((one) => one.kind === 'affine')
    const back = step?.subtract?.[i % features.length] ?? 0
    const value = pick(random, pool) + back
    return kind < 0.5 ? value : beside(isFloat64 ? value : Math.fround(value), kind < 0.75 ? 1 : -1, precision)
  })
  // an infinity is not among what a reader lets through, unless it is kept
  const most = isFloat64 ? Number.MAX_VALUE : 3.4028234663852886e38
  const kept = (value: number) =>
    preprocessing.infinite === 'kept' || Number.isNaN(value) ? value : Math.max(-most, Math.min(most, value))
  return isFloat64 ? Float64Array.from(values, kept) : Float32Array.from(values, kept)
}
