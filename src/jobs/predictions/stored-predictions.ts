// Rows of the table `probability` of one classifier version, streamed into a table with one row an object.
import { createRequire } from 'node:module'
import type * as DuckDb from '@duckdb/node-api'
import type { DuckDBValue } from '@duckdb/node-api'
import { DataError, UsageError } from '../../errors.ts'
import { type BinaryRows, createBinaryRows, literal } from '../../connectors/postgres/client/binary.ts'
import type { Connection } from '../../connectors/postgres/client/connection.ts'
import { transaction, withDatabase } from '../../connectors/postgres/client/session.ts'
import { type PostgresResultsSpec, serverName } from '../../connectors/postgres/settings.ts'
import { inspectTables, type TableFacts } from '../../connectors/postgres/tables/inspect-tables.ts'
import { sqlName } from '../../connectors/files/duckdb.ts'
import { shownText } from '../../formats/shown-text.ts'
import {
  alphabet,
  columnName,
  type FoundLevel,
  levelsOf,
  type PredictionOptions,
  type Selection,
} from './predictions.ts'
import { findNumbered, isNumbered, numberedColumns, type StoredResults } from './numbered-results.ts'
import { rowsAChunk, type Session } from './session.ts'

const namedColumns = ['oid', 'classifier_name', 'classifier_version', 'class_name', 'probability']
const hint = 'Count partial row sets with lcclf db check; classify these objects again to complete them.'

/** a server that says nothing for so long is gone; sorting a large table takes its time */
const longestSilenceMs = 600_000

/**
 * Reads one classifier version in one snapshot. It holds one chunk of objects in memory; the table is DuckDB's.
 *
 * @throws DataError for a table that is absent, empty or has other columns; UsageError if it has several versions and
 *   none is chosen; ServiceError
 */
export async function selectStored(
  session: Session,
  spec: PostgresResultsSpec,
  options: PredictionOptions,
): Promise<Selection> {
  const { statementTimeout } = spec.connection
  const settings = { ...spec.connection, statementTimeout: statementTimeout ?? longestSilenceMs }
  const mode = { access: 'read only', isolation: 'repeatable read', statementTimeout: statementTimeout ?? 0 } as const
  return withDatabase(settings, (connection) =>
    transaction(connection, mode, async () => {
      const { levels, version, isOrdered, statements, oidOf } = await findResults(
        connection,
        spec,
        options.classifierVersion,
      )
      if (levels.length === 0) throw new DataError(`${spec.address} holds no predictions`)
      const columns = levels.flatMap(({ classes }, level) => classes.map((_, index) => columnName(level, index)))
      const rows = `${options.table}_rows`
      // made anew when a lost connection begins the reading again
      const wide = { name: rows, columns, address: spec.address }
      const repeated = await copyInto(session, wide, oneAfterAnother(connection, statements), oidOf)
      return {
        sql: `SELECT * FROM ${sqlName(rows)}`,
        isView: true,
        levels,
        calibrated: null,
        assumedOrder: isOrdered ? null : alphabet,
        duplicates: Math.round(repeated / columns.length),
        classifierVersion: version,
        hint,
      }
    }),
  )
}

/** Finds the table and what is in it: names, or the numbers of the survey's tables of today. */
async function findResults(
  connection: Connection,
  spec: PostgresResultsSpec,
  wantedVersion: string | undefined,
): Promise<StoredResults> {
  const { tables, address, results } = spec
  const facts = await findTable(connection, results.table)
  if (tables === undefined ? isNumbered(facts) : tables === 'multisurvey')
    return findNumbered(connection, refuseOthers(facts, numberedColumns, connection), spec, wantedVersion)
  const { name } = refuseOthers(facts, namedColumns, connection)
  if (results.survey || results.classifier !== undefined)
    throw new UsageError(`${address}: ?sid=, ?names= and ?classifier= are for tables with numbers; ${name} has names`)
  const { version, pairs } = await surveyed(connection, name, address, wantedVersion)
  const levels = levelsOf(pairs.map(([classifier, className], key) => [classifier, className, key] as const))
  const statements = [copyStatement(name, version, levels)]
  return { version, levels, isOrdered: false, statements, oidOf: (bytes) => bytes.toString('utf8') }
}

async function findTable(connection: Connection, wanted: string): Promise<TableFacts> {
  const [table] = await inspectTables(connection, [wanted])
  if (table) return table
  throw new DataError(`${serverName(connection.settings)} has no table ${wanted}`, {
    hint: 'Results are read from the table probability; name another one with ?table=.',
  })
}

