// Rows → the profile of a model's inputs: exact counts, exact quantiles as far as memory should go.
import { firstMaximum, type Level, type Taxonomy } from '../../pipeline/batch.ts'
import { randomNumbers } from '../bundle/golden.ts'
import {
  type FeatureProfile,
  type InputProfile,
  type PredictionProfile,
  profileQuantiles,
  type ValueProfile,
} from '../bundle/input-profile.ts'

export type InputProfiler = ReturnType<typeof createInputProfiler>

/** rows whose values are kept: 120 MB of a model with 152 features */
const mostKept = 200_000

/**
 * Rows, missing values, extremes and predictions are counted exactly. Quantiles are exact up to 200,000 rows; of more, a
 * random 200,000 decide (Vitter's algorithm R, with a fixed seed, so that the same file gives the same profile).
 *
 * @param model `missing`: what stands for a missing value
 */
export function createInputProfiler(
  { features, missing, taxonomy }: { features: readonly string[]; missing: number; taxonomy: Taxonomy },
  kept = mostKept,
) {
  const width = features.length
  const random = randomNumbers(0x9e3779b9)
  let sample = new Float32Array(Math.min(kept, 1024) * width)
  let sampled = 0
  let rows = 0
  const missings = new Float64Array(width)
  const minima = new Float32Array(width).fill(Infinity)
  const maxima = new Float32Array(width).fill(-Infinity)
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

  function valuesOf(f: number): ValueProfile | null {
    if (minima[f]! > maxima[f]!) return null
    const found = new Float32Array(sampled)
    let count = 0
    for (let row = 0; row < sampled; row++) {
      const value = sample[row * width + f]!
      if (value !== missing) found[count++] = value
    }
    const values = count > 0 ? found.subarray(0, count).sort() : Float32Array.of(minima[f]!)
    return {
      minimum: minima[f]!,
      maximum: maxima[f]!,
      quantiles: profileQuantiles.map((share) => quantileOf(values, share)),
      typicalSize: quantileOf(values.map(Math.abs).sort(), 0.5),
    }
  }

  return {
    /** rowCount × features, row-major, preprocessed */
    addRows(matrix: Float32Array, rowCount: number): void {
      for (let row = 0; row < rowCount; row++) {
        const start = row * width
        for (let f = 0; f < width; f++) {
          const value = matrix[start + f]!
          if (value === missing) {
            missings[f]!++
            continue
          }
          if (value < minima[f]!) minima[f] = value
          if (value > maxima[f]!) maxima[f] = value
        }
        const place = placeOfNext()
        if (place !== undefined) sample.set(matrix.subarray(start, start + width), place * width)
      }
    },
    /** The answers to rows that were added, by level of the taxonomy, the product first. */
    addAnswers(probabilities: readonly Float64Array[], rowCount: number): void {
      answered += rowCount
      winners.forEach((counts, level) => {
        const width = counts.length
        for (let row = 0; row < rowCount; row++) counts[firstMaximum(probabilities[level]!, row * width, width)]!++
      })
    },
    profile: (identity: Pick<InputProfile, 'source' | 'name'>): InputProfile => ({
      formatVersion: 1,
      ...identity,
      rows,
      features: features.map((name, f): FeatureProfile => ({ name, missing: missings[f]!, values: valuesOf(f) })),
      predictions: answered === 0 ? [] : taxonomy.levels.map((level, l) => predictionsOf(level, winners[l]!)),
    }),
  }
}

function predictionsOf(level: Level, counts: Float64Array): PredictionProfile {
  const { classifierName, classes } = level
  return { classifierName, classes: classes.map((name, c) => ({ name, rows: counts[c]! })) }
}

/** The smallest of some sorted values that at least this share of them does not exceed. */
function quantileOf(sorted: Float32Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}
