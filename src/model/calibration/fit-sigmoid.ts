// Platt's sigmoid, as scikit-learn's CalibratedClassifierCV fits it, taken to its very minimum.

/**
 * The a and b of 1 ÷ (1 + e^(a × score + b)) with the least log loss against Platt's softened targets (J. Platt, 1999,
 * section 2.2; `_sigmoid_calibration` of sklearn/calibration.py). The loss is convex: Newton's steps, halved where they go
 * too far. scikit-learn's own steps end a little before the minimum, where its gradient is below 1e-6.
 *
 * @param scores one an object
 */
export function fitSigmoid(scores: Float64Array, isOfClass: (row: number) => boolean): { a: number; b: number } {
  const flags = Uint8Array.from(scores, (_, row) => (isOfClass(row) ? 1 : 0))
  const ofClass = flags.reduce((sum, flag) => sum + flag, 0)
  const others = flags.length - ofClass
  const targets = Float64Array.from(flags, (flag) => (flag ? (ofClass + 1) / (ofClass + 2) : 1 / (others + 2)))
  let at: Point = lossAt(scores, targets, 0, Math.log((others + 1) / (ofClass + 1)))
  for (let step = 0; step < mostSteps; step++) {
    const { a, b, gradient, hessian } = at
    const [aa, ab, bb] = hessian
    // scores that are all alike leave one direction flat
    const ridge = 1e-12 * (aa + bb) + 1e-300
    const determinant = (aa + ridge) * (bb + ridge) - ab * ab
    const da = ((bb + ridge) * gradient[0] - ab * gradient[1]) / determinant
    const db = ((aa + ridge) * gradient[1] - ab * gradient[0]) / determinant
    let share = 1
    let next = lossAt(scores, targets, a - da, b - db)
    // near the minimum losses differ by their rounding only
    const limit = at.loss * (1 + 1e-13)
    while (!(next.loss <= limit) && share > 1e-6) {
      share /= 2
      next = lossAt(scores, targets, a - share * da, b - share * db)
    }
    if (!(next.loss <= limit)) break
    at = next
    if (Math.abs(da) <= 1e-13 * Math.abs(a) && Math.abs(db) <= 1e-13 * Math.abs(b)) break
  }
  return { a: at.a, b: at.b }
}

const mostSteps = 100

type Point = ReturnType<typeof lossAt>

/** The loss, its slope and its curvature. */
function lossAt(scores: Float64Array, targets: Float64Array, a: number, b: number) {
  let [loss, da, db, aa, ab, bb] = [0, 0, 0, 0, 0, 0]
  for (let row = 0; row < scores.length; row++) {
    const score = scores[row]!
    // p = 1 ÷ (1 + e^raw)
    const raw = a * score + b
    const small = Math.exp(-Math.abs(raw))
    const p = raw > 0 ? small / (1 + small) : 1 / (1 + small)
    const target = targets[row]!
    loss += Math.log1p(small) + Math.max(raw, 0) - (1 - target) * raw
    const error = target - p
    const weight = p * (1 - p)
    da += error * score
    db += error
    aa += weight * score * score
    ab += weight * score
    bb += weight
  }
  return { a, b, loss, gradient: [da, db] as const, hessian: [aa, ab, bb] as const }
}
