// Shapley values: equal to the package shap on a real hierarchy, to the definition on small trees, and adding up on all.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { additivityError, byClass } from '../../../src/jobs/explain/explain-levels.ts'
import { type Attribution, gaussLegendre, pathAttribution, treeShap } from '../../../src/jobs/explain/tree-shap.ts'
import { type CoveredForest, evaluatePlainly, type Forest } from '../../../src/model/bundle/forest.ts'
import { goldenMatrix } from '../../../src/model/bundle/golden.ts'
import { importModel } from '../../../src/model/import-model.ts'
import { readBundle, withCovers } from '../../../src/model/bundle/read-bundle.ts'
import { unpackFixture } from '../../support/fixture-folders.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { byDefinition, grownForest, type Split } from './grown-forests.ts'

interface ShapFixture {
  readonly rows: readonly number[]
  readonly features: readonly string[]
  readonly levels: Record<
    string,
    { classes: string[]; base: number[]; comparable: boolean[]; values: Record<string, number[]>[] }
  >
}

const fixture = JSON.parse(
  gunzipSync(
    readFileSync(fileURLToPath(new URL('../../fixtures/explanation/shap.json.gz', import.meta.url))),
  ).toString(),
) as ShapFixture

async function importedFixture(version: string): Promise<{
  forests: CoveredForest[]
  rowAt: (row: number) => Float32Array | Float64Array
  names: readonly string[]
  levels: readonly { name: string }[]
}> {
  const source = unpackFixture(`sklearn-${version}`)
  const out = join(temporaryFolder(), 'bundle')
  await importModel({ source, name: 'hrf', version: '1.0.0', out, goldenDir: source })
  const bundle = await readBundle(out)
  const { manifest, golden } = bundle
  const matrix = goldenMatrix(golden, manifest.preprocessing)
  const width = manifest.features.length
  const rowAt = (row: number) => matrix.slice(row * width, (row + 1) * width)
  return { forests: await withCovers(out, bundle), rowAt, names: manifest.features, levels: manifest.levels }
}

const gapOf = (forest: Forest, row: Float32Array | Float64Array, attribution: Attribution): number =>
  Math.max(
    ...byClass(attribution, forest.classes, { probabilities: evaluatePlainly(forest, row, 1) }).map(additivityError),
  )

describe('the hierarchy of scikit-learn 1.5.2', () => {
  it(
    'has the Shapley values that the package shap finds, to 1e-9, in every forest and for hostile rows',
    { tags: ['long'] },
    async () => {
      const { forests, rowAt, names, levels } = await importedFixture('1.5.2')
      expect(names).toEqual(fixture.features)
      let compared = 0
      levels.forEach(({ name }, level) => {
        const { classes, base, comparable, values } = fixture.levels[name]!
        const forest = forests[level]!
        expect(forest.classes).toEqual(classes)
        fixture.rows.forEach((goldenRow, i) => {
          if (!comparable[i]) return
          const own = treeShap(forest, rowAt(goldenRow))
          classes.forEach((_, c) => {
            expect(Math.abs(own.base[c]! - base[c]!)).toBeLessThan(1e-9)
            names.forEach((feature, f) => {
              const wanted = values[i]![feature]?.[c] ?? 0
              const found = own.contributions[f * classes.length + c]!
              expect(Math.abs(found - wanted), `${name} row ${goldenRow} ${feature}`).toBeLessThan(1e-9)
              compared++
            })
          })
        })
      })
      expect(compared).toBeGreaterThan(15_000)
    },
  )
})

describe.each(['0.22.2', '1.0.2', '1.5.2'])('the hierarchy of scikit-learn %s', (version) => {
  it('has covers of which the children’s make the parent’s', async () => {
    const { forests } = await importedFixture(version)
    for (const { feature, left, cover } of forests) {
      const wrong = cover.findIndex(
        (weight, node) =>
          feature[node]! >= 0 && Math.abs(cover[left[node]!]! + cover[left[node]! + 1]! - weight) > 1e-9 * weight,
      )
      expect(wrong).toBe(-1)
    }
  })

  it('adds up for every golden row, exactly and by paths', async () => {
    const { forests, rowAt } = await importedFixture(version)
    for (const forest of forests) {
      for (let row = 0; row < 240; row += 16) {
        expect(gapOf(forest, rowAt(row), treeShap(forest, rowAt(row)))).toBeLessThan(1e-12)
        expect(gapOf(forest, rowAt(row), pathAttribution(forest, rowAt(row)))).toBeLessThan(1e-12)
      }
    }
  })
})

