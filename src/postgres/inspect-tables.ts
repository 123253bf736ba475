// What the catalog says about a table, against its definition.
import type { Connection } from './connection.ts'
import type { TableColumn, TableDefinition } from './tables.ts'

/** A table as it is there. */
export interface TableFacts {
  readonly name: string
  readonly exists: boolean
  readonly columns: readonly (TableColumn & { readonly hasDefault: boolean })[]
  /** names */
  readonly constraints: readonly string[]
  readonly indexes: readonly string[]
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
  const [name, exists, hasRowSecurity, tuples, privileges, constraints, indexes, target, isReadable] = row
  return {
    name: String(name),
    exists: exists === true,
    columns: columns.filter(([table]) => table === name).map(columnOf),
    constraints: exists === true ? (constraints as string[]) : [],
    indexes: exists === true ? (indexes as string[]) : [],
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
