// Nights, or a profile → what is usual now, feature by feature and class by class.
import type { InputProfile } from '../bundle/input-profile.ts'
import { bandOf, nightlySpread, type UsualShare } from './bands.ts'
import { edgeShares } from './input-blocks.ts'
import { type LearnedNight, ofSameWeeks, type WatchShape, weightOf } from './learned-nights.ts'
import type { Band } from './sequential-tests.ts'
import { binCount, binOfValue, largestOfBin, quantileBin, valueOfBin } from './value-bins.ts'

const halfCount = binCount / 2
/** objects that must have been seen before they say what is usual */
export const fewestObjects = 2_000
/** of them, those that a share is known from: features are counted in each second */
const fewestTrials = 900
/** values of a feature, of which each fiftieth object's are counted */
const fewestValues = 30
/** where values lie is as usual until so many of them lie where few do: seasons and fields move the rest */
const commonShare = 0.3
/** before anything is known, a feature that hardly any object has is worth a word */
const nothingKnown: Band = { low: 0, high: 0.96 }
const anything: Band = { low: 0, high: 1 }
/** a training set has other objects than the sky */
const profileSlack = 0.2

/** classes of a training set have other shares than those of the sky */
const tenfold = 10

/** A share, if it is known, and its band. */
interface KnownShare {
  readonly share?: UsualShare
  readonly band: Band
  /** nothing but a profile says so */
  readonly isProfiled?: boolean
}

/** What is usual, and how far from it is still usual. */
export interface Usual {
  /** objects that it was learned from */
  readonly objects: number
  /** by feature */
  readonly missing: readonly KnownShare[]
  /** by level and class; undefined where too little is known */
  readonly classes: readonly (KnownShare | undefined)[]
  /** by feature */
  readonly values: readonly (UsualValues | undefined)[]
}

/** From what it is known. */
export interface UsualSource {
  readonly shape: WatchShape
  readonly nights: readonly LearnedNight[]
  /** the night that is compared */
  readonly now: number
  /** counts where no night does: what it says is usual, with more tolerance */
  readonly profile: InputProfile | undefined
  /** features and levels of which the profile is not asked any more: somebody has accepted something else */
  readonly accepted: ReadonlySet<string>
}

type CountsOf = (night: LearnedNight) => { readonly hits: number; readonly trials: number }

/** Null rates and shares of classes. */
export function usualShares({ shape, nights, now, profile, accepted }: UsualSource): Omit<Usual, 'values'> {
  const recent = weighted(nights, now)
  const lastYear = ofSameWeeks(nights, now).map((night) => ({ night, weight: 1 }))
  const known = (counts: CountsOf, more: Pick<UsualShare, 'isClass'> = {}): KnownShare | undefined => {
    const pooled = pooledShare(recent, counts)
    if (pooled === undefined) return undefined
    const share = { ...pooled, ...more, nightly: nightlySpread(recent.map(({ night }) => counts(night))) }
    return { share, band: bandOf(share, pooledShare(lastYear, counts)) }
  }
  const profiled = new Map((profile?.features ?? []).map((feature) => [feature.name, feature]))

  function missingOf(f: number): KnownShare {
    const name = shape.features[f]!
    const learned = known(({ seen, missing }) => ({ hits: missing[f]!, trials: seen[f]! }))
    if (learned) return learned
    const feature = profiled.get(name)
    if (accepted.has(name)) return { band: anything }
    if (!feature || !profile) return { band: nothingKnown }
    const share = { hits: feature.missing, trials: profile.rows, nightly: 0 }
    const { low, high } = bandOf(share, undefined, profileSlack)
    return { share, band: { low, high: Math.max(Math.min(high, nothingKnown.high), share.hits / share.trials) } }
  }

  function classOf(level: number, c: number): KnownShare | undefined {
    const counts: CountsOf = ({ classes }) => ({ hits: classes[level]![c]!, trials: totalOf(classes[level]!) })
    const learned = known(counts, { isClass: true })
    const { name, classes } = shape.levels[level]!
    const profiledLevel = profile?.predictions.find(({ classifierName }) => classifierName === name)
    // golden rows are often so many of each class
    if (learned || !profiledLevel || profile?.source !== 'file' || accepted.has(name)) return learned
    const trials = profiledLevel.classes.reduce((total, { rows }) => total + rows, 0)
    if (trials === 0) return undefined
    const hits = profiledLevel.classes.find((one) => one.name === classes[c])?.rows ?? 0
    const share = { hits, trials, nightly: 0, factor: tenfold }
    return { share, band: bandOf(share), isProfiled: true }
  }

  return {
    objects: nights.reduce((total, night) => total + night.objects, 0),
    missing: shape.features.map((_, f) => missingOf(f)),
    classes: shape.levels.flatMap(({ classes }, level) => classes.map((_, c) => classOf(level, c))),
  }
}

