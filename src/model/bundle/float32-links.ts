// XGBoost's ways from margins to probabilities, in float32.
import { numpySum } from './numpy-sum.ts'

const { fround } = Math

/** e^margin ÷ the sum of them, as XGBoost's C++ has it (`common::Softmax`), which adds in float64. */
export function softmaxOfXgboost(row: Float64Array): void {
  const maximum = row.reduce((a, b) => Math.max(a, b))
  let sum = 0
  for (let i = 0; i < row.length; i++) {
    row[i] = expOfGlibc(fround(row[i]! - maximum))
    sum += row[i]!
  }
  const divisor = fround(sum)
  for (let i = 0; i < row.length; i++) row[i] = fround(row[i]! / divisor)
}

/** The same as `scipy.special.softmax` has it, which XGBClassifier takes for multi:softmax: numpy's exp and sum of float32. */
export function softmaxOfScipy(row: Float64Array): void {
  const maximum = row.reduce((a, b) => Math.max(a, b))
  for (let i = 0; i < row.length; i++) row[i] = expOfNumpy(fround(row[i]! - maximum))
  const sum = numpySum(row, 0, row.length, fround)
  for (let i = 0; i < row.length; i++) row[i] = fround(row[i]! / sum)
}

/** 1 ÷ (1 + e^−margin) as XGBoost has it (`common::Sigmoid`): the power stays finite; its 1e-16 is nothing to a float32. */
export function sigmoidOfXgboost(margin: number): number {
  return fround(1 / fround(expOfGlibc(Math.min(-margin, largestPower)) + 1))
}

const largestPower = fround(88.7)

/** 2^(i/32) */
const roots = Float64Array.from({ length: 32 }, (_, i) => 2 ** (i / 32))

/** glibc's `expf`: a table of 32 and a polynomial of the third degree, in float64. */
function expOfGlibc(x: number): number {
  if (x < -103.97) return 0
  if (x > 88.72) return Infinity
  const scaled = x * (1.4426950408889634 * 32)
  const steps = Math.round(scaled)
  const rest = scaled - steps
  const index = steps & 31
  const scale = roots[index]! * 2 ** ((steps - index) / 32)
  const [c0, c1, c2] = polynomial
  const high = c0 * rest + c1
  const lowPart = c2 * rest + 1
  return fround((high * (rest * rest) + lowPart) * scale)
}

const polynomial = [0.05550361559341535 / 32 ** 3, 0.2402284522445722 / 32 ** 2, 0.6931471806916203 / 32] as const

/** numpy's exp of a float32 where the processor has AVX2 or AVX512F: a quotient of two polynomials, in float32. */
function expOfNumpy(x: number): number {
  if (x <= -103.97208) return 0
  if (x >= 88.72284) return Infinity
  const power = fround(fround(fround(x * log2OfE) + rounder) - rounder)
  const rest = multiplyAdd(power, -1.4286067653e-6, multiplyAdd(power, -0.693145751953125, x))
  let top = numerator[0]!
  for (let i = 1; i < numerator.length; i++) top = multiplyAdd(top, rest, numerator[i]!)
  let bottom = denominator[0]!
  for (let i = 1; i < denominator.length; i++) bottom = multiplyAdd(bottom, rest, denominator[i]!)
  return fround(fround(top / bottom) * 2 ** power)
}

/** a × b + c, rounded once to float32; all are float32. */
function multiplyAdd(a: number, b: number, c: number): number {
  return fround(a * fround(b) + c)
}

const log2OfE = fround(1.442695040888963407359924681001892137)
/** what is added and taken away again to round to a whole number */
const rounder = 12_582_912

const numerator = [
  5.082762527590693718096e-4, 6.757896990527504603057e-3, 5.114512081637298353406e-2, 2.473615434895520810817e-1,
  7.257664613233124478488e-1, 9.99999999998087092492e-1,
].map(fround)
const denominator = [2.159509375685829852307e-2, -2.742335390411667452936e-1, 1].map(fround)
