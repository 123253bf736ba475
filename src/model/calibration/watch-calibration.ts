// Whether calibrated probabilities and sets are still what they were where they were learnt: a part of the night watch.
import { percentText } from '../../formats/table.ts'
import { firstMaximum, type ClassifiedBatch } from '../../pipeline/batch.ts'
import type { BundleCalibration } from './bundle-calibration.ts'
import { setThreshold } from './conformal-sets.ts'
import { hasOneClass, watchedLevel } from './usual-answers.ts'

/** In a run without end, drift is told by mistake at most so often in all: one run in a thousand. */
const falseAlarms = 1e-3
/** objects that are judged together: what comes after them is judged anew, so that old ones do not hide a change */
const blockObjects = 10_000
/** the bound is narrowest near four times as many objects; it holds for every number */
const mixture = 12

/** How far a mean of `objects` numbers from 0 to 1 may lie from what it estimates (A. Maurer & M. Pontil, COLT 2009). */
export function uncertainty({ objects, variance }: { objects: number; variance: number }, alpha: number): number {
  if (objects < 2) return 1
  const doubt = Math.log(4 / alpha)
  return Math.sqrt((2 * variance * doubt) / objects) + (7 * doubt) / (3 * (objects - 1))
}

/**
 * How far the mean of the first n numbers from 0 to 1 may ever lie from what it estimates, for all n at once: the normal
 * mixture of S. Howard, A. Ramdas, J. McAuliffe & J. Sekhon, “Time-uniform, nonparametric, nonasymptotic confidence
 * sequences” (Ann. Stat. 49, 2021), with Hoeffding's variance of ¼.
 */
export function everDeviation(n: number, alpha: number): number {
  const variance = n / 4 + mixture
  return Math.sqrt(variance * Math.log(variance / (mixture * alpha * alpha))) / n
}

/** The mean of one number an object, against what it was. */
interface Rule {
  readonly about: string
  readonly usual: { readonly mean: number; readonly variance: number }
  readonly tell: (now: number, objects: number) => string
}

type Change = { readonly begun: readonly Warning[]; readonly ended: readonly Pick<Warning, 'about'>[] }
interface Warning {
  readonly about: string
  readonly message: string
}

/** @returns what each value changes: a warning that begins, or one that is over after a block without it */
function createDrift({ about, usual, tell }: Rule, objects: number, alpha: number) {
  const slack = uncertainty({ objects, variance: usual.variance }, alpha / 2)
  let [block, seen, sum] = [1, 0, 0]
  let isOdd = false
  let wasOdd = false

  return function see(values: Float64Array): Change {
    let ended = false
    let begun: Warning | undefined
    for (const value of values) {
      seen++
      sum += value
    }
    // each block has its share of the bound, 6 ÷ (π × block)² of the half that slack leaves: all of them together no more than it
    const share = (alpha / 2) * (6 / (Math.PI * block) ** 2)
    const mean = seen === 0 ? usual.mean : sum / seen
    if (!isOdd && seen > 0 && Math.abs(mean - usual.mean) > slack + everDeviation(seen, share)) {
      isOdd = true
      if (!wasOdd) begun = { about, message: `${about}: ${tell(mean, seen)}` }
    }
    if (seen >= blockObjects) {
      ended = wasOdd && !isOdd
      ;[block, seen, sum] = [block + 1, 0, 0]
      wasOdd = isOdd
      isOdd = false
    }
    return { begun: begun ? [begun] : [], ended: ended ? [{ about }] : [] }
  }
}

/** What a batch changes of what drifts: begun, and as usual again. Batches that are not calibrated are passed over. */
export function createCalibrationWatch({ sets, usual }: Pick<BundleCalibration, 'sets' | 'usual'>) {
  const { objects, confidence, single } = usual
  const thresholds = sets.map((one) => setThreshold(one, watchedLevel))
  const width = thresholds.length
  const learnt = `where it was learnt (${objects.toLocaleString('en')} objects)`
  const share = single / objects
  const sure = createDrift(
    {
      about: 'calibrated confidence',
      usual: confidence,
      tell: (now, n) =>
        `${now.toFixed(3)} on average of ${n.toLocaleString('en')} objects; ${confidence.mean.toFixed(3)} ${learnt}`,
    },
    objects,
    falseAlarms / 2,
  )
  const alone = createDrift(
    {
      about: 'sets of one class',
      usual: { mean: share, variance: share * (1 - share) },
      tell: (now, n) =>
        `${percentText(now)} of ${n.toLocaleString('en')} sets at ${watchedLevel}; ${percentText(share)} ${learnt}`,
    },
    objects,
    falseAlarms / 2,
  )
  return ({ calibrated, probabilities, rowCount }: ClassifiedBatch): Change => {
    if (!calibrated) return { begun: [], ended: [] }
    const product = probabilities[0]!
    const confidences = new Float64Array(rowCount)
    const singles = new Float64Array(rowCount)
    for (let row = 0, start = 0; row < rowCount; row++, start += width) {
      confidences[row] = calibrated[start + firstMaximum(calibrated, start, width)]!
      singles[row] = hasOneClass(product, start, thresholds) ? 1 : 0
    }
    const changes = [sure(confidences), alone(singles)]
    return { begun: changes.flatMap(({ begun }) => begun), ended: changes.flatMap(({ ended }) => ended) }
  }
}
