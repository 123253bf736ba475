// What the catalog says about a table, against its definition.
import type { Connection } from '../client/connection.ts'
import { keyColumns, type TableColumn, type TableDefinition } from './tables.ts'

/** A table as it is there. */
export interface TableFacts {
  readonly name: string
  readonly exists: boolean
  readonly columns: readonly (TableColumn & { readonly hasDefault: boolean })[]
  /** names */
  readonly constraints: readonly string[]
  readonly indexes: readonly string[]
  /** the sorted columns of each unique index that an upsert can go by, divided by commas */
  readonly keys: readonly string[]
  /** of the present role: SELECT, INSERT, UPDATE, DELETE */
  readonly privileges: readonly string[]
  /** row-level security holds for the present role: COPY cannot write the table */
  readonly hasRowSecurity: boolean
  /** the planner's estimate; undefined if the table was never analyzed */
  readonly estimatedRows: number | undefined
  /** the table that `oid` refers to, and whether the present role sees all of it: the foreign key does */
  readonly reference: { readonly table: string; readonly isReadable: boolean } | undefined
}

/** types that hold the same values for us */
const sameType: Readonly<Record<string, string>> = { text: 'character varying', 'text[]': 'character varying[]' }

/** Looks at tables where the search path finds them. */
export async function inspectTables(
  connection: Connection,
  tables: readonly TableDefinition[],
): Promise<readonly TableFacts[]> {
  const names = tables.map(({ name }) => name)
  const main = await connection.rows(
    `SELECT t.name, c.oid IS NOT NULL, row_security_active(c.oid), c.reltuples,
            ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p WHERE has_table_privilege(c.oid, p)),
            ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'f', 'u')),
            ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid),
            ARRAY(SELECT (SELECT string_agg(attname, ',' ORDER BY attname COLLATE "C") FROM pg_attribute
                           WHERE attrelid = c.oid AND attnum = ANY((x.indkey::int2[])[0:x.indnkeyatts - 1]))
                    FROM pg_index x WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid AND x.indimmediate
                                      AND x.indpred IS NULL AND x.indexprs IS NULL),
            f.confrelid::regclass::text, has_table_privilege(f.confrelid, 'SELECT') AND NOT row_security_active(f.confrelid)
       FROM unnest($1::text[]) WITH ORDINALITY t(name, n)
       LEFT JOIN pg_class c ON c.oid = to_regclass(quote_ident(t.name))
       LEFT JOIN LATERAL (SELECT confrelid FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                           WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attname = 'oid' LIMIT 1) f ON true
      ORDER BY t.n`,
    [names],
  )
  const columns = await connection.rows(
    `SELECT t.name, a.attname, format_type(a.atttypid, NULL), NOT a.attnotnull, a.atthasdef OR a.attidentity <> ''
       FROM unnest($1::text[]) t(name) JOIN pg_attribute a ON a.attrelid = to_regclass(quote_ident(t.name))
      WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [names],
  )
  return main.map((row) => factsOf(row, columns))
}

function factsOf(row: readonly unknown[], columns: readonly (readonly unknown[])[]): TableFacts {
  const [name, exists, hasRowSecurity, tuples, privileges, constraints, indexes, keys, target, isReadable] = row
  return {
    name: String(name),
    exists: exists === true,
    columns: columns.filter(([table]) => table === name).map(columnOf),
    constraints: exists === true ? (constraints as string[]) : [],
    indexes: exists === true ? (indexes as string[]) : [],
    keys: exists === true ? (keys as string[]) : [],
    privileges: exists === true ? (privileges as string[]) : [],
    hasRowSecurity: hasRowSecurity === true,
    estimatedRows: typeof tuples === 'number' && tuples >= 0 ? tuples : undefined,
    reference: typeof target === 'string' ? { table: target, isReadable: isReadable === true } : undefined,
  }
}

function columnOf([, name, type, isNullable, hasDefault]: readonly unknown[]): TableFacts['columns'][number] {
  const known = sameType[String(type)] ?? String(type)
  return {
    name: String(name),
    type: known as TableColumn['type'],
    isNullable: isNullable === true,
    hasDefault: hasDefault === true,
  }
}

/** Whether a table lacks the key that an upsert goes by; its name does not matter. */
export function lacksKey(definition: TableDefinition, { keys }: TableFacts): boolean {
  return !keys.includes([...keyColumns(definition)].sort().join(','))
}

/** What keeps the sink from writing a table: columns that are missing, of another type, or required and unknown to us. */
export function columnProblems(definition: TableDefinition, facts: TableFacts): string[] {
  const problems: string[] = []
  for (const { name, type } of definition.columns) {
    const found = facts.columns.find((column) => column.name === name)
    if (!found) problems.push(`column ${name} is missing`)
    else if (found.type !== type) problems.push(`column ${name} is ${found.type} in place of ${type}`)
  }
  const names = new Set(definition.columns.map(({ name }) => name))
  for (const { name, isNullable, hasDefault } of facts.columns) {
    if (!names.has(name) && !isNullable && !hasDefault) problems.push(`column ${name} is required and unknown to lcclf`)
  }
  return problems
}