const features = 4

/** trees of up to five splits deep, features again and again, thresholds that values sit on, rules for missing values */
const split: fc.Arbitrary<Split> = fc.letrec<{ node: Split }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', maxDepth: 5 },
    fc.record({ weight: fc.integer({ min: 1, max: 9 }), fractions: fc.constantFrom([1, 0], [0, 1], [0.25, 0.75]) }),
    fc.record({
      feature: fc.integer({ min: 0, max: features - 1 }),
      threshold: fc.integer({ min: -2, max: 2 }),
      isMissingLeft: fc.boolean(),
      left: tie('node'),
      right: tie('node'),
    }),
  ),
})).node

describe('a forest of any trees', () => {
  const value = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: -2, max: 2 }) }, fc.constant(NaN))
  const row = fc.array(value, { minLength: features, maxLength: features })

  it('has the values of the definition: the mean over all orders in which features become known', () => {
    fc.assert(
      fc.property(fc.array(split, { minLength: 1, maxLength: 3 }), row, (trees, values) => {
        const forest = grownForest(trees)
        const object = Float32Array.from(values)
        const own = treeShap(forest, object)
        byDefinition(forest, object).forEach((wanted, i) => expect(own.contributions[i]).toBeCloseTo(wanted, 12))
      }),
      { numRuns: 200 },
    )
  })

  it('adds up, exactly and by paths', () => {
    fc.assert(
      fc.property(fc.array(split, { minLength: 1, maxLength: 4 }), row, (trees, values) => {
        const forest = grownForest(trees)
        const object = Float32Array.from(values)
        expect(gapOf(forest, object, treeShap(forest, object))).toBeLessThan(1e-13)
        expect(gapOf(forest, object, pathAttribution(forest, object))).toBeLessThan(1e-13)
      }),
    )
  })
})

describe('a tree that is a chain', () => {
  it('of 20,000 splits needs no stack and still adds up', () => {
    let chain: Split = { weight: 1, fractions: [1, 0] }
    for (let i = 0; i < 20_000; i++) {
      const leaf: Split = { weight: 1 + (i % 3), fractions: i % 2 === 0 ? [0, 1] : [1, 0] }
      chain = { feature: i % features, threshold: (i % 5) - 2, left: leaf, right: chain }
    }
    const forest = grownForest([chain])
    const object = Float32Array.of(3, 3, 3, 3)
    expect(gapOf(forest, object, treeShap(forest, object))).toBeLessThan(1e-9)
  })

  it('over sixty different features keeps its digits', () => {
    let chain: Split = { weight: 1, fractions: [1, 0] }
    for (let i = 59; i >= 0; i--) {
      chain = { feature: i, threshold: 0, left: { weight: 50, fractions: [0, 1] }, right: chain }
    }
    const forest = grownForest([chain])
    const object = new Float32Array(60).fill(1)
    const { contributions } = treeShap(forest, object)
    expect(gapOf(forest, object, treeShap(forest, object))).toBeLessThan(1e-14)
    // every feature is needed to reach the one leaf of the first class: none has a part below 0, however small it is
    expect(Math.min(...contributions.filter((_, i) => i % 2 === 0))).toBeGreaterThan(0)
  })
})

describe('Gauss–Legendre', () => {
  it.each([1, 2, 3, 8, 20, 76])('with %i points integrates t^(2n−1) exactly, and its weights sum to 1', (n) => {
    const { points, rests, weights } = gaussLegendre(n)
    const integral = (power: number): number => points.reduce((sum, t, q) => sum + weights[q]! * t ** power, 0)
    expect(integral(0)).toBeCloseTo(1, 14)
    expect(integral(2 * n - 1)).toBeCloseTo(1 / (2 * n), 14)
    points.forEach((t, q) => expect(t + rests[q]!).toBeCloseTo(1, 15))
  })
})
