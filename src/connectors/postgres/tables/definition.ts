// How a table is written down here, and the SQL that creates it.

/** A column, its type as Postgres names it. */
interface TableColumn {
  readonly name: string
  readonly type: string
  readonly isNullable: boolean
}

/** A constraint or an index: its name is part of the interface, other programs refer to it. */
interface NamedClause {
  readonly name: string
  readonly sql: string
}

/** A table with all that belongs to it. */
export interface TableDefinition {
  readonly name: string
  readonly columns: readonly TableColumn[]
  readonly constraints: readonly NamedClause[]
  /** what follows `CREATE INDEX name ON table` */
  readonly indexes: readonly NamedClause[]
  /** how many partitions share its rows, by the hash of the column oid; undefined for a table of one piece */
  readonly partitions?: number
}

export const text = 'character varying'
export const real = 'double precision'

const columnsThat =
  (isNullable: boolean) =>
  (type: string, ...names: string[]): TableColumn[] =>
    names.map((name) => ({ name, type, isNullable }))
export const required = columnsThat(false)
export const optional = columnsThat(true)

export function primaryKey(table: string, ...columns: string[]): NamedClause {
  return { name: `${table}_pkey`, sql: `PRIMARY KEY (${columns.join(', ')})` }
}

export function foreignKey(name: string, column: string, target: string): NamedClause {
  return { name, sql: `FOREIGN KEY (${column}) REFERENCES ${target}` }
}

export function btree(name: string, column: string): NamedClause {
  return { name, sql: `USING btree (${column})` }
}

export function keyColumns({ constraints }: TableDefinition): readonly string[] {
  const [key] = constraints.flatMap(({ sql }) => /^PRIMARY KEY \((.*)\)$/.exec(sql)?.[1] ?? [])
  return key?.split(', ') ?? []
}

export function creationStatements({ name, columns, constraints, indexes, partitions }: TableDefinition): string[] {
  const lines = [
    ...columns.map((column) => `${columnName(column)} ${column.type}${column.isNullable ? '' : ' NOT NULL'}`),
    ...constraints.map((constraint) => `CONSTRAINT ${constraint.name} ${constraint.sql}`),
  ]
  const division = partitions === undefined ? '' : ' PARTITION BY HASH (oid)'
  return [
    `CREATE TABLE ${name} (\n    ${lines.join(',\n    ')}\n)${division}`,
    ...Array.from({ length: partitions ?? 0 }, (_, remainder) => partitionStatement(name, partitions!, remainder)),
    ...indexes.map((index) => `CREATE INDEX ${index.name} ON ${name} ${index.sql}`),
  ]
}

/** A word of SQL must be quoted to be a column. */
function columnName({ name }: TableColumn): string {
  return name === 'order' ? '"order"' : name
}

/** Creates one of the partitions of a table, under the name that the survey gives it. */
export function partitionStatement(table: string, modulus: number, remainder: number): string {
  return `CREATE TABLE ${table}_part_${remainder} PARTITION OF ${table} FOR VALUES WITH (MODULUS ${modulus}, REMAINDER ${remainder})`
}
