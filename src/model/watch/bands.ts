// What is usual → how far a share may be from it before anybody is told.
import type { Band } from './sequential-tests.ts'

/** A share as it is known: from how many objects, and how it differs from night to night. */
export interface UsualShare {
  readonly hits: number
  readonly trials: number
  /** standard deviation of the log odds between nights, beyond what counting alone brings; 0 if unknown */
  readonly nightly: number
  /** of a class of the mix itself, and not of what depends on the mix */
  readonly isClass?: boolean
  /** by which the odds may differ, instead of the usual factor: of what is only known from elsewhere */
  readonly factor?: number
}

/**
 * A shift of the mix of objects by a fifth, from 70 to 84 %, changes the odds of whatever depends on it by this factor. Season,
 * moon and the galactic plane do as much.
 */
const mixFactor = 2.25
const mostFactor = 8
/** a share may always move so much: what is rare is not worth waking anybody */
const floor = 0.01
/** of the estimate, in standard deviations: what is usual is known from so and so many objects only */
const confidence = 4
const nightsApart = 3

/**
 * The band of a share that is known. With `more`, a second usual (of the same weeks a year ago), whatever is usual in either
 * is within the band.
 *
 * @param slack what is added on both sides: what is usual in a profile is usual elsewhere
 */
export function bandOf(usual: UsualShare, more?: UsualShare, slack = 0): Band {
  const band = ownBand(usual, slack)
  if (more === undefined) return band
  const other = ownBand(more, slack)
  return { low: Math.min(band.low, other.low), high: Math.max(band.high, other.high) }
}

function ownBand({ hits, trials, nightly, factor, isClass = false }: UsualShare, slack: number): Band {
  const [low, high] = interval(hits, trials)
  const { down, up } = factor === undefined ? factorsOf(hits / trials, isClass) : { down: factor, up: factor }
  const widened = (own: number): number => Math.max(own, Math.min(mostFactor, own * Math.exp(nightsApart * nightly)))
  const least = withOdds(low, 1 / widened(down))
  const most = withOdds(high, widened(up))
  // not so much that a share could only be within
  return { low: least - Math.min(floor, least / 3) - slack, high: most + Math.min(floor, (1 - most) / 3) + slack }
}

/** a little more than a fifth */
const fifth = 0.22

/** By which factors the odds of a share may differ. A class's own may do what a fifth of it is, which of rare ones is less. */
function factorsOf(share: number, isClass: boolean): { readonly down: number; readonly up: number } {
  if (!isClass) return { down: mixFactor, up: mixFactor }
  const odds = (of: number): number => of / (1 - of)
  const least = 1.5
  const down = share < 1 ? odds(share) / odds(share * (1 - fifth)) : mixFactor
  const up = share > 0 && share * (1 + fifth) < 1 ? odds(share * (1 + fifth)) / odds(share) : mixFactor
  const bounded = (factor: number): number => Math.min(Math.max(factor, least), 2.5)
  return { down: bounded(down), up: bounded(up) }
}

/** Wilson's. */
function interval(hits: number, trials: number): readonly [low: number, high: number] {
  const share = hits / trials
  const square = confidence ** 2
  const middle = (share + square / (2 * trials)) / (1 + square / trials)
  const half =
    (confidence / (1 + square / trials)) * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials ** 2))
  return [Math.max(0, middle - half), Math.min(1, middle + half)]
}

function withOdds(share: number, factor: number): number {
  return (share * factor) / (1 - share + share * factor)
}

/** fewer nights say nothing of how they differ, and fewer objects nothing of a night */
const fewestNights = 5
const fewestObjects = 300

/** How the log odds of a share differ between nights, beyond what counting alone brings. */
export function nightlySpread(nights: readonly { readonly hits: number; readonly trials: number }[]): number {
  const known = nights.filter(({ trials }) => trials >= fewestObjects)
  if (known.length < fewestNights) return 0
  const odds = known.map(({ hits, trials }) => Math.log((hits + 0.5) / (trials - hits + 0.5)))
  const mean = odds.reduce((sum, one) => sum + one, 0) / odds.length
  const variance = odds.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (odds.length - 1)
  const counting = known.reduce((sum, { hits, trials }) => sum + 1 / (hits + 0.5) + 1 / (trials - hits + 0.5), 0)
  return Math.sqrt(Math.max(0, variance - counting / known.length))
}
