// Rows and profiles for the tests of src/quality.
import { createInputProfiler } from '../../../src/model/profile/profile-inputs.ts'
import type { InputProfile } from '../../../src/model/bundle/input-profile.ts'
import type { Taxonomy } from '../../../src/pipeline/batch.ts'

export const missing = -999

export const taxonomy: Taxonomy = {
  levels: [{ classifierName: 'lc_classifier', prefix: '', branch: null, classes: ['AGN', 'RRL', 'SNIa'] }],
}

/** Rows of two features. */
export function matrixOf(rows: readonly (readonly [number, number])[]): Float32Array<ArrayBuffer> {
  return Float32Array.from(rows.flat())
}

/** A profile of rows of the features a and b, with so many predictions of each class. */
export function profileOf(
  rows: readonly (readonly [number, number])[],
  source: InputProfile['source'] = 'file',
  predicted: readonly number[] = [],
): InputProfile {
  const profiler = createInputProfiler({ features: ['a', 'b'], missing, taxonomy })
  profiler.addRows(matrixOf(rows), rows.length)
  profiler.addAnswers(
    [answersOf(predicted)],
    predicted.reduce((sum, count) => sum + count, 0),
  )
  return profiler.profile({ source, name: 'night.parquet' })
}

/** Probabilities with so many rows of each class. */
function answersOf(predicted: readonly number[]): Float64Array {
  return Float64Array.from(
    predicted.flatMap((count, c) =>
      Array.from({ length: count }, () => predicted.map((_, k) => (k === c ? 1 : 0))).flat(),
    ),
  )
}
