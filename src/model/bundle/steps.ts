// Transformations of features before the trees, column by column in float64, as scikit-learn makes them.
import type { Checker } from './manifest.ts'

/** One step of a pipeline. Every list has one entry a column. */
export type Step = {
  readonly kind: 'affine'
  readonly subtract: readonly number[] | null
  readonly divide: readonly number[] | null
}

export function readStep(check: Checker, value: unknown): Step {
  const step = check.record(value, 'step')
  if (step['kind'] !== 'affine') throw check.error('kind of a step')
  const listOf = (list: unknown) => (list === null ? null : check.exactNumbers(list, 'numbers of a step'))
  return { kind: 'affine', subtract: listOf(step['subtract']), divide: listOf(step['divide']) }
}

/**
 * Transforms rows; a missing value (NaN) stays missing unless a step replaces it.
 *
 * @param rows rowCount × features, row-major
 * @returns new rows
 */
export function transformRows(steps: readonly Step[], rows: Float64Array, rowCount: number): Float64Array<ArrayBuffer> {
  const width = rowCount === 0 ? 0 : rows.length / rowCount
  const values = Float64Array.from(rows)
  for (const { subtract, divide } of steps) {
    for (let i = 0; i < values.length; i++) {
      if (subtract !== null) values[i]! -= subtract[i % width]!
      if (divide !== null) values[i]! /= divide[i % width]!
    }
  }
  return values
}
