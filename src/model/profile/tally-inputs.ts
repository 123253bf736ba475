// A classifier that looks at the features it is given, on their way: counts for the end of a run.
import type { Classifier } from '../../pipeline/classifier.ts'
import { prepareMatrix } from '../../pipeline/preprocess.ts'
import type { InputProfile } from '../bundle/input-profile.ts'
import { compareInputs } from './compare-inputs.ts'
import { createInputTally } from './input-tally.ts'

export type TalliedClassifier = ReturnType<typeof tallyInputs>

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
