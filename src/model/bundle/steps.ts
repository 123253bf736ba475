// Transformations of features before the trees, column by column in float64, as scikit-learn makes them.
import { DataError } from '../../errors.ts'
import { expm1, log, log1p, pow } from './exact-math.ts'
import { interpolate } from './interpolate.ts'
import type { Checker } from './manifest.ts'
import { normalQuantile } from './normal-quantile.ts'

type Numbers = ArrayLike<number>

/** One step of a pipeline. Every list of numbers has one entry a column. */
export type Step =
  /** StandardScaler, RobustScaler, MaxAbsScaler: (x − subtract) ÷ divide */
  | { readonly kind: 'affine'; readonly subtract: Numbers | null; readonly divide: Numbers | null }
  /** MinMaxScaler: x × multiply + add, then not below the first limit and not above the second */
  | { readonly kind: 'scale'; readonly multiply: Numbers; readonly add: Numbers; readonly limits: Numbers | null }
  /** SimpleImputer: what equals `missing` (NaN: what is missing) becomes the column's value */
  | { readonly kind: 'impute'; readonly missing: number; readonly values: Numbers }
  /** the columns that are left, by their indices */
  | { readonly kind: 'columns'; readonly indices: readonly number[] }
  /** QuantileTransformer: the place of x between the column's quantiles, of which `references` are the heights */
  | {
      readonly kind: 'quantiles'
      readonly output: 'uniform' | 'normal'
      readonly references: Numbers
      readonly quantiles: readonly Numbers[]
    }
  /** PowerTransformer; 'yeo-johnson-expm1' is the same function as scikit-learn 1.9 works it out */
  | { readonly kind: 'power'; readonly method: (typeof powerMethods)[number]; readonly lambdas: Numbers }
  /** LightGBM's zero_as_missing: zeros of these columns, and what is nearer to zero than `limit`, are missing */
  | { readonly kind: 'zeros'; readonly indices: readonly number[]; readonly limit: number }
  /** what trees of float32 are given */
  | { readonly kind: 'float32' }

const powerMethods = ['yeo-johnson', 'yeo-johnson-expm1', 'box-cox'] as const

/**
 * Rows as the trees see them.
 *
 * @param rows rowCount × columns, row-major; stays as it is
 * @returns rowCount × columns, as many as before unless a step says which are left
 * @throws DataError where a value becomes infinite or too large for float32, or has no transformation: scikit-learn refuses
 *   such a batch
 */
export function transformRows(steps: readonly Step[], rows: Float64Array, rowCount: number): Float64Array {
  let matrix: Float64Array = rows.slice()
  for (const step of steps) {
    const width = rowCount === 0 ? 0 : matrix.length / rowCount
    if (step.kind === 'columns') matrix = pickColumns(matrix, { rowCount, width, indices: step.indices })
    else if (step.kind === 'float32') roundAll(matrix, width)
    else {
      const indices = step.kind === 'zeros' ? step.indices : Array.from({ length: width }, (_, column) => column)
      for (const column of indices) {
        const transform = transformation(step, column)
        for (let at = column; at < matrix.length; at += width) matrix[at] = transform(matrix[at]!)
      }
    }
  }
  return matrix
}

function pickColumns(
  matrix: Float64Array,
  { rowCount, width, indices }: { rowCount: number; width: number; indices: readonly number[] },
): Float64Array {
  const picked = new Float64Array(rowCount * indices.length)
  for (let row = 0; row < rowCount; row++) {
    for (let i = 0; i < indices.length; i++) picked[row * indices.length + i] = matrix[row * width + indices[i]!]!
  }
  return picked
}

function roundAll(matrix: Float64Array, width: number): void {
  for (let i = 0; i < matrix.length; i++) {
    const rounded = Math.fround(matrix[i]!)
    if (rounded === Infinity || rounded === -Infinity) {
      throw new DataError(
        `feature ${i % width} of a row is ${matrix[i]} after the model's transformations, beyond float32`,
        {
          hint: 'scikit-learn refuses such rows too. Take them out of the input.',
        },
      )
    }
    matrix[i] = rounded
  }
}

type ColumnStep = Exclude<Step, { kind: 'columns' | 'float32' }>

/** What a step does to a value of one column. */
function transformation(step: ColumnStep, column: number): (x: number) => number {
  switch (step.kind) {
    case 'affine': {
      const subtract = step.subtract?.[column]
      const divide = step.divide?.[column]
      if (subtract === undefined) return divide === undefined ? (x) => x : (x) => x / divide
      return divide === undefined ? (x) => x - subtract : (x) => (x - subtract) / divide
    }
    case 'scale': {
      const multiply = step.multiply[column]!
      const add = step.add[column]!
      if (step.limits === null) return (x) => x * multiply + add
      const [low, high] = [step.limits[0]!, step.limits[1]!]
      return (x) => clip(x * multiply + add, low, high)
    }
    case 'impute': {
      const { missing } = step
      const value = step.values[column]!
      if (missing !== missing) return (x) => (x !== x ? value : x)
      return (x) => (x === missing ? value : x)
    }
    case 'quantiles':
      return quantileFunction(step, step.quantiles[column]!)
    case 'power':
      return powerFunction(step.method, step.lambdas[column]!)
    case 'zeros': {
      const { limit } = step
      return (x) => (x >= -limit && x <= limit ? NaN : x)
    }
    default:
      return step satisfies never
  }
}

/** numpy.clip: NaN stays. */
function clip(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x
}

// QuantileTransformer (`_transform_col` of sklearn/preprocessing/_data.py).

