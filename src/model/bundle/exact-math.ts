// exp, log, pow and their like, rounded as a good C library rounds them: V8's own are off by a bit more often.

/**
 * Errors are below 0.51 units in the last place, so the answer is the true value's nearest float64 in all but one of a hundred
 * cases or fewer, and then its neighbour. glibc and numpy, whose answers the models' own are made of, are as good (glibc's
 * `exp.c` works in the same way). Numbers of twice the precision are pairs: a high part and a low part.
 */
const tableSize = 128

/** ln 2 and ln 2 ÷ 128 in two parts; the high part has so few bits that its products below are exact. */
const ln2High = 0.6931471805582987
const ln2Low = 1.646594958289708e-12
const stepHigh = ln2High / tableSize
const stepLow = ln2Low / tableSize
const splitter = 2 ** 27 + 1

// the low part of the last pair: an object a call would cost more than the call
const last = new Float64Array(1)

/** a + b as a pair. */
function sumOf(a: number, b: number): number {
  const sum = a + b
  const part = sum - a
  last[0] = a - (sum - part) + (b - part)
  return sum
}

/** a × b as a pair (Dekker). */
function productOf(a: number, b: number): number {
  const product = a * b
  const x = splitter * a
  const y = splitter * b
  const aHigh = x - (x - a)
  const bHigh = y - (y - b)
  const aLow = a - aHigh
  const bLow = b - bHigh
  last[0] = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)
  return product
}

/** (a + aLow) × (b + bLow) as a pair. */
function pairProduct(a: number, aLow: number, b: number, bLow: number): number {
  const product = productOf(a, b)
  const rest = last[0]! + (a * bLow + aLow * b)
  const sum = product + rest
  last[0] = rest - (sum - product)
  return sum
}

/** (a + aLow) + (b + bLow) as a pair. */
function pairSum(a: number, aLow: number, b: number, bLow: number): number {
  const sum = sumOf(a, b)
  const rest = last[0]! + (aLow + bLow)
  const total = sum + rest
  last[0] = rest - (total - sum)
  return total
}

/** 2^(i/128) as pairs: the 128th root of 2 by seven square roots (Newton in pairs), then its powers. */
const powers = createPowers()

function createPowers(): { readonly high: Float64Array; readonly low: Float64Array } {
  const table = { high: new Float64Array(tableSize), low: new Float64Array(tableSize) }
  let [root, rootLow] = [2, 0]
  for (let bits = 1; bits < tableSize; bits *= 2) {
    const guess = Math.sqrt(root)
    const square = productOf(guess, guess)
    const squareLow = last[0]!
    const correction = (root - square - squareLow + rootLow) / (2 * guess)
    root = guess + correction
    rootLow = correction - (root - guess)
  }
  let [power, powerLow] = [1, 0]
  for (let i = 0; i < tableSize; i++) {
    table.high[i] = power
    table.low[i] = powerLow
    power = pairProduct(power, powerLow, root, rootLow)
    powerLow = last[0]!
  }
  return table
}

/** The greatest whole number not above a × b. */
export function productFloor(a: number, b: number): number {
  const product = productOf(a, b)
  const floor = Math.floor(product)
  return product === floor && last[0]! < 0 ? floor - 1 : floor
}

/** a × b + c with one rounding, as processors have it that numpy and glibc are run on. */
export function multiplyAdd(a: number, b: number, c: number): number {
  const product = productOf(a, b)
  const productLow = last[0]!
  const sum = sumOf(product, c)
  return sum + (last[0]! + productLow)
}

const c2 = 0.49999999999996786
const c3 = 0.16666666666665886
const c4 = 0.0416666808410674
const c5 = 0.008333335853059549

/** 2^−600 … 2^600 */
const powerOfTwo = Float64Array.from({ length: 1201 }, (_, index) => 2 ** (index - 600))

/** e^(x + xLow); `xLow` is small beside x. */
function expOfPair(x: number, xLow: number): number {
  if (!(x < 709.79)) return x !== x ? NaN : Infinity
  if (x < -746) return 0
  const steps = Math.round(x / (stepHigh + stepLow))
  const index = steps & (tableSize - 1)
  const exponent = (steps - index) / tableSize
  const r = multiplyAdd(steps, -stepLow, multiplyAdd(steps, -stepHigh, x)) + xLow
  // e^r − 1 by glibc's polynomial; r is below 0.0028
  const square = r * r
  const high = powers.high[index]!
  const start = powers.low[index]! / high + r
  const middle = multiplyAdd(square, multiplyAdd(r, c3, c2), start)
  const rest = multiplyAdd(square * square, multiplyAdd(r, c5, c4), middle)
  const answer = multiplyAdd(high, rest, high)
  const tail = high * rest
  // in two factors, because 2^−1074 is not reached in one
  const half = powerOfTwo[(exponent >> 1) + 600]!
  const otherHalf = powerOfTwo[exponent - (exponent >> 1) + 600]!
  last[0] = (tail - (answer - high)) * half * otherHalf
  return answer * half * otherHalf
}

