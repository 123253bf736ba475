// A classifier that looks at the features it is given, on their way: counts for the end of a run, and --watch-quality.
import type { ClassifiedBatch, Taxonomy } from '../../pipeline/batch.ts'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import type { InputProfile } from '../bundle/input-profile.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { prepareMatrix } from '../../pipeline/preprocess.ts'
import { compareClasses, compareInputs, isStrangelyNull, percent, tolerance } from './compare-inputs.ts'
import { createInputTally } from './input-tally.ts'
import { countWinners } from './profile-inputs.ts'

/** Something that is not as usual, for as long as it is not. */
interface QualityWarning {
  /** what it is about: the same for as long as it lasts */
  readonly about: string
  readonly message: string
}

/** How the warnings changed with the newest rows. */
export interface QualityChange {
  readonly begun: readonly QualityWarning[]
  readonly ended: readonly QualityWarning[]
}

export type QualityWatch = ReturnType<typeof createQualityWatch>

/** no word before there are so many objects */
const fewestRows = 500
const noChange: QualityChange = { begun: [], ended: [] }

/**
 * Watches the newest rows, which leave the window in parts of some hundred.
 *
 * @param options `missing`: what stands for a missing value; without a profile, only features that are null in every row are
 *   told; `window`: how many of the newest objects are looked at
 */
export function createQualityWatch(options: {
  features: readonly string[]
  missing: number
  taxonomy: Taxonomy
  profile: InputProfile | undefined
  window?: number
}) {
  const { features, missing, taxonomy, profile, window = 10_000 } = options
  // what a branch says of objects that are not its own means nothing
  const levels = taxonomy.levels.slice(0, 2)
  const width = features.length
  const partRows = Math.max(1, Math.floor(window / 20))
  const parts = [newPart()]
  let current = new Map<string, QualityWarning>()
  let nullRates = new Map<string, number>()
  let classShares: Map<string, number> | undefined

  function newPart() {
    return {
      rows: 0,
      missing: new Uint32Array(width),
      classes: levels.map(({ classes }) => new Uint32Array(classes.length)),
    }
  }

  function openPart() {
    const last = parts.at(-1)!
    if (last.rows < partRows) return last
    const part = newPart()
    parts.push(part)
    let rows = parts.reduce((sum, one) => sum + one.rows, 0)
    while (parts.length > 2 && rows - parts[0]!.rows >= window) rows -= parts.shift()!.rows
    return part
  }

  const rowsSeen = (): number => parts.reduce((sum, part) => sum + part.rows, 0)
  const needed = Math.min(fewestRows, window)

  function look(): QualityChange {
    const rows = rowsSeen()
    if (rows < needed) return noChange
    const found = new Map<string, QualityWarning>()
    const add = (about: string, message: string): unknown =>
      found.set(about, { about, message: `${about}: ${message}` })
    nullRates = new Map()
    const missings = total(parts.map((part) => part.missing))
    features.forEach((name, f) => {
      const odd = oddNulls(missings[f]!, rows, f, profile)
      if (odd === undefined) return
      nullRates.set(name, missings[f]! / rows)
      add(name, odd)
    })
    levels.forEach(({ classifierName, classes }, level) => {
      const counts = total(parts.map((part) => part.classes[level]!))
      if (level === 0) classShares = sharesOf(classes, counts)
      if (!profile) return
      for (const { className, message } of compareClasses({ classifierName, classes, rows: counts }, profile)) {
        add(level === 0 ? className : `${className} (${classifierName})`, message)
      }
    })
    const before = current
    current = found
    return {
      begun: [...found.values()].filter(({ about }) => !before.has(about)),
      ended: [...before.values()].filter(({ about }) => !found.has(about)),
    }
  }

  return {
    /** Takes what is needed of a batch's features; call it before the classifier takes the matrix over. */
    see(matrix: FeatureMatrix, rowCount: number): void {
      const part = openPart()
      part.rows += rowCount
      for (let f = 0; f < width; f++) {
        let absent = 0
        for (let cell = f; cell < rowCount * width; cell += width)
          absent += matrix[cell] === missing || matrix[cell] !== matrix[cell] ? 1 : 0
        part.missing[f]! += absent
      }
    },
    /** Adds the predictions, and looks at the window again. */
    seeAnswers({ rowCount, probabilities }: ClassifiedBatch): QualityChange {
      parts.at(-1)!.classes.forEach((counts, level) => countWinners(counts, probabilities[level]!, rowCount))
      return look()
    },
    /** what is not as usual now */
    get warnings(): readonly QualityWarning[] {
      return [...current.values()]
    },
    /** of the window: null rates of the features that are not as usual */
    get nullRates(): ReadonlyMap<string, number> {
      return nullRates
    },
    /** of the window: shares of the leaf classes; undefined while the window is too small */
    get classShares(): ReadonlyMap<string, number> | undefined {
      return classShares
    },
    /** objects seen and needed, while there are some and too few to judge */
    get tooFew(): { readonly rows: number; readonly needed: number } | undefined {
      const rows = rowsSeen()
      return rows > 0 && rows < needed ? { rows, needed } : undefined
    },
  }
}

