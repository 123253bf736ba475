// How far to go along a direction: Moré & Thuente's line search.

/** The value and the slope at one step along the direction. */
interface Sample {
  readonly step: number
  readonly value: number
  readonly slope: number
}

const enoughDecrease = 1e-3
const flatEnough = 0.9
const narrowEnough = 0.1
/** a bracket that shrinks by less in two steps is halved */
const shrinking = 0.66
/** without a bracket, the next step lies so many times as far from the best one as the last did */
const [nearer, further] = [1.1, 4]

/**
 * A step that lessens the value enough and flattens the slope enough (J. Moré & D. Thuente, “Line search algorithms with
 * guaranteed sufficient decrease”, ACM Trans. Math. Softw. 20, 1994: sections 2 to 4). scikit-learn's answer is where its
 * search ends, so the constants, the order of the tests and of the operations are those of the search that scipy has.
 *
 * @param at the sample at a step; `slope` is along the direction
 * @returns the accepted sample; undefined where `most` samples were not enough
 */
export function searchLine<At extends Sample>(
  start: Sample,
  firstStep: number,
  at: (step: number) => At,
  { largest, most }: { readonly largest: number; readonly most: number },
): At | undefined {
  const gentle = enoughDecrease * start.slope
  let bracket: Bracket = { best: start, other: start, isClosed: false }
  let [low, high] = [0, firstStep + further * firstStep]
  let [width, widthBefore] = [largest, 2 * largest]
  let step = firstStep
  let isModified = true
  for (let count = 0; count < most; count++) {
    const sample = at(step)
    const target = start.value + step * gentle
    const isLow = sample.value <= target
    if (isModified && isLow && sample.slope >= 0) isModified = false
    const hasNowhereToGo =
      (bracket.isClosed && (step <= low || step >= high || high - low <= narrowEnough * high)) ||
      (step === largest && isLow && sample.slope <= gentle) ||
      (step === 0 && (!isLow || sample.slope >= gentle))
    if (hasNowhereToGo || (isLow && Math.abs(sample.slope) <= flatEnough * -start.slope)) return sample
    // section 3: until a step is low enough, ψ(step) = value − start − gentle × step is what is searched
    if (isModified && sample.value <= bracket.best.value && !isLow) {
      const next = advanced(tilted(bracket, -gentle), tiltedSample(sample, -gentle), low, high)
      bracket = tilted(next.bracket, gentle)
      step = next.step
    } else ({ bracket, step } = advanced(bracket, sample, low, high))
    const [best, other] = [bracket.best.step, bracket.other.step]
    if (bracket.isClosed) {
      if (Math.abs(other - best) >= shrinking * widthBefore) step = best + 0.5 * (other - best)
      widthBefore = width
      width = Math.abs(other - best)
      ;[low, high] = [Math.min(best, other), Math.max(best, other)]
    } else {
      low = step + nearer * (step - best)
      high = step + further * (step - best)
    }
    step = Math.min(Math.max(step, 0), largest)
    if (bracket.isClosed && (step <= low || step >= high || high - low <= narrowEnough * high)) step = best
  }
  return undefined
}

/** Where the minimum lies: between the best step and the other one, once it is closed. */
interface Bracket {
  readonly best: Sample
  readonly other: Sample
  readonly isClosed: boolean
}

function tiltedSample({ step, value, slope }: Sample, by: number): Sample {
  return { step, value: value + step * by, slope: slope + by }
}

function tilted({ best, other, isClosed }: Bracket, by: number): Bracket {
  return { best: tiltedSample(best, by), other: tiltedSample(other, by), isClosed }
}

/** The next step, by the four cases of section 4, and the bracket with the new sample in it. */
function advanced(bracket: Bracket, sample: Sample, low: number, high: number): { bracket: Bracket; step: number } {
  const { best, other } = bracket
  const hasTurned = sample.slope * (best.slope / Math.abs(best.slope)) < 0
  if (sample.value > best.value) {
    return { step: stepAfterRise(best, sample), bracket: { best, other: sample, isClosed: true } }
  }
  if (hasTurned) return { step: stepAfterTurn(best, sample), bracket: { best: sample, other: best, isClosed: true } }
  const isFlatter = Math.abs(sample.slope) < Math.abs(best.slope)
  const step = isFlatter ? stepOnFlatter(bracket, sample, low, high) : stepOnSteeper(bracket, sample, low, high)
  return { step, bracket: { best: sample, other, isClosed: bracket.isClosed } }
}

