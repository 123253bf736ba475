// A classifier that looks at the features it is given, on their way: counts for the end of a run, and --watch-quality.
import type { Classifier } from '../../pipeline/classifier.ts'
import type { InputProfile } from '../bundle/input-profile.ts'
import { compareInputs } from './compare-inputs.ts'
import { createInputTally } from './input-tally.ts'
import { createQualityWatch, type QualityChange, type QualityWatch } from './quality-watch.ts'

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
      classify(batch) {
        // now, because the classifier takes the matrix over
        tally.add(batch.matrix, batch.rowCount, tally.rows < countedRows ? 1 : laterStride)
        return classifier.classify(batch)
      },
    },
    notes() {
      const [worst, ...others] = compareInputs(tally.counts(), tally.rows, profile).filter(({ isSevere }) => isSevere)
      if (!worst) return []
      const more = others.length === 0 ? '' : `, and ${others.length} more`
      const count = others.length === 0 ? 'a feature is' : `${others.length + 1} features are`
      return [`${count} not as usual (${worst.feature}: ${worst.message}${more}): lcclf check has details`]
    },
  }
}

export type WatchedQuality = ReturnType<typeof watchQuality>

/** Looks at the newest objects after each batch and tells what is no longer as usual, and what is again. */
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