function oddNulls(missing: number, rows: number, f: number, profile: InputProfile | undefined): string | undefined {
  const objects = `${rows.toLocaleString('en')} objects`
  const usualMissing = profile?.features[f]?.missing
  if (!profile || usualMissing === undefined) return missing === rows ? `null in all of ${objects}` : undefined
  const rate = missing / rows
  const usual = usualMissing / profile.rows
  const isFar = Math.abs(rate - usual) > tolerance(profile)
  if (!isFar && !isStrangelyNull(missing, rows, usualMissing, profile.rows)) return undefined
  return `null in ${percent(rate)} of ${objects}; usual is ${percent(usual)}`
}

function sharesOf(classes: readonly string[], counts: Float64Array): Map<string, number> {
  const all = counts.reduce((sum, count) => sum + count, 0)
  return new Map(classes.map((name, c) => [name, all === 0 ? 0 : counts[c]! / all]))
}

function total(lists: readonly Uint32Array[]): Float64Array {
  const sums = new Float64Array(lists[0]!.length)
  for (const list of lists) for (let i = 0; i < sums.length; i++) sums[i]! += list[i]!
  return sums
}

// Classifiers with a watch or a tally on their inputs.

export type WatchedClassifier = ReturnType<typeof tallyInputs>

/** all of so many rows are counted, and of what follows each eighth: what is broken shows, and it costs next to nothing */
const countedRows = 2_000
const laterStride = 8

/**
 * Counts the inputs of a whole run against a profile. Answers are untouched. `notes` gives sentences for the end of the run:
 * what is badly off; empty where nothing is, or nothing is known.
 */
export function tallyInputs(
  classifier: Classifier,
  profile: InputProfile | undefined,
): { classifier: Classifier; notes: () => readonly string[] } {
  if (!profile) return { classifier, notes: () => [] }
  const { features, preprocessing } = classifier
  const tally = createInputTally({ features, missing: preprocessing.missing, profile })
  return {
    classifier: {
      ...classifier,
      async classify(batch) {
        // now, because the classifier takes the matrix over
        prepareMatrix(batch, classifier)
        tally.add(batch.matrix, batch.rowCount, tally.rows < countedRows ? 1 : laterStride)
        return classifier.classify(batch)
      },
    },
    notes() {
      const [worst, ...others] = compareInputs(tally.counts(), tally.rows, profile).filter(({ isSevere }) => isSevere)
      if (!worst) return []
      const more = others.length === 0 ? '' : `, and ${others.length} more`
      const count = others.length === 0 ? 'a feature is' : `${others.length + 1} features are`
      return [`${count} unusual (${worst.feature}: ${worst.message}${more}): lcclf check has details`]
    },
  }
}

export type WatchedQuality = ReturnType<typeof watchQuality>

/** Looks at the newest objects after each batch and reports what stops being usual, and what becomes usual again. */
export function watchQuality(
  classifier: Classifier,
  profile: InputProfile | undefined,
  onChange: (change: QualityChange) => void,
): { classifier: Classifier; watch: QualityWatch } {
  const { features, preprocessing, taxonomy } = classifier
  const watch = createQualityWatch({ features, missing: preprocessing.missing, taxonomy, profile })
  return {
    watch,
    classifier: {
      ...classifier,
      async classify(batch) {
        prepareMatrix(batch, classifier)
        watch.see(batch.matrix, batch.rowCount)
        const classified = await classifier.classify(batch)
        const change = watch.seeAnswers(classified)
        if (change.begun.length + change.ended.length > 0) onChange(change)
        return classified
      },
    },
  }
}

/** What is said at the end of a run that was too short for the watch: silence would be taken for good news. */
export function tooFewNote({ tooFew }: Pick<QualityWatch, 'tooFew'>): string | undefined {
  if (!tooFew) return undefined
  return `--watch-quality: too few objects (${tooFew.rows}, and ${tooFew.needed} are needed) to judge null rates and shares of classes`
}

/** What is said first where a bundle has no profile. */
export const noProfile =
  'the model has no profile of its inputs: --watch-quality tells only features that are null everywhere'