/** how near to the outermost quantiles a value is at them, for the normal distribution */
const boundsThreshold = 1e-7
const lowestNormal = normalQuantile(boundsThreshold - 2 ** -52)
const highestNormal = normalQuantile(1 - (boundsThreshold - 2 ** -52))

function quantileFunction(
  { references, output }: Extract<Step, { kind: 'quantiles' }>,
  quantiles: Numbers,
): (x: number) => number {
  const backwards = (list: Numbers) =>
    Float64Array.from(list)
      .reverse()
      .map((value) => -value)
  const [turned, turnedReferences] = [backwards(quantiles), backwards(references)]
  const [lowest, highest] = [quantiles[0]!, quantiles[quantiles.length - 1]!]
  // the mean of both directions, because quantiles can be equal
  const place = (x: number) => 0.5 * (interpolate(x, quantiles, references) - interpolate(-x, turned, turnedReferences))
  if (output === 'uniform') return (x) => (x === lowest ? 0 : x === highest ? 1 : place(x))
  return (x) => {
    if (x - boundsThreshold < lowest) return lowestNormal
    if (x + boundsThreshold > highest) return highestNormal
    return clip(normalQuantile(place(x)), lowestNormal, highestNormal)
  }
}

// PowerTransformer (`_yeo_johnson_transform` there; scipy's `yeojohnson` and `boxcox`).

const epsilon = 2 ** -52

function powerFunction(method: (typeof powerMethods)[number], lambda: number): (x: number) => number {
  const mirrored = 2 - lambda
  const hasLog = Math.abs(lambda) < epsilon
  const hasMirroredLog = Math.abs(lambda - 2) <= epsilon
  switch (method) {
    case 'yeo-johnson':
      return (x) => {
        if (x >= 0) return hasLog ? log1p(x) : (pow(x + 1, lambda) - 1) / lambda
        return hasMirroredLog ? -log1p(-x) : -(pow(-x + 1, mirrored) - 1) / mirrored
      }
    case 'yeo-johnson-expm1':
      return (x) => {
        if (x >= 0) return hasLog ? log1p(x) : expm1(lambda * log1p(x)) / lambda
        return hasMirroredLog ? -log1p(-x) : -expm1(mirrored * log1p(-x)) / mirrored
      }
    case 'box-cox':
      return (x) => {
        if (x <= 0) {
          throw new DataError(`a feature is ${x}, and the model's Box-Cox transformation takes positive numbers only`, {
            hint: 'scikit-learn refuses such rows too. Take them out of the input.',
          })
        }
        return Math.abs(lambda) < 1e-19 ? log(x) : expm1(lambda * log(x)) / lambda
      }
    default:
      return method satisfies never
  }
}

/** @throws ModelError for what is not a step */
export function readStep(check: Checker, value: unknown): Step {
  const step = check.record(value, 'step')
  const numbers = (list: unknown) => Float64Array.from(check.exactNumbers(list, 'numbers of a step'))
  const numbersOrNull = (list: unknown) => (list === null ? null : numbers(list))
  const indices = () => check.list(step['indices'], 'columns of a step').map((i) => check.count(i, 'column of a step'))
  switch (step['kind']) {
    case 'affine':
      return { kind: 'affine', subtract: numbersOrNull(step['subtract']), divide: numbersOrNull(step['divide']) }
    case 'scale': {
      const limits = numbersOrNull(step['limits'])
      if (limits !== null && limits.length !== 2) throw check.error('limits of a step')
      return { kind: 'scale', multiply: numbers(step['multiply']), add: numbers(step['add']), limits }
    }
    case 'impute':
      return { kind: 'impute', missing: numbers([step['missing']])[0]!, values: numbers(step['values']) }
    case 'columns':
      return { kind: 'columns', indices: indices() }
    case 'quantiles': {
      const { output } = step
      if (output !== 'uniform' && output !== 'normal') throw check.error('distribution of a step')
      const quantiles = check.list(step['quantiles'], 'quantiles of a step').map(numbers)
      const references = numbers(step['references'])
      if (references.length === 0 || quantiles.some(({ length }) => length !== references.length)) {
        throw check.error('quantiles of a step')
      }
      return { kind: 'quantiles', output, references, quantiles }
    }
    case 'power': {
      const method = powerMethods.find((known) => known === step['method'])
      if (method === undefined) throw check.error('method of a step')
      return { kind: 'power', method, lambdas: numbers(step['lambdas']) }
    }
    case 'zeros':
      return { kind: 'zeros', indices: indices(), limit: check.number(step['limit'], 'limit of a step') }
    case 'float32':
      return { kind: 'float32' }
    default:
      throw check.error('kind of a step')
  }
}

/**
 * How many columns are left of so many.
 *
 * @returns null where a step's lists are not of as many columns as arrive
 */
export function columnsAfter(steps: readonly Step[], columns: number): number | null {
  let width = columns
  for (const step of steps) {
    const isFitting = listsOf(step).every((list) => list === null || list.length === width)
    const used = 'indices' in step ? step.indices : []
    if (!isFitting || used.some((index) => index >= width)) return null
    if (step.kind === 'columns') width = step.indices.length
  }
  return width
}

function listsOf(step: Step): (Numbers | null)[] {
  switch (step.kind) {
    case 'affine':
      return [step.subtract, step.divide]
    case 'scale':
      return [step.multiply, step.add]
    case 'impute':
      return [step.values]
    case 'quantiles':
      return [step.quantiles as unknown as Numbers]
    case 'power':
      return [step.lambdas]
    case 'columns':
    case 'zeros':
    case 'float32':
      return []
    default:
      return step satisfies never
  }
}
