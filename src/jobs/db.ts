// The stories of `lcclf db init`, `db upgrade` and `db check`.
import { parsePostgresAddress } from '../connectors/postgres/address.ts'
import { withDatabase } from '../connectors/postgres/client/session.ts'
import { checkTables as inspect, type TableCheck } from '../connectors/postgres/tables/check-tables.ts'
import {
  type InitReport,
  initTables as createTables,
  upgradeTables as addHistory,
} from '../connectors/postgres/tables/init-tables.ts'
import { print } from '../terminal/standard-streams.ts'

/** Creates the missing tables and says which, or with --dry-run prints the SQL; returns the exit code. */
export async function initTables(
  address: string,
  { json, ...asked }: { withHistory: boolean; dryRun: boolean; json: boolean },
): Promise<number> {
  const { address: shown, connection } = parsePostgresAddress(address, process.env, 'tables')
  const options = { ...asked, statementTimeout: connection.statementTimeout }
  const report = await withDatabase(connection, (database) => createTables(database, options))
  return printInit('db init', shown, report, json)
}

/** Adds the history table; returns the exit code. */
export async function upgradeTables(address: string, flags: { dryRun: boolean; json: boolean }): Promise<number> {
  const { address: shown, connection } = parsePostgresAddress(address, process.env, 'tables')
  const options = { dryRun: flags.dryRun, statementTimeout: connection.statementTimeout }
  const report = await withDatabase(connection, (database) => addHistory(database, options))
  return printInit('db upgrade', shown, report, flags.json)
}

async function printInit(command: string, shown: string, report: InitReport, json: boolean): Promise<number> {
  const { created, existing, statements, done, notes } = report
  if (json) {
    const object = { schemaVersion: 1, command, address: shown, dryRun: !done, created, existing, statements, notes }
    await print(`${JSON.stringify({ ...object, exitCode: 0 })}\n`)
    return 0
  }
  const left = [...(existing.length > 0 ? [`left unchanged: ${existing.join(', ')}`] : []), ...notes]
  if (done) {
    const made = created.length > 0 ? `created: ${created.join(', ')}` : 'nothing was missing'
    process.stderr.write([`${shown}: ${made}`, ...left, ''].join('\n'))
  } else {
    // stdout is SQL that can be piped into psql
    await print(statements.map((statement) => `${statement};\n`).join('\n'))
    process.stderr.write([...left, 'Nothing was done.', ''].join('\n'))
  }
  return 0
}

const marks = { ok: 'ok     ', note: 'note   ', problem: 'PROBLEM' } as const

/** Prints what was found, as text or with --json as one object; the exit code is 5 if something is wrong. */
export async function checkTables(address: string, { json }: { json: boolean }): Promise<number> {
  const { address: shown, connection } = parsePostgresAddress(address, process.env, 'tables')
  const report = await withDatabase(connection, (database) => inspect(database, connection))
  const exitCode = report.ok ? 0 : 5
  const object = { schemaVersion: 1, command: 'db check', address: shown, ...report, exitCode }
  const lineOf = ({ state, name, detail, hint }: TableCheck): string =>
    `${marks[state]}  ${name}: ${detail}${hint === undefined ? '' : `. ${hint}`}`
  const verdict = report.ok ? `${shown} can be used` : `${shown}: see PROBLEM above`
  const text = [`${shown} (${report.server})`, ...report.checks.map(lineOf), verdict].join('\n')
  await print(`${json ? JSON.stringify(object) : text}\n`)
  return exitCode
}
