// How good the probabilities themselves are: log loss, Brier score, calibration, ROC and precision-recall curves.

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

/** Objects whose confidence lies in one interval, open to the left (the first one is closed). */
export type ReliabilityBin = ReturnType<typeof reliability>[number]

/**
 * Puts confidences into `count` intervals of equal width, as scikit-learn's `calibration_curve` does: a value on an edge
 * belongs to the lower one.
 *
 * @param isRight whether the object's event happened
 */
export function reliability(confidences: Float64Array, isRight: (row: number) => boolean, count: number) {
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
    /** mean confidence in the bin; null where it is empty */
    confidence: exactMean(rows.length, (i) => confidences[rows[i]!]!),
    /** share of them that are right; null where it is empty */
    observed: rows.length === 0 ? null : right[bin]! / objects[bin]!,
  }))
}

/** Σ (objects in bin / objects) · |observed − confidence|: the expected calibration error. */
export function expectedCalibrationError(bins: readonly ReliabilityBin[]): number | null {
  const total = bins.reduce((sum, bin) => sum + bin.objects, 0)
  return total === 0 ? null : exactSum(bins.length, (i) => (bins[i]!.objects / total) * gapOf(bins[i]!))
}

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

// One class against the rest at every threshold: ROC and precision-recall curves and their areas.

/** The objects at or above a threshold. */
export type CurvePoint = ReturnType<typeof rankingCurves>['curve'][number]

/** points of a curve that are kept: more than a figure can show */
const shownPoints = 100

/**
 * @param scores the class's probability of each object
 * @param isOfClass whether the object is of the class
 */
export function rankingCurves(scores: Float64Array, isOfClass: (row: number) => boolean) {
  // sorting plain numbers is ten times as fast as sorting rows by their score
  const positives = scores.filter((_, row) => isOfClass(row)).sort()
  const negatives = scores.filter((_, row) => !isOfClass(row)).sort()
  let rocSum = 0
  let precisionSum = 0
  let [hits, misses] = [0, 0]
  let shown = { hits, misses }
  const curve = []
  // down the distinct scores; equal ones count together, as nothing can part them
  while (hits < positives.length || misses < negatives.length) {
    const before = { hits, misses }
    const threshold = Math.max(positives.at(-1 - hits) ?? -Infinity, negatives.at(-1 - misses) ?? -Infinity)
    while (positives[positives.length - 1 - hits] === threshold) hits++
    while (negatives[negatives.length - 1 - misses] === threshold) misses++
    // twice the area of the trapezoid, in whole numbers
    rocSum += (misses - before.misses) * (hits + before.hits)
    precisionSum += ((hits - before.hits) * hits) / (hits + misses)
    const isLast = hits === positives.length && misses === negatives.length
    const isFar =
      (hits - shown.hits) * shownPoints >= positives.length || (misses - shown.misses) * shownPoints >= negatives.length
    if (curve.length > 0 && !isLast && !isFar) continue
    shown = { hits, misses }
    curve.push({
      threshold,
      false_positive_rate: negatives.length === 0 ? 0 : misses / negatives.length,
      /** also called recall */
      true_positive_rate: positives.length === 0 ? 0 : hits / positives.length,
      precision: hits / (hits + misses),
    })
  }
  const hasBoth = positives.length > 0 && negatives.length > 0
  return {
    /** area under the ROC curve (scikit-learn: `roc_auc_score`); null where every object or none is of the class */
    roc_auc: hasBoth ? rocSum / 2 / (positives.length * negatives.length) : null,
    /** Σ (recall step) · precision (scikit-learn: `average_precision_score`); null where no object is of the class */
    average_precision: positives.length > 0 ? precisionSum / positives.length : null,
    /** thinned to about a hundred points, the ends included */
    curve,
  }
}
