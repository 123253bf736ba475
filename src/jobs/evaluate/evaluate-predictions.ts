// All levels of a hierarchy against the labels of its objects.
import type { NamedLevel } from '../predictions/predictions.ts'
import { hierarchicalScores } from './confusion.ts'
import { evaluateLevel, scoresOf, winnersOf } from './evaluate-level.ts'

/** Objects with predictions and labels. */
interface EvaluationInput {
  /** the product first, then the top, then the branches; a model of one level has the product only */
  readonly levels: readonly NamedLevel[]
  readonly oids: readonly string[]
  /** a leaf class or a branch for each object */
  readonly labels: readonly string[]
  /** for each level objects × classes, row-major */
  readonly probabilities: readonly Float64Array[]
  /** the same of the calibrated product, where the results have it */
  readonly calibrated?: NamedLevel | null
  readonly calibratedProbabilities?: Float64Array | undefined
  /** of the reliability curves */
  readonly bins: number
}

const shownObjects = 20

/**
 * Evaluates. The product and each branch count the objects whose label is one of their classes; the top counts every
 * object by the branch of its label.
 */
export function evaluatePredictions(input: EvaluationInput) {
  const { levels, labels, oids, probabilities } = input
  const branchOf = new Map(
    levels.flatMap(({ branch, classes }) => (branch === null ? [] : classes.map((name) => [name, branch] as const))),
  )
  const evaluated = levels.map((_, index) => evaluateLevel(levelData(input, index, branchOf), input.bins))
  const [product] = evaluated
  const { classes } = levels[0]!
  const found = winnersOf(probabilities[0]!, classes.length)
  const predicted = Array.from(found.winners, (place) => classes[place]!)
  const none = { hierarchical_precision: null, hierarchical_recall: null, hierarchical_f1: null }
  return {
    ...scoresOf(product!),
    ...(branchOf.size === 0 ? none : hierarchicalScores(labels, predicted, branchOf)),
    evaluated: product!.objects,
    labelledByBranch: oids.length - product!.objects,
    /** the product, the top, the branches */
    levels: evaluated,
    /** the calibrated product; null where the results have none */
    calibrated: calibratedEvaluation(input),
    ...notableObjects(input, found),
  }
}

function calibratedEvaluation({ calibrated, calibratedProbabilities: own, labels, bins }: EvaluationInput) {
  if (!calibrated || !own) return null
  return evaluateLevel(levelData({ levels: [calibrated], labels, probabilities: [own] }, 0, new Map()), bins)
}

function levelData(
  { levels, labels, probabilities }: Pick<EvaluationInput, 'levels' | 'labels' | 'probabilities'>,
  index: number,
  branchOf: ReadonlyMap<string, string>,
): Parameters<typeof evaluateLevel>[0] {
  const { classes, branch } = levels[index]!
  // the top's classes are branches: a leaf label counts as its own
  const isTop = index > 0 && branch === null
  const placeOf = new Map(classes.map((name, place) => [name, place]))
  const rows: number[] = []
  const truth: number[] = []
  labels.forEach((label, row) => {
    const place = placeOf.get(isTop ? (branchOf.get(label) ?? label) : label)
    if (place === undefined) return
    rows.push(row)
    truth.push(place)
  })
  const width = classes.length
  const own = new Float64Array(rows.length * width)
  rows.forEach((row, at) => own.set(probabilities[index]!.subarray(row * width, (row + 1) * width), at * width))
  return { ...levels[index]!, probabilities: own, truth: Int32Array.from(truth) }
}

function notableObjects(
  { levels, oids, labels, probabilities }: EvaluationInput,
  { winners, seconds, confidences }: ReturnType<typeof winnersOf>,
) {
  const { classes } = levels[0]!
  const probabilityOf = (row: number, level: number, place: number): number =>
    place < 0 ? 0 : probabilities[level]![row * levels[level]!.classes.length + place]!
  // a label is a leaf class of the product, or a branch of the top
  const ofLabel = (row: number): number => {
    const level = levels.findIndex((one) => one.classes.includes(labels[row]!))
    return probabilityOf(row, level, levels[level]!.classes.indexOf(labels[row]!))
  }
  const shown = (row: number) => ({
    oid: oids[row]!,
    label: labels[row]!,
    class: classes[winners[row]!]!,
    probability: confidences[row]!,
    /** the class of the second largest probability */
    second_class: classes[seconds[row]!] ?? '',
    second_probability: probabilityOf(row, 0, seconds[row]!),
    label_probability: ofLabel(row),
  })
  const rows = [...winners.keys()]
  const margins = Float64Array.from(rows, (row) => confidences[row]! - probabilityOf(row, 0, seconds[row]!))
  const isLeaf = new Set(classes)
  const isWrong = (row: number): boolean => isLeaf.has(labels[row]!) && labels[row] !== classes[winners[row]!]
  const first = (sorted: readonly number[]) => sorted.slice(0, shownObjects).map(shown)
  return {
    /** smallest difference between the two largest probabilities first */
    most_in_doubt: first([...rows].sort((a, b) => margins[a]! - margins[b]! || a - b)),
    /** wrong, the most confident first */
    most_confident_errors: first(rows.filter(isWrong).sort((a, b) => confidences[b]! - confidences[a]! || a - b)),
  }
}
