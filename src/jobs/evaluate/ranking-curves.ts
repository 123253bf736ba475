// One class against the rest at every threshold: ROC and precision-recall curves and their areas.

/** One class's curves. Areas are null where every object or none is of the class. */
interface RankingCurves {
  /** area under the ROC curve (scikit-learn: `roc_auc_score`) */
  readonly roc_auc: number | null
  /** Σ (recall step) · precision (scikit-learn: `average_precision_score`); null where no object is of the class */
  readonly average_precision: number | null
  /** thinned to about a hundred points, the ends included */
  readonly curve: readonly CurvePoint[]
}

/** The objects at or above a threshold. */
export interface CurvePoint {
  readonly threshold: number
  readonly false_positive_rate: number
  /** also called recall */
  readonly true_positive_rate: number
  readonly precision: number
}

/** points of a curve that are kept: more than a figure can show */
const shownPoints = 100

/**
 * @param scores the class's probability of each object
 * @param isOfClass whether the object is of the class
 */
export function rankingCurves(scores: Float64Array, isOfClass: (row: number) => boolean): RankingCurves {
  const { positives, negatives } = parted(scores, isOfClass)
  let rocSum = 0
  let precisionSum = 0
  let previous = { hits: 0, misses: 0 }
  const points: CurvePoint[] = []
  let shown = { hits: 0, misses: 0 }
  const isFar = (hits: number, misses: number): boolean =>
    (hits - shown.hits) * shownPoints >= positives.length || (misses - shown.misses) * shownPoints >= negatives.length
  eachThreshold(positives, negatives, (threshold, hits, misses) => {
    // twice the area of the trapezoid, in whole numbers
    rocSum += (misses - previous.misses) * (hits + previous.hits)
    precisionSum += ((hits - previous.hits) * hits) / (hits + misses)
    previous = { hits, misses }
    const isLast = hits === positives.length && misses === negatives.length
    if (points.length > 0 && !isLast && !isFar(hits, misses)) return
    shown = previous
    points.push({
      threshold,
      false_positive_rate: negatives.length === 0 ? 0 : misses / negatives.length,
      true_positive_rate: positives.length === 0 ? 0 : hits / positives.length,
      precision: hits / (hits + misses),
    })
  })
  const hasBoth = positives.length > 0 && negatives.length > 0
  return {
    roc_auc: hasBoth ? rocSum / 2 / (positives.length * negatives.length) : null,
    average_precision: positives.length > 0 ? precisionSum / positives.length : null,
    curve: points,
  }
}

/** Scores of both kinds in rising order. Sorting plain numbers is ten times as fast as sorting rows by their score. */
function parted(
  scores: Float64Array,
  isOfClass: (row: number) => boolean,
): { positives: Float64Array; negatives: Float64Array } {
  const positives = scores.filter((_, row) => isOfClass(row)).sort()
  const negatives = scores.filter((_, row) => !isOfClass(row)).sort()
  return { positives, negatives }
}

/** Goes down the distinct scores; equal ones count together, as nothing can part them. */
function eachThreshold(
  positives: Float64Array,
  negatives: Float64Array,
  visit: (threshold: number, hits: number, misses: number) => void,
): void {
  let p = positives.length
  let n = negatives.length
  while (p > 0 || n > 0) {
    const threshold = Math.max(p > 0 ? positives[p - 1]! : -Infinity, n > 0 ? negatives[n - 1]! : -Infinity)
    while (p > 0 && positives[p - 1] === threshold) p--
    while (n > 0 && negatives[n - 1] === threshold) n--
    visit(threshold, positives.length - p, negatives.length - n)
  }
}
