// Classified batches for the Postgres tests: the original's own rows, and any number of objects.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { ClassifiedBatch, Level, Taxonomy } from '../../src/pipeline/batch.ts'
import type { SinkContext } from '../../src/pipeline/sink.ts'

export const version = 'hierarchical_random_forest_1.0.0'

const classes: Readonly<Record<string, readonly string[]>> = {
  '': 'AGN Blazar CV/Nova QSO YSO CEP DSCT E LPV Periodic-Other RRL SLSN SNII SNIa SNIbc'.split(' '),
  top: ['Periodic', 'Stochastic', 'Transient'],
  stochastic: ['AGN', 'Blazar', 'CV/Nova', 'QSO', 'YSO'],
  periodic: ['CEP', 'DSCT', 'E', 'LPV', 'Periodic-Other', 'RRL'],
  transient: ['SLSN', 'SNII', 'SNIa', 'SNIbc'],
}

/** The survey's own five levels: 33 rows an object. */
export const taxonomy: Taxonomy = {
  levels: Object.entries(classes).map(([prefix, names]): Level => {
    const isBranch = prefix !== '' && prefix !== 'top'
    return {
      classifierName: prefix === '' ? 'lc_classifier' : `lc_classifier_${prefix}`,
      prefix,
      branch: isBranch ? prefix[0]!.toUpperCase() + prefix.slice(1) : null,
      classes: names,
    }
  }),
}

export const context: SinkContext = {
  schema: { oidType: 'string', hasCandid: true },
  taxonomy,
  classifierVersion: version,
}

/** The rows that the original wrote: `oid, classifier_name, classifier_version, class_name, probability, ranking`. */
export const originalRows: readonly (readonly [string, string, string, string, number, number])[] = gunzipSync(
  readFileSync(new URL('../fixtures/postgres/probability.csv.gz', import.meta.url)),
)
  .toString()
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => {
    const [oid, classifier, classifierVersion, className, probability, ranking] = line.split(',')
    return [oid!, classifier!, classifierVersion!, className!, Number(probability), Number(ranking)]
  })

/** The original's 40 objects with its probabilities; ranks are for the sink to find. */
export function originalBatch(): ClassifiedBatch {
  const oids = [...new Set(originalRows.map(([oid]) => oid))]
  const found = new Map(originalRows.map(([oid, classifier, , name, p]) => [`${oid} ${classifier} ${name}`, p]))
  return {
    ...emptyBatch(oids),
    probabilities: taxonomy.levels.map(({ classifierName, classes: names }) =>
      Float64Array.from(oids.flatMap((oid) => names.map((name) => found.get(`${oid} ${classifierName} ${name}`)!))),
    ),
  }
}

function emptyBatch(oids: readonly string[]): Omit<ClassifiedBatch, 'probabilities'> {
  return { rowCount: oids.length, oids, candids: oids.map(() => null), taxonomy, classifierVersion: version }
}

/**
 * Objects with probabilities that depend on `seed` and on the oid only: two batches of one seed agree where they overlap.
 * Some are 0, as those of a forest are.
 */
export function batchOf(oids: readonly string[], seed: number, candid?: bigint): ClassifiedBatch {
  const candids = oids.map(() => candid ?? null)
  return { ...emptyBatch(oids), candids, probabilities: answersOf(taxonomy, oids, seed) }
}

/** Probabilities for each level that depend on `seed` and on the oid only. */
export function answersOf({ levels }: Taxonomy, oids: readonly string[], seed: number): Float64Array[] {
  return levels.map(({ classes: names }, level) => {
    const values = new Float64Array(oids.length * names.length)
    oids.forEach((oid, row) => fillRow(values, row, names.length, hashOf(`${seed} ${level} ${oid}`)))
    return values
  })
}

function fillRow(values: Float64Array, row: number, width: number, start: number): void {
  let state = start
  let sum = 0
  for (let i = 0; i < width; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const votes = state >>> 30 === 0 ? 0 : (state >>> 8) % 500
    values[row * width + i] = votes
    sum += votes
  }
  for (let i = 0; i < width; i++) values[row * width + i]! /= sum || 1
}

function hashOf(text: string): number {
  let hash = 2_166_136_261
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16_777_619)
  return hash >>> 0
}

/** Oids as the survey has them, neither sorted nor clustered. */
export function oidsOf(count: number, start = 0): string[] {
  return Array.from({ length: count }, (_, i) => {
    let rest = Math.imul(start + i + 1, 2_654_435_761) >>> 0
    let letters = ''
    for (let k = 0; k < 7; k++) {
      letters += String.fromCharCode(97 + (rest % 26))
      rest = Math.floor(rest / 26)
    }
    return `ZTF${17 + ((start + i) % 6)}${letters}`
  })
}

/** The rows that a database should hold for a batch, sorted as `storedRows` gives them. */
export function expectedRows(batch: ClassifiedBatch): (readonly [string, string, string, string, number])[] {
  const rows: [string, string, string, string, number][] = []
  batch.oids.forEach((oid, row) => {
    batch.taxonomy.levels.forEach(({ classifierName, classes: names }, level) => {
      names.forEach((name, i) => {
        rows.push([
          oid,
          classifierName,
          batch.classifierVersion,
          name,
          batch.probabilities[level]![row * names.length + i]!,
        ])
      })
    })
  })
  return rows.sort(byKey)
}

/** By oid, classifier, class in code points, which is what `ORDER BY … COLLATE "C"` gives for ASCII. */
function byKey(a: readonly unknown[], b: readonly unknown[]): number {
  const keyOf = (row: readonly unknown[]): string => [row[0], row[1], row[3]].join('\0')
  const [left, right] = [keyOf(a), keyOf(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

/** Reads what is stored, sorted by oid, classifier_name, class_name. */
export const storedRowsQuery = `SELECT oid, classifier_name, classifier_version, class_name, probability
  FROM probability ORDER BY oid COLLATE "C", classifier_name COLLATE "C", class_name COLLATE "C"`
