// Models as published today, imported, and the answers of the libraries that made them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { expect } from 'vitest'
import { readNumberText } from '../../src/formats/text-values.ts'
import { openClassifier } from '../../src/model/open.ts'
import { createMatrix, preprocess, whyRejected } from '../../src/pipeline/preprocess.ts'
import { readFixture } from './fixture-folders.ts'

interface Table {
  readonly classes: readonly string[]
  readonly values: readonly (readonly number[])[]
}

/** truth.json: the features in the model's order, and a table for the product (or the only level) and each level. */
export type Truth = { readonly features: readonly string[] } & Readonly<Record<string, Table>>

export function readTruth(folder: string): Truth {
  return JSON.parse(readFixture(join(folder, 'truth.json.gz')).toString()) as Truth
}

/** How many values of every level differ, in any bit, from those in the folder's truth.json, and which rows are rejected. */
export async function compareWithTruth(bundle: string, folder: string) {
  const truth = readTruth(folder)
  const rows: Record<string, string>[] = parse(readFixture(join(folder, 'input.csv.gz')), { columns: true })
  const classifier = await openClassifier(bundle, { threads: 1 })
  try {
    const { features, preprocessing: rules, taxonomy } = classifier
    const matrix = createMatrix(rows.length * features.length, rules)
    const rejected = new Set<number>()
    rows.forEach((row, index) =>
      features.forEach((name, place) => {
        const value = readNumberText(row[name]!)!
        const prepared = preprocess(value, rules)
        matrix[index * features.length + place] = prepared
        if (whyRejected(value, prepared, rules) !== undefined) rejected.add(index)
      }),
    )
    const oids = rows.map(({ oid }) => oid!)
    const batch = { rowCount: rows.length, oids, candids: oids.map(() => null), matrix }
    const { probabilities } = await classifier.classify(batch)
    const differing = taxonomy.levels.map(({ branch, classes, prefix }, level) => {
      const table = truth[branch ?? (prefix || 'product')] ?? truth['probabilities']!
      if (level === 0) expect(classes).toEqual(table.classes)
      const expected = table.values.flatMap((row) => classes.map((name) => row[table.classes.indexOf(name)]!))
      expect(expected).toHaveLength(probabilities[level]!.length)
      return expected.filter((value, i) => !Object.is(value, probabilities[level]![i])).length
    })
    return { differing, rejected: [...rejected], rows: rows.length }
  } finally {
    await classifier.close()
  }
}

/** A file of the fixtures as it lies there. */
export function packedFixture(path: string): Buffer {
  return readFileSync(new URL(`../fixtures/model/${path}`, import.meta.url))
}
