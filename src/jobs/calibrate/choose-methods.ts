// Which method each level gets: the one that was asked for, or the best of them on objects that they did not see.
import { type Hierarchy, withProduct } from '../../model/bundle/forest.ts'
import type {
  BundleCalibration,
  CalibratedLevel,
  CalibrationScores,
} from '../../model/calibration/bundle-calibration.ts'
import { type Method, methods } from '../../model/calibration/level-calibration.ts'
import { crossValidated, fitOn, foldsOf, scoresOf } from './cross-validate.ts'
import type { LabelledLevel, LabelledResults } from './labelled-results.ts'

type Choice = Method | 'none'

/** A level is left alone where a class has fewer labels: two a fold. */
const fewestLabels = 10
/** how much accuracy of the product `auto` may give away for its log loss */
const mostLost = 0.002

/** A level with what each method makes of its objects. */
interface Candidate {
  readonly level: LabelledLevel
  readonly labels: readonly number[]
  /** why it is left alone; undefined where it is not */
  readonly whyNot: string | undefined
  readonly answers: ReadonlyMap<Choice, Float64Array>
  readonly scores: ReadonlyMap<Choice, CalibrationScores>
}

/** Fits each level, and says why by its method. */
export function chooseMethods(
  hierarchy: Hierarchy,
  { oids, levels, product }: Pick<LabelledResults, 'oids' | 'levels' | 'product'>,
  asked: Method | 'auto',
): Pick<BundleCalibration, 'levels' | 'product'> & {
  /** objects × leaf classes: the product of each object, calibrated without it */
  readonly answers: Float64Array
} {
  const foldOf = foldsOf(oids, product.truth)
  const candidates = levels.map((level) => candidateOf(level, foldOf, asked === 'auto' ? methods : [asked]))
  const answersOf = (choices: readonly Choice[]): Float64Array => {
    const answers = candidates.map((one, i) => one.answers.get(choices[i]!)!)
    return withProduct(hierarchy, answers, oids.length)[0]!
  }
  const productOf = (choices: readonly Choice[]): CalibrationScores => scoresOf(product, answersOf(choices))
  const none = productOf(candidates.map(() => 'none'))
  const chosen = asked === 'auto' ? bestOf(candidates, productOf, none) : all(candidates, asked, asked)
  const fitted = candidates.map((one, i): CalibratedLevel => {
    const method = chosen.choices[i]!
    const { name } = one.level
    return {
      name,
      labels: one.labels,
      reason: one.whyNot ?? (asked === 'auto' ? chosen.reasonOf(one, method) : 'as asked for'),
      scores: Object.fromEntries(one.scores),
      parameters: method === 'none' ? { kind: 'none' } : fitOn(method, one.level, () => true),
    }
  })
  const answers = answersOf(chosen.choices)
  return { levels: fitted, product: { none, calibrated: scoresOf(product, answers) }, answers }
}

function candidateOf(level: LabelledLevel, foldOf: Int32Array, tried: readonly Method[]): Candidate {
  const labels = level.classes.map((_, place) => level.truth.reduce((n, one) => n + (one === place ? 1 : 0), 0))
  const whyNot = whyLeftAlone(level, labels)
  const found: [Choice, Float64Array][] = [['none', level.probabilities]]
  if (whyNot === undefined) for (const method of tried) found.push([method, crossValidated(method, level, foldOf)])
  const scores = found.map(([method, answers]) => [method, scoresOf(level, answers)] as const)
  return { level, labels, whyNot, answers: new Map(found), scores: new Map(scores) }
}

function whyLeftAlone({ classes }: LabelledLevel, labels: readonly number[]): string | undefined {
  if (classes.length < 2) return 'left alone: it has one class only'
  const few = classes.flatMap((name, i) => (labels[i]! < fewestLabels ? [`${name} has ${labels[i]}`] : []))
  return few.length === 0 ? undefined : `left alone: each class needs ${fewestLabels} labels, and ${few.join(', ')}`
}

interface Chosen {
  readonly choices: readonly Choice[]
  readonly reasonOf: (one: Candidate, method: Choice) => string
}

const leastLoss = ({ scores }: Candidate): Choice =>
  [...scores].reduce((best, one) => (one[1].logLoss < best[1].logLoss ? one : best))[0]

/** One method for the first level and one for the others, where they are not left alone. */
function all(candidates: readonly Candidate[], first: Choice, others: Choice): Chosen {
  const choices = candidates.map(({ answers }, i): Choice => {
    const wanted = i === 0 ? first : others
    return answers.has(wanted) ? wanted : 'none'
  })
  const reasonOf = (one: Candidate, method: Choice): string => {
    const best = leastLoss(one)
    return method === best
      ? 'the least log loss'
      : `with it the product keeps its accuracy; ${best} alone has less log loss`
  }
  return { choices, reasonOf }
}

/**
 * The log loss of the product is the sum of its levels', so the best method of each level makes the best product. Where that
 * one gives the right class less often than the model itself, the best pair is taken that does not: one method for the top
 * and one for the branches.
 */
function bestOf(
  candidates: readonly Candidate[],
  productOf: (choices: readonly Choice[]) => CalibrationScores,
  none: CalibrationScores,
): Chosen {
  const each: Chosen = { choices: candidates.map(leastLoss), reasonOf: () => 'the least log loss' }
  const isAccurate = (choices: readonly Choice[]): boolean => productOf(choices).accuracy >= none.accuracy - mostLost
  if (candidates.length === 1 || isAccurate(each.choices)) return each
  const pairs = methods.flatMap((first) => methods.map((others) => all(candidates, first, others)))
  const accurate = pairs.filter(({ choices }) => isAccurate(choices))
  if (accurate.length === 0)
    return { ...each, reasonOf: () => 'the least log loss; no method keeps the product’s accuracy' }
  const lossOf = ({ choices }: Chosen): number => productOf(choices).logLoss
  return accurate.reduce((best, one) => (lossOf(one) < lossOf(best) ? one : best))
}