/** Where values lie. */
export function usualValues({ shape, nights, now, profile, accepted }: UsualSource): Usual['values'] {
  const pooled = pooledValues(weighted(nights, now), shape.features.length)
  const profiled = new Map((profile?.features ?? []).map((feature) => [feature.name, feature]))
  return shape.features.map((name, f) => {
    const bins = pooled.subarray(f * binCount, (f + 1) * binCount)
    if (totalOf(bins) >= fewestValues) return valuesOf(bins)
    const values = accepted.has(name) ? undefined : profiled.get(name)?.values
    return values ? valuesOf(binsOf(values)) : undefined
  })
}

interface WeightedNight {
  readonly night: LearnedNight
  readonly weight: number
}

function weighted(nights: readonly LearnedNight[], now: number): WeightedNight[] {
  return nights.map((night) => ({ night, weight: weightOf(night, now) })).filter(({ weight }) => weight > 0)
}

function pooledShare(nights: readonly WeightedNight[], counts: CountsOf): UsualShare | undefined {
  let [hits, trials] = [0, 0]
  for (const { night, weight } of nights) {
    const count = counts(night)
    hits += weight * count.hits
    trials += weight * count.trials
  }
  return trials < fewestTrials ? undefined : { hits, trials, nightly: 0 }
}

function totalOf(counts: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < counts.length; i++) total += counts[i]!
  return total
}

function pooledValues(from: readonly WeightedNight[], width: number): Float64Array {
  const pooled = new Float64Array(width * binCount)
  for (const { night, weight } of from) {
    const { places, counts } = night.values
    for (let i = 0; i < places.length; i++) pooled[places[i]!]! += weight * counts[i]!
  }
  return pooled
}

export type UsualValues = ReturnType<typeof valuesOf>

/** Where values lie, and the bands of the shares that lie in each group. */
function valuesOf(bins: ArrayLike<number>) {
  const all = totalOf(bins)
  const { quantiles, lowest, highest } = endsOf(bins, all)
  const sizes = new Float64Array(halfCount)
  const upTo = new Float64Array(quantiles.length)
  let negative = 0
  for (let bin = lowest; bin <= highest; bin++) {
    const count = bins[bin]!
    if (count === 0) continue
    quantiles.forEach((edge, q) => (upTo[q]! += bin <= edge ? count / all : 0))
    if (bin < halfCount) negative += count / all
    sizes[bin < halfCount ? halfCount - 1 - bin : bin - halfCount]! += count
  }
  const [low, middle, high] = [upTo[0]!, upTo[1]!, upTo[2]!]
  const shares = [0, low, middle, 1 - middle, 1 - high, 0].map((share) => Math.max(0, share))
  return {
    edges: [lowest === 0 ? -Infinity : largestOfBin(lowest - 1), ...quantiles.map(largestOfBin), largestOfBin(highest)],
    shares,
    bands: shares.map((share): Band => {
      const band = bandOf({ hits: share * all, trials: all, nightly: 0 })
      return { low: 0, high: Math.max(band.high, commonShare) }
    }),
    negative,
    typicalSize: valueOfBin(halfCount + quantileBin(sizes, 0.5)),
    low: valueOfBin(quantiles[0]!),
    high: valueOfBin(quantiles.at(-1)!),
  }
}

/** The bins of quantiles, as by `quantileBin`, and of the smallest and largest value. @param all not 0 */
function endsOf(bins: ArrayLike<number>, all: number) {
  const quantiles: number[] = []
  let [seen, lowest, highest] = [0, -1, 0]
  for (let bin = 0; bin < binCount; bin++) {
    if (bins[bin] === 0) continue
    seen += bins[bin]!
    if (lowest < 0) lowest = bin
    highest = bin
    while (quantiles.length < edgeShares.length && seen >= edgeShares[quantiles.length]! * all) quantiles.push(bin)
  }
  while (quantiles.length < edgeShares.length) quantiles.push(highest)
  return { quantiles, lowest, highest }
}

const sharesBetween = [0.01, 0.04, 0.2, 0.25, 0.25, 0.2, 0.04, 0.01]

/** A profile's quantiles as counts: what lies between two is spread evenly over the bins between them. */
function binsOf({ quantiles, minimum, maximum }: { quantiles: readonly number[]; minimum: number; maximum: number }) {
  const bins = new Float64Array(binCount)
  const ends = [minimum, ...quantiles, maximum].map(binOfValue)
  sharesBetween.forEach((share, i) => {
    const [from, to] = [ends[i]!, ends[i + 1]!]
    for (let bin = from; bin <= to; bin++) bins[bin]! += (share * 1e4) / (to - from + 1)
  })
  return bins
}
