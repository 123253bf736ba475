// Points and weights that integrate polynomials exactly.

/** A quadrature rule on the interval from 0 to 1. */
export interface Quadrature {
  readonly points: Float64Array
  /** 1 − point, without the rounding of the subtraction */
  readonly rests: Float64Array
  readonly weights: Float64Array
}

/**
 * Gauss–Legendre: with n points exact for every polynomial up to degree 2n − 1. Points by Newton's method from the usual
 * first guess; good to the last digits for the few dozens that trees need.
 */
export function gaussLegendre(n: number): Quadrature {
  const points = new Float64Array(n)
  const rests = new Float64Array(n)
  const weights = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5))
    let slope = 1
    for (let step = 0; step < 100; step++) {
      const { value, derivative } = legendre(n, x)
      const next = x - value / derivative
      slope = derivative
      if (Math.abs(next - x) <= Number.EPSILON) break
      x = next
    }
    points[i] = (1 - x) / 2
    rests[i] = (1 + x) / 2
    // on −1…1 it is 2 / ((1 − x²) p′²); the interval is half as long
    weights[i] = 1 / ((1 - x) * (1 + x) * slope * slope)
  }
  return { points, rests, weights }
}

function legendre(n: number, x: number): { value: number; derivative: number } {
  let [before, value] = [1, x]
  for (let k = 2; k <= n; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k]
  return { value, derivative: (n * (x * value - before)) / (x * x - 1) }
}
