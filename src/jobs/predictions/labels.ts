// A file of labels (oid, class) as a table.
import { DataError } from '../../errors.ts'
import { nullWords } from '../../formats/number-text.ts'
import { sqlName, sqlText } from '../../connectors/files/duckdb.ts'
import { nearestNames } from '../../connectors/columns/nearest-names.ts'
import { shownText } from '../../formats/shown-text.ts'
import { openRelation, type FileSpec, type Relation } from './relation.ts'
import type { Session } from './session.ts'

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
