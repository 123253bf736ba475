// From what the trees of each part say to what the model answers: probabilities level by level, the product first.
import { type Preprocessing, whyRejected } from '../../pipeline/preprocess.ts'
import { calibrate } from './calibration.ts'
import { type Hierarchy, multiplyLevels, productColumns } from './forest.ts'
import { marginsOf } from './manifest.ts'
import type { Part } from './parts.ts'
import { linkMargins } from './sums.ts'

/** What a model of trees answers. */
export interface Answers {
  /** one array a level of the taxonomy, rowCount × classes, row-major: the product first; a model of one level has one */
  readonly probabilities: Float64Array<ArrayBuffer>[]
  /** rowCount × margins, row-major; of a model that is one booster */
  readonly margins?: Float64Array<ArrayBuffer>
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

  function probabilitiesOf(part: Part, said: Float64Array<ArrayBuffer>, rowCount: number): Float64Array<ArrayBuffer> {
    const { level, sum, calibration } = part
    const raw = sum === null ? said : linkMargins(sum, said, rowCount, widths[level]!)
    return calibration === null ? raw : calibrate(calibration, raw, rowCount, widths[level]!)
  }

  /**
   * @param said of each part: the means of its leaves' fractions, rowCount × classes, row-major; or its margins, rowCount ×
   * margins
   */
  return (said: readonly Float64Array<ArrayBuffer>[], rowCount: number): Pick<Answers, 'probabilities' | 'margins'> => {
    const answers: Float64Array<ArrayBuffer>[] = []
    for (let first = 0; first < parts.length;) {
      const { level } = parts[first]!
      const count = parts.slice(first).filter((part) => part.level === level).length
      const each = said.slice(first, first + count).map((own, i) => probabilitiesOf(parts[first + i]!, own, rowCount))
      answers.push(meanOf(each))
      first += count
    }
    const probabilities = product === null ? answers : [multiplyLevels(product, widths, answers, rowCount), ...answers]
    return hasMargins ? { probabilities, margins: said[0]! } : { probabilities }
  }
}

/** Added in their order, then divided by their number, as a CalibratedClassifierCV does. */
function meanOf(answers: readonly Float64Array<ArrayBuffer>[]): Float64Array<ArrayBuffer> {
  const [first, ...others] = answers
  if (others.length === 0) return first!
  const mean = first!.slice()
  for (const answer of others) for (let i = 0; i < mean.length; i++) mean[i]! += answer[i]!
  for (let i = 0; i < mean.length; i++) mean[i]! /= answers.length
  return mean
}

/** Whether trees see the features as they were read: then the reader has refused what they do not take. */
export function seesFeaturesAsRead({ steps, compares }: Part, { precision }: Preprocessing): boolean {
  return steps.length === 0 && precision === compares
}

/**
 * Why a row has no answer: a feature that the steps of a part made infinite, or greater than float32 where its trees compare
 * that; undefined for one that the trees take.
 *
 * @param value as the steps made it
 * @param compared as the trees see it
 */
export function whyNoAnswer(
  feature: string | undefined,
  { value, compared, rules }: { value: number; compared: number; rules: Preprocessing },
): string | undefined {
  const why = compared - compared === 0 ? undefined : whyRejected(value, compared, rules)
  return why === undefined ? undefined : `${feature ?? 'a feature'} ${why} once the model has transformed it`
}
