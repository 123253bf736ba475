// numpy's exp and log of float64, bit for bit, on the processors of today's servers.
import { exp, log, multiplyAdd, productFloor } from './exact-math.ts'

/**
 * e^x as numpy works it out where the processor has AVX-512 (its `__svml_exp8`): 2^n × 2^(j/16) × e^r, off by a bit in one of
 * four answers. Elsewhere numpy takes the C library's.
 */
export function numpyExp(x: number): number {
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

/** log x, likewise (`__svml_log8`): of x = 2^e × m, m ≈ 32/k, log x = e × log 2 − log(k/32) + log(1 + r). */
export function numpyLog(x: number): number {
  if (!(x >= 2 ** -1022 && x < Infinity)) return log(x)
  view.setFloat64(0, x)
  const upper = view.getUint32(0)
  const exponent = (upper >>> 20) - 1023
  view.setUint32(0, (upper & 0xfffff) | 0x3ff00000)
  const mantissa = view.getFloat64(0)
  const k = Math.round(32 / mantissa)
  const r = multiplyAdd(k / 32, mantissa, -1)
  const square = r * r
  const first = multiplyAdd(r, 0.33333333333332005, -0.4999999999999968)
  const second = multiplyAdd(r, 0.20000000009280938, -0.2500000000437373)
  const third = multiplyAdd(r, 0.14285690939597326, -0.16666650546695666)
  const fourth = multiplyAdd(r, 0.11135561406034511, -0.125220000081181)
  const high = multiplyAdd(square, fourth, third)
  const low = multiplyAdd(square, second, first)
  const rest = multiplyAdd(square, multiplyAdd(square * square, high, low), r)
  const isBelow = k < 24
  // k is 16 to 32: the four bits after the first of k/32
  const start = logarithms[k & 15]!
  return multiplyAdd(exponent + (isBelow ? 1 : 0), 0.6931471805599453, start + rest)
}

/** −log(k/32), of k = 16 to 23 without log 2 */
const logarithms = [
  0, -0.06062462181643484, -0.11778303565638346, -0.17185025692665923, -0.22314355131420976, -0.27193371548364176,
  -0.3184537311185346, -0.3629054936893685, 0.2876820724517809, 0.24686007793152578, 0.2076393647782445,
  0.16989903679539747, 0.13353139262452263, 0.09844007281325252, 0.06453852113757118, 0.0317486983145803,
]
