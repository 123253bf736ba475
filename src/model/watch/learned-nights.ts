// What is usual, learned night by night: counts that are added up, and rolled up by week when they are old.
import { addSparse, keepSparse, noCounts, type SparseCounts } from './value-bins.ts'

/** What counts are of: the model's features and levels, and the intervals of margins. */
export interface WatchShape {
  readonly features: readonly string[]
  /** levels of the taxonomy, and one more for margins, each with its classes */
  readonly levels: readonly { readonly name: string; readonly classes: readonly string[] }[]
}

/** Counts of objects: of a night, of several, or of a part of one. */
export interface NightCounts {
  readonly objects: number
  /** by feature: objects that it was looked at in, and those of them without it */
  readonly seen: Float64Array
  readonly missing: Float64Array
  /** by feature × bin: each fourth object */
  readonly values: SparseCounts
  /** by level and class */
  readonly classes: readonly Float64Array[]
}

/** A night, or several in a row. */
export interface LearnedNight extends NightCounts {
  /** the first of them: whole days of MJD; of inputs that say no time, portions of 10,000 objects from 0 on */
  readonly night: number
  readonly nights: number
}

/** nights that stay single, and nights that are kept at all: a year and the weeks around its begin */
const singleNights = 30
const keptNights = 400
const rolledNights = 7

export function emptyCounts({ features, levels }: WatchShape): NightCounts {
  return {
    objects: 0,
    seen: new Float64Array(features.length),
    missing: new Float64Array(features.length),
    values: noCounts,
    classes: levels.map(({ classes }) => new Float64Array(classes.length)),
  }
}

function addCounts(a: NightCounts, b: NightCounts): NightCounts {
  return {
    objects: a.objects + b.objects,
    seen: sum(a.seen, b.seen),
    missing: sum(a.missing, b.missing),
    values: addSparse(a.values, b.values),
    classes: a.classes.map((counts, level) => sum(counts, b.classes[level]!)),
  }
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + b[i]!)
}

/** Adds a night's counts to what is there, in ascending order of nights; what is old is rolled up, and the oldest forgotten. */
export function addNight(nights: readonly LearnedNight[], night: number, counts: NightCounts): LearnedNight[] {
  const at = nights.findIndex((one) => night >= one.night && night < one.night + one.nights)
  const known = nights[at]
  const others = nights.filter((_, i) => i !== at)
  const added = known ? { ...known, ...addCounts(known, counts) } : { ...counts, night, nights: 1 }
  return rolledUp([...others, added].sort((a, b) => a.night - b.night))
}

function rolledUp(nights: readonly LearnedNight[]): LearnedNight[] {
  const newest = nights.at(-1)!.night
  const rolled: LearnedNight[] = []
  for (const night of nights) {
    if (newest - night.night > keptNights) continue
    const last = rolled.at(-1)
    const isOld = newest - night.night > singleNights + rolledNights
    const isSameWeek = last && Math.floor(last.night / rolledNights) === Math.floor(night.night / rolledNights)
    if (!last || !isOld || !isSameWeek) rolled.push(night)
    else {
      const end = Math.max(last.night + last.nights, night.night + night.nights)
      rolled[rolled.length - 1] = { ...addCounts(last, night), night: last.night, nights: end - last.night }
    }
  }
  return rolled
}

/** Forgets features, and with `hasClasses` all classes too. */
export function forgetIn(
  nights: readonly LearnedNight[],
  features: ReadonlySet<number>,
  hasClasses: boolean,
  binCount: number,
): LearnedNight[] {
  const without = (counts: Float64Array): Float64Array => counts.map((count, f) => (features.has(f) ? 0 : count))
  return nights.map((night) => ({
    ...night,
    seen: without(night.seen),
    missing: without(night.missing),
    values: keepSparse(night.values, (place) => !features.has(Math.floor(place / binCount))),
    classes: hasClasses ? night.classes.map((counts) => new Float64Array(counts.length)) : night.classes,
  }))
}

/** days after which a night counts half */
const halfLife = 10
const recentNights = 45
/** of a year ago: the same weeks */
const year = 365
const sameWeeks = 14

/** How much a night counts for what is usual now. */
export function weightOf({ night, nights }: LearnedNight, now: number): number {
  const age = Math.max(0, now - (night + nights - 1))
  return age > recentNights ? 0 : 2 ** -Math.floor(age / halfLife)
}

/** Nights of the same weeks a year ago. */
export function ofSameWeeks(nights: readonly LearnedNight[], now: number): LearnedNight[] {
  return nights.filter(({ night, nights: count }) => {
    return night <= now - year + sameWeeks && night + count - 1 >= now - year - sameWeeks
  })
}
