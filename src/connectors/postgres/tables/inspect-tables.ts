// What the catalog says about tables: the one look at them, for whoever reads or writes them.
import type { Connection } from '../client/connection.ts'
import { keyColumns, type TableDefinition } from './definition.ts'

/** A table, view or whatever else has columns. */
export interface TableFacts {
  /** as a statement needs it: quoted, and with its schema where the search path does not find it */
  readonly name: string
  /** types as `format_type` names them */
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly isNullable: boolean
    readonly hasDefault: boolean
  }[]
  /** names */
  readonly constraints: readonly string[]
  readonly indexes: readonly string[]
  /** the sorted columns of each unique index that an upsert can go by, separated by commas */
  readonly keys: readonly string[]
  /** of the current role: SELECT, INSERT, UPDATE, DELETE */
  readonly privileges: readonly string[]
  /** row-level security applies to the current role: it may not see all rows, and COPY cannot write the table */
  readonly hasRowSecurity: boolean
  /** the planner's estimate; negative if the table was never analyzed */
  readonly estimatedRows: number
  /** the table that the foreign key of `oid` refers to; undefined without one */
  readonly objectTable: string | undefined
}

type TableRow = readonly [
  name: string | null,
  hasRowSecurity: boolean,
  estimatedRows: number,
  ...lists: readonly [privileges: string[], constraints: string[], indexes: string[], keys: string[]],
  objectTable: string | null,
]
type ColumnRow = readonly [place: number, name: string, type: string, isNullable: boolean, hasDefault: boolean]

/**
 * Looks at tables where the search path finds them.
 *
 * @param names as they are written in SQL, with or without their schema
 * @returns in that order; undefined for a table that does not exist
 */
export async function inspectTables(
  connection: Connection,
  names: readonly string[],
): Promise<(TableFacts | undefined)[]> {
  const tables = await connection.rows<TableRow>(
    `SELECT c.oid::regclass::text, row_security_active(c.oid), c.reltuples,
            ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p WHERE has_table_privilege(c.oid, p)),
            ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'f', 'u')),
            ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid),
            ARRAY(SELECT (SELECT string_agg(attname, ',' ORDER BY attname COLLATE "C") FROM pg_attribute
                           WHERE attrelid = c.oid AND attnum = ANY((x.indkey::int2[])[0:x.indnkeyatts - 1]))
                    FROM pg_index x WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid AND x.indimmediate
                                      AND x.indpred IS NULL AND x.indexprs IS NULL),
            (SELECT confrelid::regclass::text FROM pg_constraint k
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
              WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attname = 'oid' LIMIT 1)
       FROM unnest($1::text[]) WITH ORDINALITY t(name, n) LEFT JOIN pg_class c ON c.oid = to_regclass(t.name) ORDER BY n`,
    [names],
  )
  const columns = await connection.rows<ColumnRow>(
    `SELECT n::int, attname::text, format_type(atttypid, NULL), NOT attnotnull, atthasdef OR attidentity <> ''
       FROM unnest($1::text[]) WITH ORDINALITY t(name, n) JOIN pg_attribute ON attrelid = to_regclass(t.name)
      WHERE attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [names],
  )
  return tables.map(([name, hasRowSecurity, estimatedRows, privileges, constraints, indexes, keys, objectTable], i) => {
    if (name === null) return undefined
    const own = columns.filter(([place]) => place === i + 1)
    return {
      ...{ name, hasRowSecurity, estimatedRows, privileges, constraints, indexes, keys },
      objectTable: objectTable ?? undefined,
      columns: own.map(([, column, type, isNullable, hasDefault]) => ({ name: column, type, isNullable, hasDefault })),
    }
  })
}

/** Whether a table lacks the key that an upsert goes by; its name does not matter. */
export function lacksKey(definition: TableDefinition, { keys }: TableFacts): boolean {
  return !keys.includes([...keyColumns(definition)].sort().join(','))
}

/** Columns that a table lacks. */
export function missingColumns(definition: TableDefinition, { columns }: TableFacts): string[] {
  const names = columns.map(({ name }) => name)
  return definition.columns.map(({ name }) => name).filter((name) => !names.includes(name))
}

/** types that hold the same values for us */
const sameType: Readonly<Record<string, string>> = { text: 'character varying', 'text[]': 'character varying[]' }

/** What keeps the sink from writing a table: columns that are missing, of another type, or required and unknown to us. */
export function columnProblems(definition: TableDefinition, { columns }: TableFacts): string[] {
  const problems: string[] = []
  for (const { name, type } of definition.columns) {
    const found = columns.find((column) => column.name === name)
    if (!found) problems.push(`column ${name} is missing`)
    else if ((sameType[found.type] ?? found.type) !== type)
      problems.push(`column ${name} is ${found.type} in place of ${type}`)
  }
  const known = definition.columns.map(({ name }) => name)
  for (const { name, isNullable, hasDefault } of columns) {
    if (!known.includes(name) && !isNullable && !hasDefault)
      problems.push(`column ${name} is required and unknown to lcclf`)
  }
  return problems
}
