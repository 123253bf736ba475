// The mix of runs and packed bits, taken in pieces of any size.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRuns } from '../../../src/connectors/files/parquet-runs.ts'

type Run = { readonly same: number; readonly times: number } | { readonly packed: readonly number[] }

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}

/** Lowest bits first. */
function packedBytes(numbers: readonly number[], width: number): number[] {
  const bits = numbers.flatMap((number) => Array.from({ length: width }, (_, i) => (number >> i) & 1))
  return Array.from({ length: bits.length / 8 }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit, place) => byte | (bit << place), 0),
  )
}

function encoded(runs: readonly Run[], width: number): Buffer {
  const bytes = runs.flatMap((run) => {
    if ('packed' in run) return [...varint((run.packed.length / 8) * 2 + 1), ...packedBytes(run.packed, width)]
    const value = Array.from({ length: Math.ceil(width / 8) }, (_, i) => (run.same >> (8 * i)) & 0xff)
    return [...varint(run.times * 2), ...value]
  })
  return Buffer.from(bytes)
}

function numbersOf(runs: readonly Run[]): number[] {
  return runs.flatMap((run) => ('packed' in run ? run.packed : new Array<number>(run.times).fill(run.same)))
}

const cases = fc.integer({ min: 0, max: 24 }).chain((width) => {
  const number = fc.integer({ min: 0, max: 2 ** width - 1 })
  const same = fc.record({ same: number, times: fc.integer({ min: 1, max: 300 }) })
  const groups = fc.integer({ min: 1, max: 9 }).chain((count) => {
    return fc.array(number, { minLength: 8 * count, maxLength: 8 * count }).map((packed): Run => ({ packed }))
  })
  const runs: fc.Arbitrary<Run[]> = fc.array(fc.oneof(same, groups), { minLength: 1, maxLength: 8 })
  return fc.record({ width: fc.constant(width), runs, pieces: fc.array(fc.integer({ min: 1, max: 97 })) })
})

/** Everything, in pieces of these sizes again and again. */
function takeAll(bytes: Buffer, width: number, count: number, pieces: readonly number[]): number[] {
  const runs = createRuns()
  runs.begin(bytes, [0, bytes.length], width)
  const taken: number[] = []
  for (let i = 0; taken.length < count; i++) {
    const size = Math.min(pieces[i % pieces.length] ?? count, count - taken.length)
    const same = i % 2 === 1 ? runs.takeSame(size) : undefined
    const into = new Uint32Array(size)
    if (same === undefined) runs.take(into, size)
    else into.fill(same)
    taken.push(...into)
  }
  return taken
}

describe('runs and packed bits', () => {
  it('are the same numbers in pieces of any size', () => {
    fc.assert(
      fc.property(cases, ({ width, runs, pieces }) => {
        const expected = numbersOf(runs)
        expect(takeAll(encoded(runs, width), width, expected.length, pieces)).toEqual(expected)
      }),
    )
  })

  it('may lack the end of the last group, and nothing else', () => {
    fc.assert(
      fc.property(cases, fc.nat(), ({ width, runs, pieces }, seed) => {
        const bytes = encoded(runs, width)
        const kept = seed % bytes.length
        const expected = numbersOf(runs)
        let taken: number[] | undefined
        try {
          taken = takeAll(bytes.subarray(0, kept), width, expected.length, pieces)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
        // no bytes, no numbers: width 0 needs none
        if (width > 0 && kept < bytes.length) expect(taken).toBeUndefined()
      }),
    )
    const five = encoded([{ packed: [1, 2, 3, 4, 5, 0, 0, 0] }], 4).subarray(0, 4)
    expect(takeAll(five, 4, 5, [2])).toEqual([1, 2, 3, 4, 5])
  })

  it('is refused where numbers are wider than any dictionary needs', () => {
    expect(() => createRuns().begin(Buffer.alloc(8), [0, 8], 25)).toThrow(RangeError)
    expect(() => createRuns().begin(Buffer.alloc(8), [0, 9], 1)).toThrow(RangeError)
  })
})
