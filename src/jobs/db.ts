// The stories of `lcclf db init`, `db upgrade` and `db check`.
import { parsePostgresAddress, type PostgresAddress } from '../connectors/postgres/address.ts'
import { withDatabase } from '../connectors/postgres/client/session.ts'
import { initSurveyTables } from '../connectors/postgres/multisurvey/init-tables.ts'
import type { TableGeneration } from '../connectors/postgres/settings.ts'
import { checkTables as inspect } from '../connectors/postgres/tables/check-tables.ts'
import {
  type InitReport,
  initTables as createTables,
  upgradeTables as addHistory,
} from '../connectors/postgres/tables/init-tables.ts'
import type { TableCheck } from '../connectors/postgres/tables/table-check.ts'
import { UsageError } from '../errors.ts'
import { taxonomyOf } from '../model/bundle/manifest.ts'
import { readManifest } from '../model/bundle/read-bundle.ts'
import { withCalibratedLevel } from '../pipeline/calibrated-level.ts'
import { interruptsOf } from '../terminal/interrupt.ts'
import { silentTransfer } from '../terminal/progress.ts'
import { print } from '../terminal/standard-streams.ts'
import { liveModel } from './models/pull.ts'

/** What can be asked of `db init`. */
interface InitAsked {
  readonly tables?: TableGeneration | undefined
  readonly withHistory: boolean
  readonly register: boolean
  /** with `register`: the classifier of calibrated probabilities too */
  readonly calibrated: boolean
  readonly model?: string | undefined
  readonly dryRun: boolean
  readonly json: boolean
}

/** Creates the missing tables and says which, or with --dry-run prints the SQL; returns the exit code. */
export async function initTables(address: string, asked: InitAsked): Promise<number> {
  const { address: shown, connection, sid = 0, tables } = parsePostgresAddress(address, process.env, 'tables')
  const { withHistory, dryRun, json } = asked
  const options = { dryRun, statementTimeout: connection.statementTimeout }
  const isSurvey = generationAsked(asked, tables) === 'multisurvey'
  const model = asked.register ? await registered(asked) : undefined
  const report = await withDatabase(connection, (database) =>
    isSurvey
      ? initSurveyTables(database, { ...options, sid, model })
      : createTables(database, { ...options, withHistory }),
  )
  return printInit('db init', shown, report, json)
}

/** @throws UsageError for flags that do not go together, or not with the address */
function generationAsked(
  { tables, withHistory, register, calibrated }: InitAsked,
  ofAddress: PostgresAddress['tables'],
): TableGeneration | undefined {
  if (tables !== undefined && ofAddress !== undefined && tables !== ofAddress) {
    throw new UsageError(`--tables ${tables}, but the address says tables=${ofAddress}`)
  }
  const generation = tables ?? ofAddress
  if (calibrated && !register) {
    throw new UsageError('--calibrated goes with --register: it adds the classifier of calibrated probabilities too')
  }
  if (generation !== 'multisurvey' && register) {
    throw new UsageError('--register is for --tables multisurvey', {
      hint: 'The tables of 2021 need no registration: a run writes its taxonomy itself.',
    })
  }
  if (generation === 'multisurvey' && withHistory) {
    throw new UsageError('--with-history is for the tables of 2021', {
      hint: 'The multisurvey tables need no history table: the newer lastmjd wins there.',
    })
  }
  return generation
}

/** What the tables must know of a model: nothing is downloaded for that. @throws ModelError if there is none */
async function registered({ model: reference, calibrated }: Pick<InitAsked, 'model' | 'calibrated'>) {
  const effects = { interrupts: interruptsOf(), progress: silentTransfer, mayPull: false }
  const { directory } = await liveModel(reference, effects)
  const { manifest } = await readManifest(directory)
  const taxonomy = taxonomyOf(manifest)
  return { taxonomy: calibrated ? withCalibratedLevel(taxonomy) : taxonomy, version: manifest.version }
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
  const { address: shown, connection, tables } = parsePostgresAddress(address, process.env, 'tables')
  const { statementTimeout } = connection
  const report = await withDatabase(connection, (database) => inspect(database, { statementTimeout, tables }))
  const exitCode = report.ok ? 0 : 5
  const object = { schemaVersion: 1, command: 'db check', address: shown, ...report, exitCode }
  const lineOf = ({ state, name, detail, hint }: TableCheck): string =>
    `${marks[state]}  ${name}: ${detail}${hint === undefined ? '' : `. ${hint}`}`
  const verdict = report.ok ? `${shown} can be used` : `${shown}: see PROBLEM above`
  const text = [`${shown} (${report.server})`, ...report.checks.map(lineOf), verdict].join('\n')
  await print(`${json ? JSON.stringify(object) : text}\n`)
  return exitCode
}
