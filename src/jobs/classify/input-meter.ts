// How much of all inputs was read, by their sizes.
import { statSync } from 'node:fs'
import type { Source } from '../../pipeline/source.ts'
import type { Input } from '../../connectors/inputs.ts'

/** Follows a run from input to input. */
export interface InputMeter {
  begin(input: Input): void
  /** of all inputs, 0 to 1; NaN where it cannot be told (stdin) */
  fraction(source: Source): number
}

/** Weighs inputs by their bytes. */
export function createInputMeter(inputs: readonly Input[]): InputMeter {
  const sizes = new Map(inputs.map((input) => [input, sizeOf(input)]))
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  let done = 0
  let current = 0
  return {
    begin(input) {
      done += current
      current = sizes.get(input) ?? 0
    },
    fraction: (source) => (done + current * (source.fractionRead?.() ?? NaN)) / total,
  }
}

function sizeOf({ spec }: Input): number {
  if (spec.kind === 's3') return spec.size
  return spec.kind === 'file' ? (statSync(spec.path, { throwIfNoEntry: false })?.size ?? 0) : NaN
}
