// All levels of a hierarchy against the labels of its objects.
import { evaluateLevel, type LevelData, winnersOf } from './evaluate-level.ts'
import { type DoubtfulObject, type EvaluationReport, type LevelScores, scoresOf } from './evaluation-report.ts'
import { hierarchicalScores, type HierarchicalScores } from './confusion.ts'

/** A level as results name it. */
interface EvaluatedLevel {
  readonly classifierName: string
  readonly branch: string | null
  /** in taxonomy order, which decides ties */
  readonly classes: readonly string[]
}

/** Objects with predictions and labels. */
interface EvaluationInput {
  /** the product first, then the top, then the branches; a model of one level has the product only */
  readonly levels: readonly EvaluatedLevel[]
  readonly oids: readonly string[]
  /** a leaf class or a branch for each object */
  readonly labels: readonly string[]
  /** for each level objects × classes, row-major */
  readonly probabilities: readonly Float64Array[]
  /** of the reliability curves */
  readonly bins: number
}

/** The part of the report that follows from the numbers alone. */
type EvaluationFindings = LevelScores &
  Pick<
    EvaluationReport,
    | 'levels'
    | 'most_in_doubt'
    | 'most_confident_errors'
    | 'hierarchical_precision'
    | 'hierarchical_recall'
    | 'hierarchical_f1'
  > & { readonly evaluated: number; readonly labelledByBranch: number }

const shownObjects = 20

/**
 * Evaluates. The product and each branch count the objects whose label is one of their classes; the top counts every
 * object by the branch of its label.
 */
export function evaluatePredictions(input: EvaluationInput): EvaluationFindings {
  const branchOf = new Map(
    input.levels.flatMap(({ branch, classes }) =>
      branch === null ? [] : classes.map((name) => [name, branch] as const),
    ),
  )
  const levels = input.levels.map((level, index) => {
    // the top's classes are branches: a leaf label counts as its own
    const isTop = index > 0 && level.branch === null
    const nameOf = isTop ? (label: string): string => branchOf.get(label) ?? label : (label: string): string => label
    return evaluateLevel(levelData(level, input, { index, nameOf }), input.bins)
  })
  const product = levels[0]!
  return {
    ...scoresOf(product),
    ...hierarchyOf(input, branchOf),
    evaluated: product.objects,
    labelledByBranch: input.oids.length - product.objects,
    levels,
    ...notableObjects(input),
  }
}

function levelData(
  { classifierName, branch, classes }: EvaluatedLevel,
  { labels, probabilities }: EvaluationInput,
  { index, nameOf }: { index: number; nameOf: (label: string) => string },
): LevelData {
  const placeOf = new Map(classes.map((name, place) => [name, place]))
  const rows: number[] = []
  const truth: number[] = []
  labels.forEach((label, row) => {
    const place = placeOf.get(nameOf(label))
    if (place === undefined) return
    rows.push(row)
    truth.push(place)
  })
  const width = classes.length
  const own = new Float64Array(rows.length * width)
  rows.forEach((row, at) => own.set(probabilities[index]!.subarray(row * width, (row + 1) * width), at * width))
  return { classifierName, branch, classes, probabilities: own, truth: Int32Array.from(truth) }
}

function hierarchyOf(
  { levels, labels, probabilities }: EvaluationInput,
  branchOf: ReadonlyMap<string, string>,
): HierarchicalScores | Record<keyof HierarchicalScores, null> {
  const [product] = levels
  if (branchOf.size === 0 || !product) {
    return { hierarchical_precision: null, hierarchical_recall: null, hierarchical_f1: null }
  }
  const { winners } = winnersOf(probabilities[0]!, product.classes.length)
  const predictions = Array.from(winners, (place) => product.classes[place]!)
  return hierarchicalScores(labels, predictions, branchOf)
}

function notableObjects(input: EvaluationInput): Pick<EvaluationReport, 'most_in_doubt' | 'most_confident_errors'> {
  const { classes } = input.levels[0]!
  const width = classes.length
  const { winners, confidences } = winnersOf(input.probabilities[0]!, width)
  const rows = Array.from(winners.keys())
  const margins = Float64Array.from(rows, (row) => confidences[row]! - secondOf(input, row, winners[row]!).probability)
  const isWrong = (row: number): boolean =>
    classes.includes(input.labels[row]!) && input.labels[row] !== classes[winners[row]!]
  const shown = (row: number): DoubtfulObject => shownObject(input, row, winners[row]!)
  return {
    most_in_doubt: [...rows]
      .sort((a, b) => margins[a]! - margins[b]! || a - b)
      .slice(0, shownObjects)
      .map(shown),
    most_confident_errors: rows
      .filter(isWrong)
      .sort((a, b) => confidences[b]! - confidences[a]! || a - b)
      .slice(0, shownObjects)
      .map(shown),
  }
}

function shownObject(input: EvaluationInput, row: number, winner: number): DoubtfulObject {
  const { classes } = input.levels[0]!
  const at = (place: number): number => input.probabilities[0]![row * classes.length + place] ?? 0
  const second = secondOf(input, row, winner)
  return {
    oid: input.oids[row]!,
    label: input.labels[row]!,
    class: classes[winner]!,
    probability: at(winner),
    second_class: classes[second.place] ?? '',
    second_probability: second.probability,
    label_probability: at(classes.indexOf(input.labels[row]!)),
  }
}

function secondOf(
  { levels, probabilities }: EvaluationInput,
  row: number,
  winner: number,
): { place: number; probability: number } {
  const width = levels[0]!.classes.length
  let second = { place: -1, probability: 0 }
  for (let i = 0; i < width; i++) {
    const probability = probabilities[0]![row * width + i]!
    if (i !== winner && (second.place === -1 || probability > second.probability)) second = { place: i, probability }
  }
  return second
}
