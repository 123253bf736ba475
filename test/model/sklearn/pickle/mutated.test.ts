// Real pickles with bytes changed, moved, cut out or put in: an error of ours, or a forest that can be walked safely.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../../src/errors.ts'
import { findBrokenTree, findUnsafeNode } from '../../../../src/model/bundle/forest.ts'
import { readNames } from '../../../../src/model/sklearn/pickle/names.ts'
import { unpickle } from '../../../../src/model/sklearn/pickle/unpickle.ts'
import { readFixture } from '../../../support/fixture-folders.ts'
import { readForest } from './read-pickled.ts'

const forests = [
  'pickles/0.20-python2.7/weighted-protocol1.pkl.gz',
  'pickles/0.20/eleven-classes.pkl.gz',
  'pickles/0.23/single-nodes.pkl.gz',
  'pickles/0.21/balanced-protocol3.pkl.gz',
  'pickles/0.24/zero-weight.pkl.gz',
  'pickles/1.1/named-features.pkl.gz',
  'pickles/1.1/weighted-protocol1.pkl.gz',
  'pickles/1.2/weighted-protocol5.pkl.gz',
  'pickles/1.3/big-endian.pkl.gz',
  'pickles/1.4/missing-values.pkl.gz',
  'pickles/1.6/weighted-protocol3.pkl.gz',
  'pickles/1.7/named-features.pkl.gz',
  'sklearn-0.22.2/transient_level_RF_model.pkl.gz',
  'sklearn-1.5.2/transient_level_BRF_model.pkl.gz',
].map((path) => readFixture(path))

/** One damage to a file; `at` and `size` are shares of it, so that they fit any. */
interface Mutation {
  readonly kind: 'flip' | 'set' | 'number' | 'cut' | 'remove' | 'repeat' | 'insert'
  readonly at: number
  readonly size: number
  readonly value: number
}

// without bias, which would put most of the damage into the first byte
const share = fc.noBias(fc.nat(999_999)).map((value) => value / 1_000_000)
const kinds = 'flip flip flip flip set set set number number cut remove repeat insert'.split(' ') as Mutation['kind'][]
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(...kinds),
  // half of the damage near the beginning, where the structure is
  at: fc.oneof(
    share,
    share.map((value) => value ** 4),
  ),
  size: share.map((value) => value ** 8),
  value: fc.nat(0xffff_ffff),
})

function mutate(bytes: Buffer, { kind, at, size, value }: Mutation): Buffer {
  const start = Math.floor(at * bytes.length)
  const end = Math.min(bytes.length, start + 1 + Math.floor(size * bytes.length))
  const copy = Buffer.from(bytes)
  switch (kind) {
    case 'flip':
      copy[start]! ^= 1 << (value & 7)
      return copy
    case 'set':
      copy[start] = value & 0xff
      return copy
    case 'number':
      for (let i = 0; i < 4 && start + i < copy.length; i++) copy[start + i] = (value >>> (8 * i)) & 0xff
      return copy
    case 'cut':
      return copy.subarray(0, start)
    case 'remove':
      return Buffer.concat([copy.subarray(0, start), copy.subarray(end)])
    case 'repeat':
      return Buffer.concat([copy.subarray(0, end), copy.subarray(start)])
    case 'insert':
      return Buffer.concat([
        copy.subarray(0, start),
        Buffer.of(value & 0xff, (value >> 8) & 0xff),
        copy.subarray(start),
      ])
  }
}

describe('twelve thousand damaged forests', { tags: ['long'] }, () => {
  it('are refused with a ModelError, or read as forests that are whole, within two seconds each', () => {
    let refused = 0
    let read = 0
    let slowest = 0
    const property = fc.property(
      fc.nat(forests.length - 1),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      (file, mutations) => {
        const bytes = mutations.reduce(mutate, forests[file]!)
        const start = process.cpuUsage()
        try {
          const forest = readForest(bytes)
          read++
          expect(findUnsafeNode(forest, 32_767)).toBeNull()
          expect(findBrokenTree(forest)).toBeNull()
        } catch (error) {
          if (!(error instanceof ModelError)) throw error
          refused++
        }
        const { user, system } = process.cpuUsage(start)
        slowest = Math.max(slowest, (user + system) / 1000)
      },
    )
    fc.assert(property, { numRuns: 12_000, seed: 20_200_914 })
    // damage in a threshold gives another forest, damage in the structure an error: both must have happened
    expect(refused).toBeGreaterThan(1000)
    expect(read).toBeGreaterThan(1000)
    expect(slowest).toBeLessThan(2000)
  }, 120_000)

  it('and damaged feature lists are refused, or read as names', () => {
    const lists = Object.values(
      JSON.parse(readFixture('pickles/1.7/features.json.gz').toString()) as Record<string, string>,
    )
    const property = fc.property(
      fc.nat(lists.length - 1),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      (file, mutations) => {
        const bytes = mutations.reduce(mutate, Buffer.from(lists[file]!, 'base64'))
        try {
          expect(readNames(unpickle(bytes, 'x.pkl'), 'x.pkl').every((name) => typeof name === 'string')).toBe(true)
        } catch (error) {
          if (!(error instanceof ModelError)) throw error
        }
      },
    )
    fc.assert(property, { numRuns: 5000, seed: 1 })
  })
})

it('any bytes at all are refused, or give a value', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      unpickle(Buffer.from(bytes), 'x.pkl')
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
    }
  })
  fc.assert(property, { numRuns: 5000 })
})
