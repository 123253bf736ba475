// The order of classes, which decides between equal probabilities, for results that do not tell their own.
import type { NamedLevel } from './classifier-levels.ts'
import type { PredictedLevel, Predictions } from './predictions.ts'

/** An order of classes that somebody knows. */
export interface ClassOrder {
  readonly levels: readonly NamedLevel[]
  /** how messages call it, after “the order of” */
  readonly from: string
}

/** What is known about the order of some results. */
export interface KnownOrders {
  /** theirs, without doubt */
  readonly proven: readonly ClassOrder[]
  /** taken where nothing is proven, and said to be */
  readonly likely: readonly ClassOrder[]
}

/** what is left where nobody knows the classes */
export const alphabet = 'the alphabet'

/**
 * Results with the classes of each level in the first order that has them all; each level is decided by itself, as a file
 * may hold some of a model's levels only. Only names move: the table stays as it is. Results that tell their own order
 * come back as they are.
 */
export function inKnownOrder(predictions: Predictions, { proven, likely }: KnownOrders): Predictions {
  if (predictions.assumedOrder === null) return predictions
  const decided = predictions.levels.map((level) => {
    const certain = firstOf(level, proven)
    return certain ? { ...certain, assumed: null } : withGuess(level, likely)
  })
  const assumed = [...new Set(decided.flatMap((one) => one.assumed ?? []))]
  return {
    ...predictions,
    // levels that no order has keep their places behind the others
    levels: decided.sort((a, b) => a.place - b.place).map(({ level }) => level),
    assumedOrder: assumed.length === 0 ? null : assumed.join(' and '),
  }
}

interface Decided {
  readonly level: PredictedLevel
  /** of the level in its hierarchy */
  readonly place: number
  readonly from: string
}

function withGuess(
  level: PredictedLevel,
  likely: readonly ClassOrder[],
): Decided & { readonly assumed: string | null } {
  const guess = firstOf(level, likely) ?? { level, place: level.branch === null ? 0 : Infinity, from: alphabet }
  // one class alone has an order
  const assumed = guess.from === alphabet ? alphabet : `the order of ${guess.from}`
  return { ...guess, assumed: level.classes.length < 2 ? null : assumed }
}

function firstOf(level: PredictedLevel, orders: readonly ClassOrder[]): Decided | undefined {
  for (const { levels, from } of orders) {
    const place = levels.findIndex(({ classifierName }) => classifierName === level.classifierName)
    const ordered = place < 0 ? undefined : inOrder(level, levels[place]!.classes)
    if (ordered) return { level: ordered, place, from }
  }
  return undefined
}

/** Undefined where a class has no place in the order. */
function inOrder({ classes, columns, ...level }: PredictedLevel, order: readonly string[]): PredictedLevel | undefined {
  if (!classes.every((name) => order.includes(name))) return undefined
  const own = order.filter((name) => classes.includes(name))
  return { ...level, classes: own, columns: own.map((name) => columns[classes.indexOf(name)]!) }
}
