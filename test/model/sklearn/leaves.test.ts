// Fractions of leaves: numpy's sums, the table of distinct ones, and what is a distribution.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDistribution } from '../../../src/model/bundle/forest.ts'
import { createLeafTable, leafValues } from '../../../src/model/sklearn/convert-forest.ts'
import { numpySum } from '../../../src/model/bundle/numpy-sum.ts'
import { readFixture } from '../../support/fixture-folders.ts'

describe('a sum of a row', () => {
  it('is numpy’s in the last bit, for every length up to 400', () => {
    const sums = JSON.parse(readFixture('numpy-sums.json.gz').toString()) as number[]
    // the row does not begin where the array does
    const values = Float64Array.from({ length: 405 }, (_, index) => 1 / (index - 4))
    expect(sums.map((_, length) => numpySum(values, 5, length))).toEqual(sums)
    expect(sums).toHaveLength(401)
  })
})

describe('the fractions of a leaf', () => {
  const fractionsOf = (values: number[], layout: 'counts' | 'fractions') => {
    const target = new Float64Array(values.length / 2)
    leafValues(Float64Array.from(values), 1, { layout, target })
    return [...target]
  }

  it('are its counts divided by their sum', () => {
    expect(fractionsOf([9, 9, 9, 1, 2, 5], 'counts')).toEqual([1 / 8, 2 / 8, 5 / 8])
  })

  it('stay zero where all counts are', () => {
    expect(fractionsOf([9, 9, 0, 0], 'counts')).toEqual([0, 0])
  })

  it('are not divided where they are stored as fractions', () => {
    const stored = [0.1, 0.2, 0.7000000000000002]
    expect(stored.reduce((sum, value) => sum + value)).not.toBe(1)
    expect(fractionsOf([0, 0, 0, ...stored], 'fractions')).toEqual(stored)
  })

  it('are a distribution when they sum to 1 within 1e-12, or are all zero', () => {
    expect(isDistribution(Float64Array.of(0.5, 0.5))).toBe(true)
    expect(isDistribution(Float64Array.of(0.5, 0.5 + 9e-13))).toBe(true)
    expect(isDistribution(Float64Array.of(0, 0))).toBe(true)
    expect(isDistribution(Float64Array.of(0.5, 0.5 + 2e-12))).toBe(false)
    expect(isDistribution(Float64Array.of(-0.5, 1.5))).toBe(false)
    expect(isDistribution(Float64Array.of(NaN, 1))).toBe(false)
  })
})

describe('the table of leaves', () => {
  it('gives equal bits one number, in the order of their coming, and keeps every bit', () => {
    const row = fc.array(fc.constantFrom(0, -0, 0.1, 0.2, 0.1 + 2 ** -56, 5e-324), { minLength: 3, maxLength: 3 })
    const property = fc.property(fc.array(row, { maxLength: 2000 }), (rows) => {
      const table = createLeafTable(3)
      const numbers = rows.map((values) => table.add(Float64Array.from([9, ...values]).subarray(1)))
      const all = table.toArray()
      const keys = new Map<string, number>()
      rows.forEach((values, index) => {
        const key = values.map((value) => (Object.is(value, -0) ? '-0' : String(value))).join()
        if (!keys.has(key)) keys.set(key, keys.size)
        expect(numbers[index]).toBe(keys.get(key))
        expect([...all.subarray(numbers[index]! * 3, numbers[index]! * 3 + 3)]).toEqual(values)
      })
      expect(all).toHaveLength(keys.size * 3)
    })
    fc.assert(property, { numRuns: 50 })
  })

  it('grows', () => {
    const table = createLeafTable(2)
    const addAll = () => Array.from({ length: 50_000 }, (_, index) => table.add(Float64Array.of(index, 1)))
    const numbers = addAll()
    expect(numbers.every((number, index) => number === index)).toBe(true)
    expect(addAll()).toEqual(numbers)
    expect(table.toArray()).toHaveLength(100_000)
  })
})
