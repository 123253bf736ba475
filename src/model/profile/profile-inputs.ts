// Rows → the profile of a model's inputs: exact counts, exact quantiles as far as memory should go.
import { firstMaximum, type Taxonomy } from '../../pipeline/batch.ts'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { randomNumbers } from '../bundle/golden.ts'
import { type FeatureProfile, type InputProfile, profileQuantiles } from '../bundle/input-profile.ts'
import { createInputTally, type FeatureCounts, finiteFloat } from './input-tally.ts'

export type InputProfiler = ReturnType<typeof createInputProfiler>

/**
 * Rows, missing values, extremes and predictions are counted exactly. Quantiles are exact up to 200,000 rows; of more, a
 * random 200,000 decide (Vitter's algorithm R, with a fixed seed, so that the same file gives the same profile).
 *
 * @param model `missing`: what stands for a missing value
 */
export function createInputProfiler(
  { features, missing, taxonomy }: { features: readonly string[]; missing: number; taxonomy: Taxonomy },
  // 120 MB of a model with 152 features
  kept = 200_000,
) {
  const width = features.length
  const random = randomNumbers(0x9e3779b9)
  const tally = createInputTally({ features, missing })
  let sample = new Float32Array(Math.min(kept, 1024) * width)
  let sampled = 0
  let rows = 0
  const winners = taxonomy.levels.map(({ classes }) => new Float64Array(classes.length))
  let answered = 0

  function placeOfNext(): number | undefined {
    rows++
    if (sampled === kept) {
      const place = Math.floor(random() * rows)
      return place < kept ? place : undefined
    }
    if ((sampled + 1) * width > sample.length) {
      const larger = new Float32Array(Math.min(kept * width, sample.length * 2))
      larger.set(sample)
      sample = larger
    }
    return sampled++
  }

  function featureOf({ name, missing: absent, minimum, maximum }: FeatureCounts, f: number): FeatureProfile {
    if (minimum === null || maximum === null) return { name, missing: absent, values: null }
    const found = new Float32Array(sampled)
    let count = 0
    for (let row = 0; row < sampled; row++) {
      const value = sample[row * width + f]!
      if (value !== missing && value === value) found[count++] = finiteFloat(value)
    }
    const values = count > 0 ? found.subarray(0, count).sort() : Float32Array.of(minimum)
    const quantiles = profileQuantiles.map((share) => quantileOf(values, share))
    const typicalSize = quantileOf(values.map(Math.abs).sort(), 0.5)
    return { name, missing: absent, values: { minimum, maximum, quantiles, typicalSize } }
  }

  return {
    /** rowCount × features, row-major, preprocessed */
    addRows(matrix: FeatureMatrix, rowCount: number): void {
      tally.add(matrix, rowCount)
      for (let row = 0; row < rowCount; row++) {
        const place = placeOfNext()
        if (place !== undefined) sample.set(matrix.subarray(row * width, (row + 1) * width), place * width)
      }
    },
    /** The answers to rows that were added, by level of the taxonomy, the product first. */
    addAnswers(probabilities: readonly Float64Array[], rowCount: number): void {
      answered += rowCount
      winners.forEach((counts, level) => countWinners(counts, probabilities[level]!, rowCount))
    },
    profile: (identity: Pick<InputProfile, 'source' | 'name'>): InputProfile => ({
      formatVersion: 1,
      ...identity,
      rows,
      features: tally.counts().map(featureOf),
      predictions: taxonomy.levels
        .slice(0, answered === 0 ? 0 : undefined)
        .map(({ classifierName, classes }, level) => ({
          classifierName,
          classes: classes.map((name, c) => ({ name, rows: winners[level]![c]! })),
        })),
    }),
  }
}

/** Adds to each class's count the rows in which it has the largest probability. */
function countWinners(counts: Float64Array, probabilities: Float64Array, rowCount: number): void {
  const width = counts.length
  for (let row = 0; row < rowCount; row++) counts[firstMaximum(probabilities, row * width, width)]!++
}

/** The smallest of some sorted values that at least this share of them does not exceed. */
function quantileOf(sorted: Float32Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}
