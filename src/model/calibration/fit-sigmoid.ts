// Platt's sigmoid, as scikit-learn's CalibratedClassifierCV fits it, to the place where its optimiser ends.
import { exp, log, log1p } from '../bundle/exact-math.ts'
import { numpySum } from '../bundle/numpy-sum.ts'
import { minimized, type Pair, type Place } from './limited-memory-bfgs.ts'

/** larger scores are brought into −1 … 1 first */
const largestScore = 30
const stops = { gtol: 1e-6, ftol: 64 * Number.EPSILON }

/**
 * The a and b of 1 ÷ (1 + e^(a × score + b)) that lessen the log loss against Platt's softened targets (J. Platt, 1999,
 * section 2.2; `_sigmoid_calibration` of sklearn/calibration.py). scikit-learn ends a little before the minimum, and so do we.
 *
 * @param scores one an object
 */
export function fitSigmoid(scores: Float64Array, isOfClass: (row: number) => boolean): { a: number; b: number } {
  const largest = scores.reduce((most, score) => Math.max(most, Math.abs(score)), 0)
  const scale = largest >= largestScore ? largest : 1
  const scaled = scale === 1 ? scores : scores.map((score) => score / scale)
  const flags = Uint8Array.from(scores, (_, row) => (isOfClass(row) ? 1 : 0))
  const ofClass = flags.reduce((sum, flag) => sum + flag, 0)
  const others = flags.length - ofClass
  const targets = Float64Array.from(flags, (flag) => (flag ? (ofClass + 1) / (ofClass + 2) : 1 / (others + 2)))
  const [a, b] = minimized(lossOf(scaled, targets), [0, log((others + 1) / (ofClass + 1))], stops)
  return { a: a / scale, b }
}

/** Half the binomial deviance of −(a × score + b), and its slopes; added up as numpy adds, for the last bits decide where it ends. */
function lossOf(scores: Float64Array, targets: Float64Array): (x: Pair) => Place {
  const losses = new Float64Array(scores.length)
  const errors = new Float64Array(scores.length)
  const products = new Float64Array(scores.length)
  return (x) => {
    const [a, b] = x
    for (let row = 0; row < scores.length; row++) {
      const raw = -(a * scores[row]! + b)
      const target = targets[row]!
      // e^−|raw|, or e^raw from −2 to 0 turned round, so that nothing is lost
      const isFalling = raw <= -2
      const small = exp(isFalling ? raw : -raw)
      // 1 + e^37 is e^37, and log(1 + e^−18) is not yet e^−18: scikit-learn takes it for that
      const tail = raw <= -37 || raw > 18 ? small : log1p(small)
      losses[row] = isFalling ? tail - target * raw : tail + (1 - target) * raw
      const error =
        raw <= -37
          ? small - target
          : (isFalling ? (1 - target) * small - target : 1 - target - target * small) / (1 + small)
      errors[row] = error
      products[row] = error * scores[row]!
    }
    const sum = (values: Float64Array): number => numpySum(values, 0, values.length)
    return { x, value: sum(losses), gradient: [-sum(products), -sum(errors)] }
  }
}
