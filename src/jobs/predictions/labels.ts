// A file of labels (oid, class) as a table.
import { DataError } from '../../errors.ts'
import { nullWords } from '../../formats/number-text.ts'
import { sqlName, sqlText } from '../../connectors/files/duckdb.ts'
import { nearestNames } from '../../connectors/columns/nearest-names.ts'
import { shownText } from '../../formats/shown-text.ts'
import { type FileSpec, openRelation, type Relation } from './relation.ts'
import type { Session } from './session.ts'
import type { PredictedLevel, Predictions } from './predictions.ts'

/** Labels, ready to be joined. */
export interface Labels {
  readonly address: string
  /** a table with `oid` and `class` (both VARCHAR), each oid once */
  readonly table: string
  readonly objects: number
  /** rows without a class */
  readonly empty: number
  /** objects that the file gives several classes: left out */
  readonly conflicting: number
}

/** Which columns, and which names. */
interface LabelOptions {
  readonly table: string
  readonly idColumn: string
  readonly labelColumn: string
  /** the file's class → the taxonomy's */
  readonly renames: ReadonlyMap<string, string>
}

/** @throws DataError for a file that cannot be read or lacks a column */
export async function openLabels(session: Session, spec: FileSpec, options: LabelOptions): Promise<Labels> {
  const { table, renames } = options
  const relation = await openRelation(session, spec, `${table}_rows`)
  const { address } = relation
  // text files have no null of their own
  const nulls = spec.format === 'csv' || spec.format === 'tsv' ? [...nullWords] : ['']
  const noValues = nulls.map((word) => `WHEN ${sqlText(word)} THEN NULL`).join(' ')
  const oid = `CAST(${columnSql(relation, options.idColumn, '--id-column')} AS VARCHAR)`
  const label = columnSql(relation, options.labelColumn, '--label-column')
  const cases = [...renames].map(([from, to]) => `WHEN ${sqlText(from)} THEN ${sqlText(to)}`).join(' ')
  const text = `trim(CAST(${label} AS VARCHAR))`
  await session.rows(
    `CREATE OR REPLACE TEMP TABLE ${sqlName(`${table}_all`)} AS
     SELECT CASE ${oid} ${noValues} ELSE ${oid} END AS oid, CASE ${text} ${cases} ${noValues} ELSE ${text} END AS class FROM ${relation.sql}`,
    address,
  )
  const all = sqlName(`${table}_all`)
  await session.rows(
    `CREATE OR REPLACE TEMP TABLE ${sqlName(table)} AS SELECT oid, min(class) AS class FROM ${all}
     WHERE class IS NOT NULL AND oid IS NOT NULL GROUP BY oid HAVING count(DISTINCT class) = 1`,
    address,
  )
  return {
    address,
    table,
    objects: await session.count(`SELECT count(*) FROM ${sqlName(table)}`, address),
    empty: await session.count(`SELECT count(*) FROM ${all} WHERE class IS NULL OR oid IS NULL`, address),
    conflicting: await session.count(
      `SELECT count(*) FROM (SELECT oid FROM ${all} WHERE oid IS NOT NULL GROUP BY oid HAVING count(DISTINCT class) > 1)`,
      address,
    ),
  }
}

function columnSql({ address, columns }: Relation, name: string, flag: string): string {
  const flat = columns.filter(({ path }) => path.length === 1)
  const found = flat.find(({ path }) => path[0] === name)
  if (found) return found.sql
  const names = flat.map(({ path }) => path[0]!)
  const near = nearestNames(name, names)
  const others = (near.length > 0 ? near : names.slice(0, 10)).map(shownText).join(', ')
  throw new DataError(`${address} has no column ${shownText(name)}`, { hint: `${flag} names it; there are ${others}.` })
}

// Predictions and labels joined: what is evaluated, and what has no counterpart.

/** Objects that have a prediction and a label of the taxonomy, sorted by oid. */
interface LabelledPredictions {
  readonly oids: readonly string[]
  /** the label of each: a leaf class, or the name of a branch */
  readonly labels: readonly string[]
  /** for each level objects × classes, row-major */
  readonly probabilities: readonly Float64Array[]
}

/** What the join left over. */
interface Coverage {
  readonly objects_without_label: number
  readonly labels_without_prediction: number
  /** label → objects, the most frequent first */
  readonly labels_outside_taxonomy: Readonly<Record<string, number>>
}

/** Joins by oid. Memory grows with the objects that have both: 8 bytes a probability. */
export async function joinLabels(
  session: Session,
  predictions: Predictions,
  labels: Labels,
): Promise<{ joined: LabelledPredictions; coverage: Coverage }> {
  const about = predictions.address
  const both = `${sqlName(predictions.table)} p JOIN ${sqlName(labels.table)} l USING (oid)`
  const counted = await session.rows(
    `SELECT class, count(*) AS n FROM ${both} GROUP BY class ORDER BY n DESC, class`,
    about,
  )
  const known = new Set(predictions.levels.flatMap(({ classes }) => classes))
  const matched = counted.reduce((sum, [, n]) => sum + Number(n), 0)
  const outside = counted.filter(([name]) => !known.has(String(name)))
  const usable = matched - outside.reduce((sum, [, n]) => sum + Number(n), 0)
  return {
    joined: await fetchJoined(session, both, predictions.levels, { known, matched, count: usable, about }),
    coverage: {
      objects_without_label: predictions.objects - matched,
      labels_without_prediction: labels.objects - matched,
      labels_outside_taxonomy: Object.fromEntries(outside.map(([name, n]) => [String(name), Number(n)])),
    },
  }
}

async function fetchJoined(
  session: Session,
  both: string,
  levels: readonly PredictedLevel[],
  { known, matched, count, about }: { known: ReadonlySet<string>; matched: number; count: number; about: string },
): Promise<LabelledPredictions> {
  const oids: string[] = []
  const labels: string[] = []
  const probabilities = levels.map(({ classes }) => new Float64Array(count * classes.length))
  const columns = levels.flatMap((level, l) =>
    level.columns.map((name, i) => ({ name, l, i, width: level.classes.length })),
  )
  const sql = `SELECT oid, class, ${columns.map(({ name }) => name).join(', ')} FROM ${both} ORDER BY oid`
  for await (const chunk of session.chunks(sql, about, matched)) {
    const chunkOids = chunk.texts(0)
    const chunkLabels = chunk.texts(1)
    const doubles = columns.map((_, c) => chunk.doubles(c + 2))
    for (let row = 0; row < chunk.rowCount; row++) {
      const label = chunkLabels[row]!
      if (!known.has(label)) continue
      const at = oids.push(chunkOids[row]!) - 1
      labels.push(label)
      columns.forEach(({ l, i, width }, c) => (probabilities[l]![at * width + i] = doubles[c]![row]!))
    }
  }
  return { oids, labels, probabilities }
}
