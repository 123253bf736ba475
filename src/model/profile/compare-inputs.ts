// Counts of an input against the profile of a model: what looks as if the features had been made in another way.
import { type FeatureProfile, type InputProfile, profileQuantiles, type ValueProfile } from '../bundle/input-profile.ts'
import type { FeatureCounts } from './input-tally.ts'

/** What is odd about a feature. */
interface FeatureFinding {
  readonly feature: string
  readonly kind: 'all null' | 'null rate' | 'constant' | 'unit' | 'range'
  /** the sentence after the feature's name */
  readonly message: string
  /** hardly explained by another choice of objects */
  readonly isSevere: boolean
}

/** fewer rows than these say nothing about rates */
const fewestRows = 30
/** a coincidence rarer than this is none */
const unlikely = 1e-6

/**
 * What is odd, at most one finding a feature, in the order of the counts. What may differ is wider for the few rows of a
 * small profile, and wider again for golden inputs, which may have been chosen to be unusual.
 */
export function compareInputs(counts: readonly FeatureCounts[], rows: number, profile: InputProfile): FeatureFinding[] {
  const known = new Map(profile.features.map((feature) => [feature.name, feature]))
  return counts.flatMap((count) => {
    const feature = known.get(count.name)
    return feature ? (findingOf({ count, rows, feature, profile }) ?? []) : []
  })
}

/** The features that have values enough, here and in the profile, for `compareInputs` to have looked at them. */
export function comparedFeatures(counts: readonly FeatureCounts[], rows: number, profile: InputProfile): string[] {
  const known = new Set(profile.features.flatMap(({ name, values }) => (values === null ? [] : [name])))
  return counts.flatMap(({ name, missing }) => (known.has(name) && rows - missing >= fewestRows ? [name] : []))
}

interface Comparison {
  readonly count: FeatureCounts
  readonly rows: number
  readonly feature: FeatureProfile
  readonly profile: InputProfile
}

function findingOf(comparison: Comparison): FeatureFinding | undefined {
  const { count, rows, feature, profile } = comparison
  if (isStrangelyNull(count.missing, rows, feature.missing, profile.rows)) {
    const usual = percent(feature.missing / profile.rows)
    return {
      feature: count.name,
      kind: 'all null',
      message: `all ${shown(rows)} rows that were looked at lack it; usual is ${usual}`,
      isSevere: true,
    }
  }
  if (rows < fewestRows) return undefined
  return oddValues(comparison) ?? oddNulls(comparison)
}

/** Whether all rows lack a value although, by the profile, that would be a most unlikely coincidence. */
function isStrangelyNull(missing: number, rows: number, usualMissing: number, usualRows: number): boolean {
  if (rows === 0 || missing < rows) return false
  return ((usualMissing + 1) / (usualRows + 2)) ** rows < unlikely
}

/** How far a rate may be from the profile's before it is odd. */
function tolerance({ source, rows }: InputProfile): number {
  return (source === 'file' ? 0.2 : 0.4) + 2 / Math.sqrt(rows)
}

function oddNulls({ count, rows, feature, profile }: Comparison): FeatureFinding | undefined {
  const rate = count.missing / rows
  const usual = feature.missing / profile.rows
  const allowed = tolerance(profile) + 1 / Math.sqrt(rows)
  if (Math.abs(rate - usual) <= allowed) return undefined
  return {
    feature: count.name,
    kind: 'null rate',
    message: `null in ${percent(rate)} of the rows; usual is ${percent(usual)}`,
    isSevere: false,
  }
}

function oddValues({ count, rows, feature, profile }: Comparison): FeatureFinding | undefined {
  const { values } = feature
  const present = rows - count.missing
  if (values === null || present < fewestRows) return undefined
  if (count.minimum === count.maximum && values.quantiles[1] !== values.quantiles[5]) {
    return {
      feature: count.name,
      kind: 'constant',
      message: `always ${text(count.minimum!)}; usual is ${usualRange(values)}`,
      isSevere: true,
    }
  }
  const outside = (count.bins[0]! + count.bins[profileQuantiles.length]!) / present
  const isMoved = outside > 0.5 || isCrowded(count.bins, present, values)
  const unit = isMoved ? unitOf(count.typicalSize, values.typicalSize) : undefined
  if (unit !== undefined) return { feature: count.name, kind: 'unit', message: unit, isSevere: true }
  if (outside <= tolerance(profile) + 1 / Math.sqrt(present)) return undefined
  // other objects may well have other values, but hardly most of them values that no object had
  const isSevere = count.beyond / present > (profile.source === 'file' ? 0.25 : 0.5)
  const message = `${percent(outside)} of the values are outside the usual ${usualRange(values)} (1 % to 99 %)`
  return { feature: count.name, kind: 'range', message, isSevere }
}

/**
 * Smaller values are seldom outside, they crowd where zero is: whether nearly all lie between two edges (of quantiles, or
 * the ends) between which usually at most half of them do.
 */
function isCrowded(bins: readonly number[], present: number, { quantiles }: ValueProfile): boolean {
  // where quantiles are one number, all that do not exceed it are counted at the first of them
  // else the share of usual values that are known not to exceed the quantile
  const shareUpTo = (quantile: number) => profileQuantiles[quantiles.lastIndexOf(quantile)]!
  const usual = [0, ...profileQuantiles.map((share, q) => (q === 0 ? share : shareUpTo(quantiles[q]!))), 1]
  let seen = 0
  const counted = [0, ...bins.map((count) => (seen += count) / present)]
  return counted.some((from, i) => counted.some((to, j) => to - from > 0.9 && usual[j]! - usual[i]! <= 0.5))
}

/** Only what is clear: a ratio near a power of ten from 100 on, or near degrees against radians. */
export function unitOf(size: number | null, usual: number): string | undefined {
  if (size === null || size <= 0 || usual <= 0) return undefined
  const power = Math.log10(size / usual)
  const isPowerOfTen = Math.abs(power) > 1.85 && Math.abs(power - Math.round(power)) < 0.15
  const isAngle = Math.abs(Math.abs(power) - Math.log10(180 / Math.PI)) < 0.08
  if (!isPowerOfTen && !isAngle) return undefined
  // a tenth at a time: what was counted is not more exact
  const ratio = `about ${shown(Number((10 ** Math.abs(power)).toPrecision(2)))} times`
  const way = power > 0 ? 'larger' : 'smaller'
  const perhaps = isPowerOfTen ? 'another unit?' : 'degrees against radians?'
  return `values are ${ratio} ${way} than usual (typically ${text(size)}, usual ${text(usual)}): ${perhaps}`
}

function usualRange({ quantiles }: ValueProfile): string {
  return `${text(quantiles[0]!)} to ${text(quantiles.at(-1)!)}`
}

/** A share as people read it; only none is 0 %, and only all are 100 %. */
export function percent(share: number): string {
  if (share > 0 && share < 0.01) return '< 1 %'
  if (share < 1 && share > 0.99) return '> 99 %'
  return `${Math.round(share * 100)} %`
}

function text(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function shown(count: number): string {
  return count.toLocaleString('en')
}
