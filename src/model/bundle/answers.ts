// From what the trees of each part say to what the model answers: probabilities level by level, the product first.
import { DataError } from '../../errors.ts'
import { type Preprocessing, whyRejected } from '../../pipeline/preprocess.ts'
import { calibrate } from './calibration.ts'
import { type Hierarchy, multiplyLevels, productColumns } from './forest.ts'
import { marginsOf, type Part } from './parts.ts'
import { columnsAfter, type Step, transformRows } from './steps.ts'
import { linkMargins } from './sums.ts'

/** What a model of trees answers. */
export interface Answers {
  /** one array a level of the taxonomy, rowCount × classes, row-major: the product first; a model of one level has one */
  readonly probabilities: Float64Array<ArrayBuffer>[]
  /** rowCount × margins, row-major; of a model that is one booster */
  readonly margins?: Float64Array<ArrayBuffer>
  /** one number a row, 0 to 1 (see bundle/novelty.ts); where it was asked for */
  readonly novelty?: Float64Array<ArrayBuffer>
  /** rows that the model has no answer for, and why; theirs above mean nothing. Absent where there are none */
  readonly unanswered?: ReadonlyMap<number, string>
}

/** What stands around the trees of a model. */
export interface Surroundings extends Hierarchy {
  readonly parts: readonly Part[]
}

/** How the answers of a model's parts become those of the model. */
export function createAnswering({ parts, ...hierarchy }: Surroundings) {
  const { levels } = hierarchy
  const product = productColumns(hierarchy)
  const widths = levels.map(({ classes }) => classes.length)
  const hasMargins = marginsOf(parts) !== undefined
  const partsOfLevels = levels.map((_, level) => [...parts.keys()].filter((index) => parts[index]!.level === level))
  const isOneEach = partsOfLevels.every(({ length }) => length === 1)

  function probabilitiesOf(part: Part, said: Float64Array<ArrayBuffer>, rowCount: number): Float64Array<ArrayBuffer> {
    const { level, sum, calibration } = part
    const raw = sum === null ? said : linkMargins(sum, said, rowCount, widths[level]!)
    const own = calibration === null ? raw : calibrate(calibration, raw, rowCount, widths[level]!)
    return own as Float64Array<ArrayBuffer>
  }

  /**
   * @param said of each part: the means of its leaves' fractions, rowCount × classes, row-major; or its margins, rowCount ×
   * margins
   */
  return (said: readonly Float64Array<ArrayBuffer>[], rowCount: number): Pick<Answers, 'probabilities' | 'margins'> => {
    const each = said.map((own, index) => probabilitiesOf(parts[index]!, own, rowCount))
    const answers = isOneEach ? each : partsOfLevels.map((indices) => meanOf(indices.map((index) => each[index]!)))
    const whole =
      product === null ? [] : [multiplyLevels(product, widths, answers, rowCount) as Float64Array<ArrayBuffer>]
    const probabilities = [...whole, ...answers]
    return hasMargins ? { probabilities, margins: said[0]! } : { probabilities }
  }
}

/** Added in their order, then divided by their number, as a CalibratedClassifierCV does. */
function meanOf([first, ...others]: readonly Float64Array<ArrayBuffer>[]): Float64Array<ArrayBuffer> {
  const mean = first!.slice()
  for (const answer of others) for (let i = 0; i < mean.length; i++) mean[i]! += answer[i]!
  for (let i = 0; i < mean.length; i++) mean[i]! /= others.length + 1
  return mean
}

/** The features that are left after the steps. */
export function seenFeatures(steps: readonly Step[], features: readonly string[]): readonly string[] {
  const pick = (names: readonly string[], step: Step) =>
    step.kind === 'columns' ? step.indices.map((index) => names[index]!) : names
  return steps.reduce(pick, features)
}

/** What is done to a row before the trees of a part see it. */
export interface SeenRows {
  /** rows × columns, row-major, in float64 */
  readonly values: Float64Array
  /** whether the trees compare them in float32 */
  readonly isRounded: boolean
}

/**
 * Rows as the trees of a part see them, but for the rounding to float32.
 *
 * @param onFailure is told of each row that a step has no value for; its values mean nothing
 */
export function seenRows(
  steps: readonly Step[],
  rows: Float64Array,
  rowCount: number,
  onFailure: (row: number, reason: string) => void,
): SeenRows {
  const isRounded = steps.at(-1)?.kind === 'float32'
  const others = isRounded ? steps.slice(0, -1) : steps
  if (others.length === 0) return { values: rows, isRounded }
  try {
    return { values: transformRows(others, rows, rowCount), isRounded }
  } catch (error) {
    if (!(error instanceof DataError)) throw error
  }
  // a step refuses the whole batch for one value
  const width = rows.length / rowCount
  const own = columnsAfter(others, width) ?? width
  const each = Array.from({ length: rowCount }, (_, row) => {
    try {
      return transformRows(others, rows.subarray(row * width, (row + 1) * width), 1)
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      onFailure(row, noValue)
      return undefined
    }
  })
  const values = new Float64Array(rowCount * own)
  each.forEach((transformed, row) => transformed && values.set(transformed, row * own))
  return { values, isRounded }
}

const noValue = "the model's transformation has no value for a feature"

/** Why trees do not take a value that the steps made; undefined for one that they take. */
export function whyNoAnswer(
  feature: string,
  { value, seen, rules }: { value: number; seen: number; rules: Preprocessing },
): string | undefined {
  const why = seen - seen === 0 ? undefined : whyRejected(value, seen, rules)
  return why === undefined ? undefined : `${feature} ${why} once the model has transformed it`
}