export function exp(x: number): number {
  return expOfPair(x, 0)
}

/** Float64 numbers near 1/c for c = 1, 1 + 1/128, …, 2, and the pairs of −log of each. */
const logarithms = createLogarithms()

function createLogarithms() {
  const length = tableSize + 1
  const table = { inverse: new Float64Array(length), high: new Float64Array(length), low: new Float64Array(length) }
  for (let i = 0; i < length; i++) {
    table.inverse[i] = Math.fround(tableSize / (tableSize + i))
    table.high[i] = negativeLogOf(table.inverse[i]!)
    table.low[i] = last[0]!
  }
  return table
}

/** −log(x) as a pair, slowly, for x between 0.5 and 1: log(x) = 2 × artanh((x − 1)/(x + 1)), a series. */
function negativeLogOf(x: number): number {
  const top = 1 - x
  const bottom = sumOf(1, x)
  const bottomLow = last[0]!
  // q = top ÷ bottom as a pair
  const guess = top / bottom
  const back = pairProduct(guess, 0, bottom, bottomLow)
  const qLow = (top - back - last[0]!) / bottom
  const square = pairProduct(guess, qLow, guess, qLow)
  const squareLow = last[0]!
  let sum = 0
  let sumLow = 0
  for (let odd = 81; odd >= 1; odd -= 2) {
    sum = pairProduct(sum, sumLow, square, squareLow)
    sumLow = last[0]!
    const term = 1 / odd
    const error = -(productOf(term, odd) - 1 + last[0]!) / odd
    sum = pairSum(sum, sumLow, term, error)
    sumLow = last[0]!
  }
  const half = pairProduct(sum, sumLow, guess, qLow)
  last[0] = last[0]! * 2
  return half * 2
}

const view = new DataView(new ArrayBuffer(8))
const logTwo = 0.6931471805599453
const logTwoLow = 2.3190468138462996e-17

/** log(x + xLow) as a pair, for a positive finite x. */
function logOfPair(x: number, xLow: number): number {
  if (Math.abs(x - 1) < 1 / 256) return logNearOne(x - 1, xLow)
  const isTiny = x < 2 ** -1022
  view.setFloat64(0, isTiny ? x * 2 ** 54 : x)
  const upper = view.getUint32(0)
  const exponent = (upper >>> 20) - (isTiny ? 1077 : 1023)
  view.setUint32(0, (upper & 0xfffff) | 0x3ff00000)
  const mantissa = view.getFloat64(0)
  const index = Math.round((mantissa - 1) * tableSize)
  const inverse = logarithms.inverse[index]!
  const product = productOf(mantissa, inverse)
  // the product is so near 1 that the difference is exact
  const rest = logNearOne(product - 1, last[0]! + (xLow === 0 ? 0 : (xLow / x) * product))
  const sum = pairSum(logarithms.high[index]!, logarithms.low[index]!, rest, last[0]!)
  const sumLow = last[0]!
  const power = productOf(exponent, logTwo)
  return pairSum(power, last[0]! + exponent * logTwoLow, sum, sumLow)
}

/** log(1 + r + rLow) as a pair, for r below 1/100: two terms of the series in pairs, the others are too small to matter. */
function logNearOne(r: number, rLow: number): number {
  const square = productOf(r, r)
  const squareLow = last[0]! + 2 * r * rLow
  const rest = r * square * (1 / 3 - r * (1 / 4 - r * (1 / 5 - r * (1 / 6 - r * (1 / 7 - r * (1 / 8 - r / 9))))))
  const sum = pairSum(r, rLow, -square / 2, -squareLow / 2)
  return pairSum(sum, last[0]!, rest, 0)
}

export function log(x: number): number {
  if (!(x > 0 && x < Infinity)) return Math.log(x)
  return logOfPair(x, 0)
}

/** log(1 + x) */
export function log1p(x: number): number {
  if (!(x > -1 && x < Infinity) || x === 0) return Math.log1p(x)
  if (Math.abs(x) < 1 / 256) return logNearOne(x, 0)
  const sum = sumOf(1, x)
  return logOfPair(sum, last[0]!)
}

/** e^x − 1 */
export function expm1(x: number): number {
  if (!(Math.abs(x) < 700) || x === 0) return Math.expm1(x)
  if (Math.abs(x) < 1 / 256) {
    const square = productOf(x, x)
    const rest = x * square * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720 + x * (1 / 5040 + x / 40320)))))
    return pairSum(x, 0, square / 2, last[0]! / 2 + rest)
  }
  const power = expOfPair(x, 0)
  const error = last[0]!
  const difference = sumOf(power, -1)
  return difference + (last[0]! + error)
}

/** x^y for a positive x; what else there is, as JavaScript has it. */
export function pow(x: number, y: number): number {
  if (!(x > 0 && x < Infinity) || x === 1 || y === 0 || y === 1 || !Number.isFinite(y)) return x ** y
  const logarithm = logOfPair(x, 0)
  const product = pairProduct(logarithm, last[0]!, y, 0)
  return expOfPair(product, last[0]!)
}