function refuseOthers(table: TableFacts, needed: readonly string[], { settings }: Connection): TableFacts {
  const missing = needed.filter((column) => !table.columns.some(({ name }) => name === column))
  if (missing.length === 0) return table
  const what = `table ${table.name} has no column ${missing.join(', ')}: not a table of results`
  throw new DataError(`${serverName(settings)}: ${what}`)
}

async function* oneAfterAnother(
  connection: Connection,
  statements: readonly string[],
): AsyncGenerator<BinaryRows, void> {
  for (const statement of statements) {
    // each COPY has a head and an end of its own
    const rows = createBinaryRows(3)
    for await (const chunk of connection.copyOut(statement)) {
      rows.push(chunk)
      yield rows
    }
    rows.finish()
  }
}

/** Which version is read, and its classifiers and classes: one look over the whole table. */
async function surveyed(
  connection: Connection,
  table: string,
  address: string,
  wanted: string | undefined,
): Promise<{ version: string; pairs: readonly (readonly [classifier: string, className: string])[] }> {
  const all = await connection.rows(
    `SELECT classifier_version::text, classifier_name::text, class_name::text FROM ${table} GROUP BY 1, 2, 3`,
  )
  const versions = [...new Set(all.map(([version]) => String(version)))].sort()
  const version = wanted ?? versions[0]
  const list = versions.map(shownText).join(', ')
  if (version === undefined) throw new DataError(`${address} has no rows`)
  if (!versions.includes(version)) {
    throw new UsageError(`${address} has no classifier_version ${shownText(version)}`, {
      hint: versions.length > 0 ? `It has ${list}.` : 'It has no rows.',
    })
  }
  if (wanted === undefined && versions.length > 1) {
    throw new UsageError(`${address} holds the results of several models: ${list}`, {
      hint: 'Choose one with ?classifier_version=.',
    })
  }
  const pairs = all
    .filter(([one]) => String(one) === version)
    .map(([, classifier, className]) => [String(classifier), String(className)] as const)
    .sort(([a, first], [b, second]) => (a === b ? (first < second ? -1 : 1) : a < b ? -1 : 1))
  return { version, pairs }
}

/** oid, place of the class among all columns, probability; an object's rows lie together. */
function copyStatement(table: string, version: string, levels: readonly FoundLevel[]): string {
  const codes = levels
    .flatMap(({ classifierName, classes }) => classes.map((name) => [classifierName, name] as const))
    .map(([classifier, name], code) => `(${literal(classifier)}, ${literal(name)}, ${code}::int4)`)
  return `COPY (
    SELECT p.oid::text, k.code, p.probability::float8
      FROM ${table} AS p JOIN (VALUES ${codes.join(', ')}) AS k(classifier, class, code)
        ON p.classifier_name::text = k.classifier AND p.class_name::text = k.class
     WHERE p.classifier_version::text = ${literal(version)} ORDER BY p.oid
  ) TO STDOUT (FORMAT binary)`
}

/**
 * Makes a temporary table with one row an object, `oid` (VARCHAR) and columns of DOUBLE; what is not set is null.
 *
 * @returns how many rows gave a class of an object that it had already: the later one counts
 */
async function copyInto(
  session: Session,
  { name, columns, address }: { name: string; columns: readonly string[]; address: string },
  chunks: AsyncIterable<BinaryRows>,
  oidOf: (bytes: Buffer) => string,
): Promise<number> {
  const { VARCHAR, DOUBLE } = createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
  const doubles = columns.map((column) => ({ name: column, type: DOUBLE }))
  const table = await session.createTable(name, [{ name: 'oid', type: VARCHAR }, ...doubles], address)
  const oids: DuckDBValue[] = []
  const values = columns.map((): DuckDBValue[] => [])
  let id: Buffer | undefined
  let repeated = 0

  async function flush(): Promise<void> {
    if (oids.length > 0) await table.append([oids, ...values])
    for (const cells of [oids, ...values]) cells.length = 0
  }

  try {
    for await (const rows of chunks) {
      while (rows.next()) {
        const { bytes, starts, lengths } = rows
        const [from, length] = [starts[0]!, lengths[0]!]
        if (!id || length !== id.length || bytes.compare(id, 0, length, from, from + length) !== 0) {
          if (oids.length === rowsAChunk) await flush()
          id = Buffer.from(bytes.subarray(from, from + Math.max(0, length)))
          oids.push(length < 0 ? null : oidOf(id))
          for (const cells of values) cells.push(null)
        }
        if (lengths[2]! < 0) continue
        const cells = values[bytes.readInt32BE(starts[1]!)]!
        if (cells.at(-1) !== null) repeated++
        cells[cells.length - 1] = bytes.readDoubleBE(starts[2]!)
      }
    }
    await flush()
  } finally {
    await table.close()
  }
  return repeated
}
