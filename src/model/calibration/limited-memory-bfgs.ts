// The minimum of a smooth function of two numbers, by L-BFGS-B without its bounds.
import { searchLine } from './line-search.ts'

export type Pair = readonly [number, number]

/** A place, the value there and its gradient. */
export interface Place {
  readonly x: Pair
  readonly value: number
  readonly gradient: Pair
}

/** how many steps its picture of the curvature is made of */
const memory = 10
const largestStep = 1e10
const samplesOfALine = 20
const mostSteps = 15_000

interface Step {
  /** how far */
  readonly s: Pair
  /** what it did to the gradient */
  readonly y: Pair
  readonly sy: number
}

/** What is known of the curvature; `theta` where no step says anything. */
interface Curvature {
  readonly theta: number
  readonly steps: readonly Step[]
}

const flat: Curvature = { theta: 1, steps: [] }

const dot = (a: Pair, b: Pair): number => a[0] * b[0] + a[1] * b[1]
const difference = (a: Pair, b: Pair): Pair => [a[0] - b[0], a[1] - b[1]]

/**
 * Goes from `start` until no slope is above `gtol`, or a step lessens the value by no more than `ftol` of it (R. Byrd, P. Lu,
 * J. Nocedal & C. Zhu, “A limited memory algorithm for bound constrained optimization”, SIAM J. Sci. Comput. 16, 1995). Where
 * it ends is an answer of its own: scipy's `minimize(method='L-BFGS-B')` ends at the same place but for rounding.
 */
export function minimized(
  place: (x: Pair) => Place,
  start: Pair,
  { gtol, ftol }: { readonly gtol: number; readonly ftol: number },
): Pair {
  let now = place(start)
  let curvature = flat
  for (let count = 0; count < mostSteps; count++) {
    if (steepest(now) <= gtol) break
    const towards = targetOf(now, curvature)
    const found = searched(place, now, towards, count === 0)
    if (!found) {
      // a picture of the curvature that leads nowhere is thrown away once
      if (curvature.steps.length === 0) break
      curvature = flat
      continue
    }
    const { next, s, sy, fall } = found
    const isDone = now.value - next.value <= ftol * Math.max(Math.abs(now.value), Math.abs(next.value), 1)
    if (sy > Number.EPSILON * fall) curvature = learnt(curvature, { s, y: difference(next.gradient, now.gradient), sy })
    now = next
    if (isDone) break
  }
  return now.x
}

const steepest = ({ gradient }: Place): number => Math.max(Math.abs(gradient[0]), Math.abs(gradient[1]))

function learnt({ steps }: Curvature, step: Step): Curvature {
  return { theta: dot(step.y, step.y) / step.sy, steps: [...steps.slice(1 - memory), step] }
}

/** The minimum of what the curvature says of the function: x − H × gradient. */
function targetOf({ x, gradient }: Place, { theta, steps }: Curvature): Pair {
  let [p, q] = gradient
  const shares: number[] = []
  for (const { s, y, sy } of [...steps].reverse()) {
    const share = (s[0] * p + s[1] * q) / sy
    shares.unshift(share)
    p -= share * y[0]
    q -= share * y[1]
  }
  p /= theta
  q /= theta
  steps.forEach(({ s, y, sy }, i) => {
    const share = shares[i]! - (y[0] * p + y[1] * q) / sy
    p += share * s[0]
    q += share * s[1]
  })
  return [x[0] - p, x[1] - q]
}

/** A step on the line from a place towards another; undefined where none is found. */
function searched(place: (x: Pair) => Place, from: Place, towards: Pair, isFirst: boolean) {
  const direction = difference(towards, from.x)
  const slope = dot(from.gradient, direction)
  if (slope >= 0) return undefined
  const first = isFirst ? Math.min(1 / Math.sqrt(dot(direction, direction)), largestStep) : 1
  const at = (step: number) => {
    const x: Pair = step === 1 ? towards : [step * direction[0] + from.x[0], step * direction[1] + from.x[1]]
    const found = place(x)
    return { ...found, step, slope: dot(found.gradient, direction) }
  }
  const limits = { largest: largestStep, most: samplesOfALine }
  const next = searchLine({ step: 0, value: from.value, slope }, first, at, limits)
  if (!next) return undefined
  const { step } = next
  const s: Pair = step === 1 ? direction : [step * direction[0], step * direction[1]]
  return { next, s, sy: (next.slope - slope) * step, fall: -slope * step }
}
