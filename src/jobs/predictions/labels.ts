// A file of labels (oid, class) as a table.
import { DataError } from '../../errors.ts'
import { nullWords } from '../../formats/text-values.ts'
import { sqlName, sqlText } from '../../connectors/files/duckdb.ts'
import { nearestNames } from '../../connectors/columns/match-columns.ts'
import { shownText } from '../../formats/shown-text.ts'
import { type FileSpec, openRelation, type Relation } from './relation.ts'
import type { Session } from './session.ts'
import type { PredictedLevel, Predictions } from './predictions.ts'

type Labels = Awaited<ReturnType<typeof openLabels>>

/**
 * @param options.renames the file's class → the taxonomy's
 * @throws DataError for a file that cannot be read or lacks a column
 */
export async function openLabels(
  session: Session,
  spec: FileSpec,
  options: { table: string; idColumn: string; labelColumn: string; renames: ReadonlyMap<string, string> },
) {
  const { table, renames } = options
  const needed = { idColumn: options.idColumn, texts: [options.labelColumn], numbers: [] }
  const relation = await openRelation(session, spec, `${table}_rows`, needed)
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
    /** with `oid` and `class` (both VARCHAR), each oid once */
    table,
    objects: await session.count(`SELECT count(*) FROM ${sqlName(table)}`, address),
    /** rows without a class */
    empty: await session.count(`SELECT count(*) FROM ${all} WHERE class IS NULL OR oid IS NULL`, address),
    /** objects that the file gives several classes: left out */
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
  throw new DataError(`${address} has no column ${shownText(name)}`, {
    hint: `Name the column with ${flag}; there are ${others}.`,
  })
}

/**
 * Predictions and labels joined by oid: what is evaluated, and what has no counterpart. Memory grows with the objects that
 * have both: 8 bytes a probability.
 */
export async function joinLabels(session: Session, predictions: Predictions, labels: Labels) {
  const { address, levels, calibrated } = predictions
  const all = calibrated ? [...levels, calibrated] : levels
  const both = `${sqlName(predictions.table)} p JOIN ${sqlName(labels.table)} l USING (oid)`
  const counted = (
    await session.rows(`SELECT class, count(*) AS n FROM ${both} GROUP BY class ORDER BY n DESC, class`, address)
  ).map(([name, n]) => [String(name), Number(n)] as const)
  const known = new Set(levels.flatMap(({ classes }) => classes))
  const outside = counted.filter(([name]) => !known.has(name))
  const sumOf = (counts: typeof counted): number => counts.reduce((sum, [, n]) => sum + n, 0)
  const matched = sumOf(counted)
  const { probabilities, ...joined } = await fetchJoined(session, all, {
    from: `${both} WHERE class IN (${[...known].map(sqlText).join(', ')})`,
    count: matched - sumOf(outside),
    about: address,
  })
  return {
    joined: {
      ...joined,
      /** of the levels */
      probabilities: probabilities.slice(0, levels.length),
      /** of the product, calibrated; undefined where the results have none */
      calibratedProbabilities: probabilities[levels.length],
    },
    coverage: {
      objects_without_label: predictions.objects - matched,
      labels_without_prediction: labels.objects - matched,
      /** label → objects, the most frequent first */
      labels_outside_taxonomy: Object.fromEntries(outside),
    },
  }
}

/** @returns objects sorted by oid; for each level probabilities, objects × classes, row-major */
async function fetchJoined(
  session: Session,
  levels: readonly PredictedLevel[],
  { from, count, about }: { from: string; count: number; about: string },
) {
  const oids: string[] = []
  const labels: string[] = []
  const probabilities = levels.map(({ classes }) => new Float64Array(count * classes.length))
  const columns = levels.flatMap((level, l) =>
    level.columns.map((name, i) => ({ name, l, i, width: level.classes.length })),
  )
  const sql = `SELECT oid, class, ${columns.map(({ name }) => name).join(', ')} FROM ${from} ORDER BY oid`
  for await (const chunk of session.chunks(sql, about, count)) {
    const start = oids.length
    oids.push(...chunk.texts(0).map(String))
    labels.push(...chunk.texts(1).map(String))
    columns.forEach(({ l, i, width }, c) =>
      chunk.doubles(c + 2).forEach((value, row) => (probabilities[l]![(start + row) * width + i] = value)),
    )
  }
  return { oids, labels, probabilities }
}
