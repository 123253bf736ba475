// How good the probabilities themselves are: log loss, Brier score, calibration.

/** Objects whose confidence lies in one interval, open to the left (the first one is closed). */
export interface ReliabilityBin {
  readonly from: number
  readonly to: number
  readonly objects: number
  /** mean confidence in the bin; null where it is empty */
  readonly confidence: number | null
  /** share of them that are right; null where it is empty */
  readonly observed: number | null
}

/** what scikit-learn cuts probabilities off at: no object can cost more than 36 */
const epsilon = Number.EPSILON

/** One level's probabilities with the truth. */
export interface Scored {
  /** objects × classes, row-major */
  readonly probabilities: Float64Array
  readonly width: number
  readonly truth: Int32Array
}

/** Mean of −ln P(true class), probabilities cut to [2.2e-16, 1 − 2.2e-16] (scikit-learn: `log_loss`). */
export function logLoss({ probabilities, width, truth }: Scored): number | null {
  return exactMean(truth.length, (row) => {
    const given = probabilities[row * width + truth[row]!]!
    return -Math.log(Math.min(Math.max(given, epsilon), 1 - epsilon))
  })
}

/** Mean over objects of Σ (P(class) − [it is the class])²: 0 to 2. For one class against the rest see `classBrier`. */
export function brier({ probabilities, width, truth }: Scored): number | null {
  return exactMean(truth.length, (row) =>
    exactSum(width, (i) => (probabilities[row * width + i]! - (truth[row] === i ? 1 : 0)) ** 2),
  )
}

/** The Brier score of one class against the rest (scikit-learn: `brier_score_loss`): 0 to 1. */
export function classBrier({ probabilities, width, truth }: Scored, index: number): number | null {
  return exactMean(truth.length, (row) => (probabilities[row * width + index]! - (truth[row] === index ? 1 : 0)) ** 2)
}

/**
 * Puts confidences into `count` intervals of equal width, as scikit-learn's `calibration_curve` does: a value on an edge
 * belongs to the lower one.
 *
 * @param isRight whether the object's event happened
 */
export function reliability(
  confidences: Float64Array,
  isRight: (row: number) => boolean,
  count: number,
): ReliabilityBin[] {
  const edges = Float64Array.from({ length: count + 1 }, (_, i) => i * (1 / count))
  const objects = new Float64Array(count)
  const right = new Float64Array(count)
  const rowsOf = Array.from({ length: count }, (): number[] => [])
  for (let row = 0; row < confidences.length; row++) {
    let bin = Math.min(count - 1, Math.max(0, Math.ceil(confidences[row]! * count) - 1))
    // the multiplication may round across an edge
    while (bin > 0 && confidences[row]! <= edges[bin]!) bin--
    while (bin < count - 1 && confidences[row]! > edges[bin + 1]!) bin++
    objects[bin]!++
    if (isRight(row)) right[bin]!++
    rowsOf[bin]!.push(row)
  }
  return rowsOf.map((rows, bin) => ({
    from: edges[bin]!,
    to: bin === count - 1 ? 1 : edges[bin + 1]!,
    objects: objects[bin]!,
    confidence: exactMean(rows.length, (i) => confidences[rows[i]!]!),
    observed: rows.length === 0 ? null : right[bin]! / objects[bin]!,
  }))
}

/** Σ (objects in bin / objects) · |observed − confidence|: the expected calibration error. */
export function expectedCalibrationError(bins: readonly ReliabilityBin[]): number | null {
  const total = bins.reduce((sum, bin) => sum + bin.objects, 0)
  return total === 0 ? null : exactSum(bins.length, (i) => (bins[i]!.objects / total) * gapOf(bins[i]!))
}

/** The largest gap of any bin. */
export function maximumCalibrationError(bins: readonly ReliabilityBin[]): number | null {
  const filled = bins.filter(({ objects }) => objects > 0)
  return filled.length === 0 ? null : Math.max(...filled.map(gapOf))
}

function gapOf({ confidence, observed }: ReliabilityBin): number {
  return confidence === null || observed === null ? 0 : Math.abs(observed - confidence)
}

// Sums that do not depend on how many numbers there are.

/** Adds numbers with Neumaier's compensation: the error stays one rounding, where a plain sum's grows with their number. */
export function exactSum(count: number, term: (index: number) => number): number {
  let sum = 0
  let lost = 0
  for (let i = 0; i < count; i++) {
    const value = term(i)
    const next = sum + value
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
    sum = next
  }
  return sum + lost
}

/** The mean; null of nothing. */
function exactMean(count: number, term: (index: number) => number): number | null {
  return count === 0 ? null : exactSum(count, term) / count
}
