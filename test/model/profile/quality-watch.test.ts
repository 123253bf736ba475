import { describe, expect, it } from 'vitest'
import type { ClassifiedBatch } from '../../../src/pipeline/batch.ts'
import { tooFewNote } from '../../../src/model/profile/watch-inputs.ts'
import { createQualityWatch, type QualityChange } from '../../../src/model/profile/watch-inputs.ts'
import type { InputProfile } from '../../../src/model/bundle/input-profile.ts'
import { createInputProfiler } from '../../../src/model/profile/profile-inputs.ts'
import { answersOf, matrixOf, missing, profileOf, taxonomy } from './rows.ts'

const usual = Array.from({ length: 1000 }, (_, i): [number, number] => [i, i % 4 === 0 ? missing : i])
const profile = profileOf(usual, 'file', [400, 599, 1])

function watchOf(known: InputProfile | undefined, window = 2000) {
  const watch = createQualityWatch({ features: ['a', 'b'], missing, taxonomy, profile: known, window })
  const feed = (rows: readonly [number, number][], predicted: readonly number[]): string[] => {
    watch.see(matrixOf(rows), rows.length)
    const batch: ClassifiedBatch = {
      rowCount: rows.length,
      oids: [],
      candids: [],
      taxonomy,
      classifierVersion: 'x_1',
      probabilities: [answersOf(predicted)],
    }
    const { begun, ended }: QualityChange = watch.seeAnswers(batch)
    return [...begun.map(({ about }) => `+${about}`), ...ended.map(({ about }) => `-${about}`)]
  }
  return { watch, feed }
}

const half = usual.slice(0, 500)
const withoutA = half.map(([, b]): [number, number] => [missing, b])

describe('the watch on quality', () => {
  it('warns once of a feature that is gone, and tells once that it is back', () => {
    const { watch, feed } = watchOf(profile)
    expect(feed(half, [200, 299, 1])).toEqual([])
    const said = [1, 2, 3, 4].map(() => feed(withoutA, [200, 299, 1]))
    expect(said.flat()).toEqual(['+a'])
    expect([...watch.nullRates.keys()]).toEqual(['a'])
    expect([1, 2, 3, 4, 5].flatMap(() => feed(half, [200, 299, 1]))).toEqual(['-a'])
    expect(watch.warnings).toEqual([])
  })

  it('counts NaN as null, and −999 as a number, of a model that keeps what is missing', () => {
    const usualNulls = (r: number, f: number) => (f === 1 && r % 4 === 0 ? NaN : -999 + (r % 7))
    const matrix = (of: (r: number, f: number) => number) =>
      Float64Array.from({ length: 2000 }, (_, i) => of(i >> 1, i % 2))
    const profiler = createInputProfiler({ features: ['a', 'b'], missing: NaN, taxonomy })
    profiler.addRows(matrix(usualNulls), 1000)
    const known = profiler.profile({ source: 'file', name: 'x' })
    const watch = createQualityWatch({ features: ['a', 'b'], missing: NaN, taxonomy, profile: known })
    const seen = (rows: Float64Array) => {
      watch.see(rows, 1000)
      const ids = { rowCount: 0, oids: [], candids: [], taxonomy, classifierVersion: 'x_1' }
      return watch.seeAnswers({ ...ids, probabilities: [answersOf([0, 0, 0])] }).begun
    }
    expect(seen(matrix(usualNulls))).toEqual([])
    expect(seen(matrix((r, f) => (r % 10 === 0 ? -999 : f === 1 ? NaN : 1)))).toHaveLength(1)
    expect([...watch.nullRates]).toEqual([['b', (250 + 900) / 2000]])
  })

  it('warns of a share of a class that moved tenfold, up or down, and not of a rare class that stays away', () => {
    const { watch, feed } = watchOf(profile)
    expect(feed(half, [0, 480, 20])).toEqual(['+AGN', '+SNIa'])
    expect(watch.classShares!.get('RRL')).toBeCloseTo(0.96)
    expect(watchOf(profile).feed(half, [200, 300, 0])).toEqual([])
  })

  it('says nothing of shares against golden rows, which are so many of each class', () => {
    const golden = { ...profile, source: 'golden' as const }
    expect(watchOf(golden).feed(half, [20, 400, 80])).toEqual([])
  })

  it('says nothing before there are 500 objects', () => {
    const { watch, feed } = watchOf(profile)
    expect(feed(withoutA.slice(0, 499), [499, 0, 0])).toEqual([])
    expect(watch.classShares).toBeUndefined()
    expect(watch.tooFew).toEqual({ rows: 499, needed: 500 })
    expect(tooFewNote(watch)).toContain('too few objects (499, and 500 are needed)')
    expect(feed(withoutA.slice(0, 1), [1, 0, 0])).toContain('+a')
    expect(watch.tooFew).toBeUndefined()
    expect(tooFewNote(watchOf(profile).watch)).toBeUndefined()
  })

  it('knows without a profile only what is null everywhere', () => {
    const { feed } = watchOf(undefined)
    expect(feed(withoutA, [500, 0, 0])).toEqual(['+a'])
    expect(feed(half, [0, 0, 500])).toEqual(['-a'])
  })
})
