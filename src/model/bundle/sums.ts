// Boosters: trees whose leaves add up to margins, and how margins become probabilities.
import { exp } from './exact-math.ts'
import { sigmoidOfXgboost, softmaxOfScipy, softmaxOfXgboost } from './float32-links.ts'
import type { Checker } from './manifest.ts'
import { type NumpyGeneration, numpyMath } from './numpy-math.ts'
import { numpySum } from './numpy-sum.ts'

/** How trees add up. */
export interface Sum {
  /** names of the margins: the classes, or the second of two alone */
  readonly margins: readonly string[]
  /** index of the margin that each tree adds to, in tree order */
  readonly targets: readonly number[]
  /** where each margin begins */
  readonly base: readonly number[]
  /** of every addition; the leaves are of the same precision */
  readonly precision: 'float32' | 'float64'
  readonly link: Link
}

const links = {
  /** e^margin ÷ the sum of them */
  softmax: ['scikit-learn', 'scikit-learn-hist', 'xgboost', 'xgboost-scipy', 'lightgbm'],
  /** e^(margin − the logarithm of the sum): scikit-learn before 1.4 */
  logSoftmax: ['scikit-learn'],
  /** 1 ÷ (1 + e^(−scale × margin)): of the one margin of two classes, or of each class by itself */
  sigmoid: ['scikit-learn', 'xgboost', 'lightgbm'],
  /** the margins themselves, for a calibration of them */
  none: ['scikit-learn'],
} as const

/** From margins to probabilities: each library has an arithmetic of its own. */
export interface Link {
  readonly kind: keyof typeof links
  readonly library: 'scikit-learn' | 'scikit-learn-hist' | 'xgboost' | 'xgboost-scipy' | 'lightgbm'
  /** of a sigmoid; absent for 1 */
  readonly scale?: number
  /** whose exp and log scikit-learn's softmax is made of; absent for 2 */
  readonly numpy?: NumpyGeneration
}

/**
 * Probabilities of margins.
 *
 * @param margins rowCount × the sum's margins, row-major
 * @returns rowCount × classCount, row-major
 */
export function linkMargins(
  { link, margins: names }: Pick<Sum, 'link' | 'margins'>,
  margins: Float64Array,
  rowCount: number,
  classCount: number,
): Float64Array {
  const width = names.length
  const answer = new Float64Array(rowCount * classCount)
  for (let row = 0; row < rowCount; row++) {
    const target = answer.subarray(row * classCount, (row + 1) * classCount)
    if (width === 1) linkOne(link, margins[row]!, target)
    else {
      target.set(margins.subarray(row * width, (row + 1) * width))
      linkMany(link, target)
    }
  }
  return answer
}

/** Two classes of one margin, which is that of the second. */
function linkOne(link: Link, margin: number, target: Float64Array): void {
  const isRounded = link.library === 'xgboost'
  const second = link.kind === 'none' ? margin : sigmoid(link, margin)
  target[0] = link.kind === 'none' ? -margin : isRounded ? Math.fround(1 - second) : 1 - second
  target[1] = second
}

function linkMany(link: Link, row: Float64Array): void {
  switch (link.kind) {
    case 'softmax':
      if (link.library === 'xgboost') softmaxOfXgboost(row)
      else if (link.library === 'xgboost-scipy') softmaxOfScipy(row)
      else if (link.library === 'lightgbm') softmax(row, exp, sumInOrder)
      else softmax(row, numpyMath[link.numpy ?? 2].exp, link.library === 'scikit-learn' ? sumOfRow : sumInOrder)
      return
    case 'logSoftmax':
      logSoftmax(row, numpyMath[link.numpy ?? 2])
      return
    case 'sigmoid':
      for (let i = 0; i < row.length; i++) row[i] = sigmoid(link, row[i]!)
      return
    case 'none':
      return
    default:
      link.kind satisfies never
  }
}

function maximumOf(row: Float64Array): number {
  let maximum = row[0]!
  for (let i = 1; i < row.length; i++) if (row[i]! > maximum) maximum = row[i]!
  return maximum
}

/** @param sum numpy's of a row that lies together; LightGBM and HistGradientBoosting add in order */
function softmax(row: Float64Array, power: (x: number) => number, sum: (row: Float64Array) => number): void {
  const maximum = maximumOf(row)
  for (let i = 0; i < row.length; i++) row[i] = power(row[i]! - maximum)
  const total = sum(row)
  for (let i = 0; i < row.length; i++) row[i] = row[i]! / total
}

function sumOfRow(row: Float64Array): number {
  return numpySum(row, 0, row.length)
}

function sumInOrder(row: Float64Array): number {
  let sum = 0
  for (let i = 0; i < row.length; i++) sum += row[i]!
  return sum
}

function logSoftmax(row: Float64Array, { exp, log }: (typeof numpyMath)[NumpyGeneration]): void {
  const maximum = maximumOf(row)
  const logarithm = log(sumOfRow(row.map((margin) => exp(margin - maximum)))) + maximum
  for (let i = 0; i < row.length; i++) row[i] = exp(row[i]! - logarithm)
}

function sigmoid({ library, scale = 1 }: Link, margin: number): number {
  return library === 'xgboost' ? sigmoidOfXgboost(margin) : 1 / (1 + exp(-scale * margin))
}

/** @throws ModelError for what is not a sum */
export function readSum(check: Checker, value: unknown): Sum {
  const sum = check.record(value, 'sum')
  const { precision } = sum
  if (precision !== 'float32' && precision !== 'float64') throw check.error('precision of a sum')
  const margins = check.names(sum['margins'], 'margins')
  const base = check.exactNumbers(sum['base'], 'base of a sum')
  const targets = check.list(sum['targets'], 'targets').map((target) => check.count(target, 'target of a tree'))
  if (base.length !== margins.length || targets.some((target) => target >= margins.length)) {
    throw check.error('targets of a sum')
  }
  return { margins, targets, base, precision, link: readLink(check, sum['link']) }
}

function readLink(check: Checker, value: unknown): Link {
  const { kind, library, scale, numpy } = check.record(value, 'link')
  const known = Object.keys(links).find((name): name is Link['kind'] => name === kind)
  const found = known && links[known].find((name) => name === library)
  if (!known || !found) throw check.error('link')
  if (numpy !== undefined && numpy !== 1 && numpy !== 2) throw check.error('numpy of a link')
  return {
    kind: known,
    library: found,
    ...(scale === undefined ? {} : { scale: check.number(scale, 'scale of a link') }),
    ...(numpy === undefined ? {} : { numpy }),
  }
}
