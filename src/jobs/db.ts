// The stories of `lcclf db init`, `db upgrade` and `db check`.
import { parsePostgresAddress } from '../connectors/postgres/address.ts'
import { checkTables as inspect, type TablesReport } from '../connectors/postgres/tables/check-tables.ts'
import {
  type InitReport,
  initTables as createTables,
  upgradeTables as addHistory,
} from '../connectors/postgres/tables/init-tables.ts'
import { withDatabase } from '../connectors/postgres/client/session.ts'
import type { TableCheck } from '../connectors/postgres/tables/tables.ts'

/** What was typed. */
interface InitFlags {
  readonly withHistory: boolean
  readonly isDryRun: boolean
  readonly json: boolean
}

/** Makes the tables that are missing and says which, or with --dry-run prints the SQL; answers the exit code. */
export async function initTables(address: string, { withHistory, isDryRun, json }: InitFlags): Promise<number> {
  const { address: shown, connection } = parsePostgresAddress(address, process.env, 'tables')
  const { statementTimeout } = connection
  const options = { withHistory, dryRun: isDryRun, statementTimeout }
  const report = await withDatabase(connection, (database) => createTables(database, options))
  print({ command: 'db init', shown, report, json })
  return 0
}

/** Adds the history table; answers the exit code. */
export async function upgradeTables(address: string, flags: Omit<InitFlags, 'withHistory'>): Promise<number> {
  const { address: shown, connection } = parsePostgresAddress(address, process.env, 'tables')
  const options = { dryRun: flags.isDryRun, statementTimeout: connection.statementTimeout }
  const report = await withDatabase(connection, (database) => addHistory(database, options))
  print({ command: 'db upgrade', shown, report, json: flags.json })
  return 0
}

interface Made {
  readonly command: string
  readonly shown: string
  readonly report: InitReport
  readonly json: boolean
}

function print({ command, shown, report, json }: Made): void {
  const { created, existing, statements, done, notes } = report
  if (json) {
    const object = { schemaVersion: 1, command, address: shown, dryRun: !done, created, existing, statements, notes }
    process.stdout.write(`${JSON.stringify({ ...object, exitCode: 0 })}\n`)
    return
  }
  const left = existing.length > 0 ? [`left as they are: ${existing.join(', ')}`] : []
  left.push(...notes)
  if (!done) {
    // stdout is SQL that can be piped into psql
    process.stdout.write(statements.map((statement) => `${statement};\n`).join('\n'))
    process.stderr.write([...left, 'Nothing was done.', ''].join('\n'))
    return
  }
  const made = created.length > 0 ? `created: ${created.join(', ')}` : 'nothing was missing'
  process.stderr.write([`${shown}: ${made}`, ...left, ''].join('\n'))
}

/** Prints what was found, as text or with --json as one object; the exit code is 5 if something is wrong. */
export async function checkTables(address: string, { json }: { json: boolean }): Promise<number> {
  const { address: shown, connection } = parsePostgresAddress(address, process.env, 'tables')
  const report = await withDatabase(connection, (database) =>
    inspect(
      database,
      connection.statementTimeout === undefined ? {} : { statementTimeout: connection.statementTimeout },
    ),
  )
  const exitCode = report.ok ? 0 : 5
  const object = { schemaVersion: 1, command: 'db check', address: shown, ...report, exitCode }
  process.stdout.write(json ? `${JSON.stringify(object)}\n` : textOf(shown, report))
  return exitCode
}

const marks = { ok: 'ok     ', note: 'note   ', problem: 'PROBLEM' } as const

function textOf(shown: string, { server, checks, ok }: TablesReport): string {
  const verdict = ok ? `${shown} can be used` : `${shown}: see PROBLEM above`
  return `${[`${shown} (${server})`, ...checks.map(lineOf), verdict].join('\n')}\n`
}

function lineOf({ state, name, detail, hint }: TableCheck): string {
  return `${marks[state]}  ${name}: ${detail}${hint === undefined ? '' : ` (${hint})`}`
}
