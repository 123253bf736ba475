// Real pickles with bytes changed, moved, cut out or put in: an error of ours, or a forest that can be walked safely.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../../src/errors.ts'
import { findBrokenTree, findUnsafeNode } from '../../../../src/model/bundle/forest.ts'
import { readNames } from '../../../../src/model/sklearn/pickle/names.ts'
import { unpickle } from '../../../../src/model/sklearn/pickle/unpickle.ts'
import { readFixture } from '../../../support/fixture-folders.ts'
import { mutate, mutation } from '../../../support/mutations.ts'
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
  'joblib/plain.joblib',
].map((path) => readFixture(path))

/** more of them: LCCLF_MUTANTS=100000 npx vitest run test/model/sklearn/pickle/mutated.test.ts */
const mutants = Number(process.env['LCCLF_MUTANTS'] ?? 12_000)

describe('damaged forests', { tags: ['long'] }, () => {
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
    fc.assert(property, { numRuns: mutants, seed: 20_200_914 })
    // damage in a threshold gives another forest, damage in the structure an error: both must have happened
    expect(refused).toBeGreaterThan(1000)
    expect(read).toBeGreaterThan(1000)
    expect(slowest).toBeLessThan(2000)
  }, 7_200_000)

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