/** θ, and what its squares are divided by so that they stay finite: the cubic through two samples. */
function cubicOf(a: Sample, b: Sample, theta: number) {
  const scale = Math.max(Math.abs(theta), Math.abs(a.slope), Math.abs(b.slope))
  const square = (theta / scale) ** 2 - (a.slope / scale) * (b.slope / scale)
  return { scale, square }
}

const thetaOf = (a: Sample, b: Sample): number => (3 * (a.value - b.value)) / (b.step - a.step) + a.slope + b.slope

/** Case 1: a larger value. The minimum of the cubic, or the middle between it and that of the parabola. */
function stepAfterRise(best: Sample, sample: Sample): number {
  const theta = thetaOf(best, sample)
  const { scale, square } = cubicOf(best, sample, theta)
  const root = scale * Math.sqrt(square)
  const gamma = sample.step < best.step ? -root : root
  const ratio = (gamma - best.slope + theta) / (gamma - best.slope + gamma + sample.slope)
  const distance = sample.step - best.step
  const cubic = best.step + ratio * distance
  const parabola = best.step + (best.slope / ((best.value - sample.value) / distance + best.slope) / 2) * distance
  if (Math.abs(cubic - best.step) < Math.abs(parabola - best.step)) return cubic
  return cubic + (parabola - cubic) / 2
}

/** Case 2: a lower value, a slope of the other sign. The minimum of the cubic or of the secant, the further one. */
function stepAfterTurn(best: Sample, sample: Sample): number {
  const theta = thetaOf(best, sample)
  const { scale, square } = cubicOf(best, sample, theta)
  const root = scale * Math.sqrt(square)
  const gamma = sample.step > best.step ? -root : root
  const ratio = (gamma - sample.slope + theta) / (gamma - sample.slope + gamma + best.slope)
  const cubic = sample.step + ratio * (best.step - sample.step)
  const secant = secantOf(best, sample)
  return Math.abs(cubic - sample.step) > Math.abs(secant - sample.step) ? cubic : secant
}

const secantOf = (best: Sample, sample: Sample): number =>
  sample.step + (sample.slope / (sample.slope - best.slope)) * (best.step - sample.step)

/** Case 3: a lower value, a slope of the same sign and flatter. The cubic only where it rises in the direction of the step. */
function stepOnFlatter({ best, other, isClosed }: Bracket, sample: Sample, low: number, high: number): number {
  const theta = thetaOf(best, sample)
  const { scale, square } = cubicOf(best, sample, theta)
  const root = scale * Math.sqrt(Math.max(0, square))
  const gamma = sample.step > best.step ? -root : root
  const ratio = (gamma - sample.slope + theta) / (gamma + (best.slope - sample.slope) + gamma)
  const edge = sample.step > best.step ? high : low
  const cubic = ratio < 0 && gamma !== 0 ? sample.step + ratio * (best.step - sample.step) : edge
  const secant = secantOf(best, sample)
  const isCubicNearer = Math.abs(cubic - sample.step) < Math.abs(secant - sample.step)
  if (!isClosed) {
    const isCubicFurther = Math.abs(cubic - sample.step) > Math.abs(secant - sample.step)
    return Math.max(low, Math.min(high, isCubicFurther ? cubic : secant))
  }
  const chosen = isCubicNearer ? cubic : secant
  const bound = sample.step + shrinking * (other.step - sample.step)
  return sample.step > best.step ? Math.min(bound, chosen) : Math.max(bound, chosen)
}

/** Case 4: a lower value, a slope of the same sign and not flatter. */
function stepOnSteeper({ best, other, isClosed }: Bracket, sample: Sample, low: number, high: number): number {
  if (!isClosed) return sample.step > best.step ? high : low
  const theta = (3 * (sample.value - other.value)) / (other.step - sample.step) + other.slope + sample.slope
  const { scale, square } = cubicOf(other, sample, theta)
  const root = scale * Math.sqrt(square)
  const gamma = sample.step > other.step ? -root : root
  const ratio = (gamma - sample.slope + theta) / (gamma - sample.slope + gamma + other.slope)
  return sample.step + ratio * (other.step - sample.step)
}
