// The inverse of the normal distribution, as scipy has it (cephes' `ndtri`, `scipy.stats.norm.ppf`).
import { log } from './exact-math.ts'

/**
 * x with Φ(x) = y. Three rational approximations, of the middle and of the near and the far tail.
 *
 * @param y between 0 and 1
 */
export function normalQuantile(y: number): number {
  if (!(y > 0 && y < 1)) return y === 0 ? -Infinity : y === 1 ? Infinity : NaN
  const isUpper = y > 1 - tail
  const p = isUpper ? 1 - y : y
  if (p > tail) {
    const centred = p - 0.5
    const square = centred * centred
    const x = centred + centred * ((square * polynomial(square, middleTop)) / monic(square, middleBottom))
    return x * rootOfTwoPi
  }
  const x = Math.sqrt(-2 * log(p))
  const first = x - log(x) / x
  const inverse = 1 / x
  const [top, bottom] = x < 8 ? [nearTop, nearBottom] : [farTop, farBottom]
  const answer = first - (inverse * polynomial(inverse, top)) / monic(inverse, bottom)
  return isUpper ? answer : -answer
}

/** exp(−2) */
const tail = 0.1353352832366127
const rootOfTwoPi = 2.5066282746310002

function polynomial(x: number, coefficients: readonly number[]): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient)
}

/** A polynomial whose first coefficient is 1 and not in the list. */
function monic(x: number, [first, ...others]: readonly number[]): number {
  return others.reduce((sum, coefficient) => sum * x + coefficient, x + first!)
}

const middleTop = [
  -5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1, 1.39312609387279679503e1,
  -1.23916583867381258016,
]
const middleBottom = [
  1.95448858338141759834, 4.67627912898881538453, 8.63602421390890590575e1, -2.25462687854119370527e2,
  2.00260212380060660359e2, -8.20372256168333339912e1, 1.59056225126211695515e1, -1.18331621121330003142,
]
const nearTop = [
  4.05544892305962419923, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.408050738932008347e1,
  1.46849561928858024014e1, 2.18663306850790267539, -1.40256079171354495875e-1, -3.50424626827848203418e-2,
  -8.57456785154685413611e-4,
]
const nearBottom = [
  1.57799883256466749731e1, 4.53907635128879210584e1, 4.1317203825467203044e1, 1.50425385692907503408e1,
  2.50464946208309415979, -1.42182922854787788574e-1, -3.80806407691578277194e-2, -9.33259480895457427372e-4,
]
const farTop = [
  3.2377489177694603597, 6.91522889068984211695, 3.93881025292474443415, 1.33303460815807542389,
  2.01485389549179081538e-1, 1.23716634817820021358e-2, 3.01581553508235416007e-4, 2.65806974686737550832e-6,
  6.2397453918498329373e-9,
]
const farBottom = [
  6.02427039364742014255, 3.67983563856160859403, 1.37702099489081330271, 2.1623699359449663589e-1,
  1.34204006088543189037e-2, 3.28014464682127739104e-4, 2.89247864745380683936e-6, 6.79019408009981274425e-9,
]
