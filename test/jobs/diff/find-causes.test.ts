// Causes against a plain search over all sets of families, with the sample model itself.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChangedObject, findCauses, mostFamilies, subsetsOf } from '../../../src/jobs/diff/find-causes.ts'
import { goldenMatrix } from '../../../src/model/bundle/golden.ts'
import { readBundle } from '../../../src/model/bundle/read-bundle.ts'
import { openClassifier } from '../../../src/model/open.ts'
import { type FeatureFamily, familiesOf } from '../../../src/model/profile/feature-families.ts'
import type { Classifier } from '../../../src/pipeline/classifier.ts'
import { winners } from '../../../src/pipeline/batch.ts'
import type { FeatureMatrix } from '../../../src/pipeline/preprocess.ts'
import { samples } from '../../support/lcclf.ts'

let model: Classifier
let families: readonly FeatureFamily[]
let rows: FeatureMatrix[]

beforeAll(async () => {
  const folder = join(samples, 'model')
  model = await openClassifier(folder, { threads: 1 })
  families = familiesOf(model.features)
  const { golden } = await readBundle(folder)
  const [matrix, width] = [goldenMatrix(golden, model.preprocessing), model.features.length]
  rows = Array.from({ length: 60 }, (_, i) => matrix.slice(i * width, (i + 1) * width))
})

afterAll(() => model.close())

/** The classes of rows, which are asked for one by one. */
async function classesOf(features: readonly FeatureMatrix[]): Promise<string[]> {
  const classes = model.taxonomy.levels[0]!.classes
  const answers = features.map((row) =>
    model.classify({ rowCount: 1, oids: ['o'], candids: [null], matrix: row.slice() }),
  )
  return (await Promise.all(answers)).map((answer) => classes[winners(answer)[0]!]!)
}

function withFamilies(row: FeatureMatrix, values: FeatureMatrix, chosen: readonly number[]): FeatureMatrix {
  const mixed = row.slice()
  for (const family of chosen) for (const f of families[family]!.features) mixed[f] = values[f]!
  return mixed
}

/** Objects that take `count` families of the next object, and change class by it. */
async function changedBy(count: number): Promise<ChangedObject[]> {
  const places = [...families.keys()]
  const pairs = rows.map((before, i) => {
    const chosen = [...places.slice(i % places.length), ...places].slice(0, count)
    return { before, after: withFamilies(before, rows[(i + 1) % rows.length]!, chosen) }
  })
  const [old, fresh] = [await classesOf(pairs.map((p) => p.before)), await classesOf(pairs.map((p) => p.after))]
  return pairs.flatMap((pair, i) => (old[i] === fresh[i] ? [] : [{ ...pair, classBefore: old[i]! }]))
}

/** All sets of at most `size` families whose old values restore the old class. */
async function restoringSets({ before, after, classBefore }: ChangedObject, size: number): Promise<number[][]> {
  const sets = Array.from({ length: size }, (_, i) => subsetsOf([...families.keys()], i + 1)).flat()
  const classes = await classesOf(sets.map((chosen) => withFamilies(after, before, chosen)))
  return sets.filter((_, i) => classes[i] === classBefore)
}

describe('the cause of a change', () => {
  it('is of the smallest sets whose old values restore the old class, and says how many others there are', async () => {
    const objects = await changedBy(4)
    expect(objects.length).toBeGreaterThan(15)
    const causes = await findCauses(objects, model, families)
    for (const [i, object] of objects.entries()) {
      const { kind, families: found, alternatives, isApproximate } = causes[i]!
      const sets = await restoringSets(object, found.length)
      // families that are the same on both sides make sets no smaller
      const smallest = sets.filter((set) => set.length === found.length && set.every((f) => differs(object, f)))
      expect({ kind, isApproximate }).toEqual({ kind: 'features', isApproximate: false })
      expect(sets.every((set) => set.length >= found.length)).toBe(true)
      expect(smallest).toContainEqual(found)
      expect(alternatives).toBe(smallest.length - 1)
    }
    expect(Math.max(...causes.map(({ families: found }) => found.length))).toBeGreaterThan(1)
  })

  it('is still one that restores, and said to be approximate, where more than eight families differ', async () => {
    const objects = await changedBy(families.length)
    const causes = await findCauses(objects, model, families)
    const larger = causes.filter(({ families: found }) => found.length > 1)
    expect(larger.length).toBeGreaterThan(0)
    for (const [i, { kind, families: found, isApproximate }] of causes.entries()) {
      const { before, after, classBefore } = objects[i]!
      expect(await classesOf([withFamilies(after, before, found)])).toEqual([classBefore])
      expect(isApproximate).toBe(found.length > 1)
      expect(kind === 'features' ? found.length <= mostFamilies : found.length > mostFamilies).toBe(true)
    }
  })

  it('is the model where not even all old values restore the old class', async () => {
    const [object] = await changedBy(4)
    const wrong = model.taxonomy.levels[0]!.classes.find((name) => name !== object!.classBefore)!
    const causes = await findCauses(
      [
        { ...object!, classBefore: wrong },
        { ...object!, classBefore: 'a class of the old model alone' },
        { ...object!, after: object!.before },
      ],
      model,
      families,
    )
    expect(causes.map(({ kind }) => kind)).toEqual(['model', 'model', 'model'])
  })
})

function differs({ before, after }: ChangedObject, family: number): boolean {
  return families[family]!.features.some((f) => before[f] !== after[f])
}
