// numpy's exp and log of float64, bit for bit, on the processors of today's servers.
import { exp, log, multiplyAdd, productFloor } from './exact-math.ts'

/** numpy's own exp and log by its major version: until 2.2 or so fast ones, since then ones that are nearly always exact. */
export type NumpyGeneration = 1 | 2

/**
 * e^x as numpy 1 works it out where the processor has AVX-512 (its `__svml_exp8`): 2^n × 2^(j/16) × e^r, off by a bit in one of
 * four answers. Elsewhere numpy takes the C library's.
 */
function fastExp(x: number): number {
  if (!(Math.abs(x) < largestExponent)) return exp(x)
  const sixteenths = productFloor(x, 16 * 1.4426950408889634)
  const n = sixteenths / 16
  const r = multiplyAdd(-n, 2.3190468138462996e-17, multiplyAdd(-n, 0.6931471805599453, x))
  const square = r * r
  const high = multiplyAdd(r, 0.0014149452874381984, 0.008332058899382488)
  const middle = multiplyAdd(r, 0.041666695348322125, 0.16666666637508337)
  const start = multiplyAdd(square, 0.5000000000010838, r)
  const rest = multiplyAdd(square * r, multiplyAdd(square, high, middle), start)
  const root = roots[sixteenths & 15]!
  return multiplyAdd(root, rest, root) * 2 ** Math.floor(n)
}

const largestExponent = 707.7032713517042

/** 2^(j/16) */
const roots = [
  1, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916, 1.189207115002721, 1.241857812073484,
  1.2968395546510096, 1.3542555469368927, 1.4142135623730951, 1.4768261459394993, 1.5422108254079407,
  1.6104903319492543, 1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971474,
]

const view = new DataView(new ArrayBuffer(8))

/** Both routines' polynomial of log(1 + r), in two halves. */
function logarithmTerms(r: number) {
  const square = r * r
  const first = multiplyAdd(r, 0.33333333333332005, -0.4999999999999968)
  const second = multiplyAdd(r, 0.20000000009280938, -0.2500000000437373)
  const third = multiplyAdd(r, 0.14285690939597326, -0.16666650546695666)
  const fourth = multiplyAdd(r, 0.11135561406034511, -0.125220000081181)
  return { square, high: multiplyAdd(square, fourth, third), low: multiplyAdd(square, second, first) }
}

/** log x, likewise (`__svml_log8`): of x = 2^e × m, m ≈ 32/k, log x = e × log 2 − log(k/32) + log(1 + r). */
function fastLog(x: number): number {
  if (!(x >= 2 ** -1022 && x < Infinity)) return log(x)
  const { exponent, k, r } = reduce(x)
  const { square, high, low } = logarithmTerms(r)
  const rest = multiplyAdd(square, multiplyAdd(square * square, high, low), r)
  // k is 16 to 32: the four bits after the first of k/32
  const start = logarithms[k & 15]!
  return multiplyAdd(exponent, 0.6931471805599453, start + rest)
}

/** x = 2^e × m with m ≈ 32/k between ¾ and 1½, and r = m × k/32 − 1. */
function reduce(x: number): { exponent: number; k: number; r: number } {
  view.setFloat64(0, x)
  const upper = view.getUint32(0)
  view.setUint32(0, (upper & 0xfffff) | 0x3ff00000)
  const mantissa = view.getFloat64(0)
  const k = Math.round(32 / mantissa)
  return { exponent: (upper >>> 20) - 1023 + (k < 24 ? 1 : 0), k, r: multiplyAdd(k / 32, mantissa, -1) }
}

/** −log(k/32), of k = 16 to 23 without log 2 */
const logarithms = [
  0, -0.06062462181643484, -0.11778303565638346, -0.17185025692665923, -0.22314355131420976, -0.27193371548364176,
  -0.3184537311185346, -0.3629054936893685, 0.2876820724517809, 0.24686007793152578, 0.2076393647782445,
  0.16989903679539747, 0.13353139262452263, 0.09844007281325252, 0.06453852113757118, 0.0317486983145803,
]

// The same two as numpy 2 has them (`__svml_exp8_ha`, `__svml_log8_ha`): with tables of twice the precision.

function exactExp(x: number): number {
  if (!(Math.abs(x) < 707.7032713517042)) return exp(x)
  const sixteenths = productFloor(x, 16 * 1.4426950408889634)
  const n = sixteenths / 16
  const r = multiplyAdd(-n, 2.3190468138462996e-17, multiplyAdd(-n, 0.6931471805599453, x))
  const square = r * r
  const high = multiplyAdd(r, 0.0014193283516881214, 0.008331512908898442)
  const middle = multiplyAdd(r, 0.0416667205488057, 0.1666666658485894)
  const start = multiplyAdd(r, 0.5000000000059126, 0.999999999999984)
  const factor = multiplyAdd(square, multiplyAdd(square, high, middle), start)
  const index = sixteenths & 15
  const rest = multiplyAdd(factor, r, rootTails[index]!)
  return multiplyAdd(roots[index]!, rest, roots[index]!) * 2 ** Math.floor(n)
}

/** what 2^(j/16) has beyond float64, as a share of it */
const rootTails = [
  0.0, 8.189317638195515e-17, -2.7939114859515733e-17, 7.826573258636076e-17, 3.3484623336251524e-17,
  3.750854201303127e-17, 1.9572585293112036e-17, 5.68648095791174e-17, -6.835808657661922e-17, -2.3591094770850053e-17,
  5.1548301170786783e-17, 1.5341410053603723e-17, 4.875160526227062e-17, 1.685487290628973e-17, 1.790126907604513e-17,
  -5.545065618639427e-17,
]

function exactLog(x: number): number {
  if (!(x >= 2 ** -1022 && x < Infinity)) return log(x)
  const { exponent, k, r } = reduce(x)
  const { square, high, low } = logarithmTerms(r)
  const rest = multiplyAdd(square * square, high, low)
  const start = multiplyAdd(exponent, 0.6931471805582987, exactLogarithms[k & 15]!)
  const sum = start + r
  const sumTail = r - (sum - start)
  const tail = multiplyAdd(exponent, 1.6465949582866463e-12, logarithmTails[k & 15]!)
  return sum + (multiplyAdd(square, rest, sumTail) + tail)
}

/** −log(k/32) of few bits, of k = 16 to 23 without log 2; and what is beyond them */
const exactLogarithms = [
  0.0, -0.06062462181671435, -0.11778303565643, -0.17185025692651834, -0.22314355131402408, -0.27193371548401046,
  -0.3184537311180975, -0.3629054936891407, 0.2876820724513891, 0.24686007793116005, 0.2076393647785153,
  0.1698990367949591, 0.13353139262471814, 0.09844007281299127, 0.06453852113736502, 0.03174869831491378,
]
const logarithmTails = [
  0.0, 2.795098818345971e-13, 4.654729747598445e-14, -1.4088127937111135e-13, -1.856757095979601e-13,
  3.687042831583768e-13, -4.3712191957429144e-13, -2.2774076114039556e-13, 3.918237769963822e-13, 3.657488373208597e-13,
  -2.707990980384746e-13, 4.383710744723666e-13, -1.9551393909415374e-13, 2.6124491647247346e-13,
  2.0614806739842207e-13, -3.334802027954729e-13,
]

export const numpyMath = { 1: { exp: fastExp, log: fastLog }, 2: { exp: exactExp, log: exactLog } } as const
