// `postgres://…` and the environment → settings. No message of this file shows a part of an address it could not read.
import { userInfo } from 'node:os'
import { UsageError } from '../../errors.ts'
import { passwordFromFile } from './client/pgpass.ts'
import {
  type ConnectionSettings,
  type MissingObject,
  type PostgresReading,
  type PostgresResults,
  type PostgresResultsSpec,
  type PostgresSinkSpec,
  type PostgresSourceSpec,
  serverName,
  type SslMode,
  sslModes,
  stepFromEnvironment,
} from './settings.ts'
import { type AddressParts, joinParameters, splitAddress } from './split-address.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What an address is for: rows in, results out, the tables themselves, stored results in, or whatever somebody wants checked. */
export type AddressRole = 'input' | 'output' | 'tables' | 'results' | 'any'

/** An address, read. */
export interface PostgresAddress {
  /** the address without a password, complete: what messages and receipts show */
  readonly address: string
  readonly connection: ConnectionSettings
  /** for an input, and for an address of any kind that names a table or a query */
  readonly reading: PostgresReading | undefined
  /** for stored results */
  readonly results: PostgresResults | undefined
  /** for an output: connections that share the work */
  readonly connections: number
}

const readingParameters = ['table', 'query', 'version', 'oids']
const writingParameters = ['connections']
const resultParameters = ['table', 'classifier_version']
const connectionParameters = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'statement_timeout',
  'connect_timeout',
  'retry_timeout',
  'application_name',
  'options',
]

/** Whether an address is one of Postgres. */
export function isPostgresAddress(address: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(address)
}

/**
 * Reads `postgres://user:password@host:5432/db?table=feature`. What the address does not say is taken from the original's
 * `DB_*` variables, then from libpq's `PG*`, then it is libpq's default; passwords in this order: address, DB_PASSWORD,
 * PGPASSWORD, ~/.pgpass. An address may hold characters that a URL should have encoded.
 *
 * @throws UsageError
 */
export function parsePostgresAddress(address: string, env: Environment, role: AddressRole): PostgresAddress {
  const parts = splitAddress(address, [...connectionParameters, ...furtherParameters('any')])
  // what is no port may be a password with a ? in it: then the names that follow are pieces of it, and are not shown
  portOf(parts, env)
  refuseParameters(parts, role)
  refuseOtherEngine(parts, env)
  const connection = connectionOf(parts, env)
  const namesRows = parts.parameters.has('table') || parts.parameters.has('query')
  return {
    address: shownAddress(connection, parts),
    connection,
    reading: role === 'input' || (role === 'any' && namesRows) ? readingOf(parts) : undefined,
    results: role === 'results' ? resultsOf(parts) : undefined,
    connections: positiveInteger(parts.parameters.get('connections'), 'connections', 64) ?? 1,
  }
}

function refuseParameters({ parameters }: AddressParts, role: AddressRole): void {
  const known = new Set([...connectionParameters, ...furtherParameters(role)])
  for (const name of parameters.keys()) {
    if (known.has(name)) continue
    // a name that looks like no name may be a piece of a password with a ? in it
    if (!/^[a-z_]{1,30}$/.test(name))
      throw new UsageError('a Postgres address has a ? that begins no parameter', passwordHint)
    const owner = readingParameters.includes(name)
      ? 'inputs'
      : writingParameters.includes(name)
        ? 'outputs'
        : resultParameters.includes(name)
          ? 'stored results'
          : undefined
    throw new UsageError(
      owner === undefined
        ? `a Postgres address: unknown parameter ${name}`
        : `a Postgres address: ?${name}= is for ${owner}`,
      { hint: `known are ${[...known].join(', ')}` },
    )
  }
}

function furtherParameters(role: AddressRole): readonly string[] {
  const byRole = { input: readingParameters, output: writingParameters, tables: [], results: resultParameters }
  return role === 'any' ? Object.values(byRole).flat() : byRole[role]
}

const passwordHint = {
  hint: 'percent-encode the password (? is %3F), or leave it out and set DB_PASSWORD or PGPASSWORD',
}

function refuseOtherEngine({ host, parameters }: AddressParts, env: Environment): void {
  if (host !== undefined || parameters.has('host') || !env['DB_HOST']) return
  const engine = env['DB_ENGINE'] || 'postgresql'
  if (engine !== 'postgresql' && engine !== 'postgres') {
    throw new UsageError(`DB_ENGINE is ${engine}: expected postgresql or postgres`)
  }
}

function connectionOf(parts: AddressParts, env: Environment): ConnectionSettings {
  const { parameters } = parts
  const host = parts.host ?? parameters.get('host') ?? (env['DB_HOST'] || env['PGHOST'])
  if (host === undefined && parts.isBare && !env['PGDATABASE'] && !env['PGUSER']) {
    throw new UsageError(
      'postgres:// alone stands for the DB_* or PG* variables, and neither DB_HOST nor PGHOST is set',
      {
        hint: 'write postgres://user@host:5432/database, or set DB_HOST, DB_USER, DB_PASSWORD and DB_NAME',
      },
    )
  }
  const user = parts.user ?? parameters.get('user') ?? (env['DB_USER'] || env['PGUSER'] || systemUser())
  const use = {
    host: host || 'localhost',
    port: portOf(parts, env),
    user,
    database: parts.database ?? parameters.get('dbname') ?? (env['DB_NAME'] || env['PGDATABASE'] || user),
  }
  const typed = parts.password ?? parameters.get('password')
  return {
    ...use,
    password: () => typed ?? (env['DB_PASSWORD'] || env['PGPASSWORD'] || passwordFromFile(use, env)),
    ssl: {
      mode: sslModeOf(parameters.get('sslmode') ?? env['PGSSLMODE']),
      rootCertificate: parameters.get('sslrootcert') ?? env['PGSSLROOTCERT'],
      certificate: parameters.get('sslcert') ?? env['PGSSLCERT'],
      key: parameters.get('sslkey') ?? env['PGSSLKEY'],
    },
    statementTimeout: durationOf(parameters.get('statement_timeout'), 'statement_timeout', 'ms'),
    connectTimeout:
      durationOf(parameters.get('connect_timeout') ?? env['PGCONNECT_TIMEOUT'], 'connect_timeout', 's') || 10_000,
    applicationName: parameters.get('application_name') ?? 'lcclf',
    options: parameters.get('options') ?? env['PGOPTIONS'],
    patience: durationOf(parameters.get('retry_timeout'), 'retry_timeout', 's') ?? 60_000,
  }
}

function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    // a container may run under an id that has no name
    return 'postgres'
  }
}

function portOf({ port, parameters }: AddressParts, env: Environment): number {
  const [name, text] = port
    ? (['the port of a Postgres address', port] as const)
    : parameters.has('port')
      ? (['the port of a Postgres address', parameters.get('port')!] as const)
      : env['DB_PORT']
        ? (['DB_PORT', env['DB_PORT']] as const)
        : (['PGPORT', env['PGPORT'] || '5432'] as const)
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  // what stands where a port should be may be a part of a password
  if (value < 1 || value > 65_535) throw new UsageError(`${name} is not a number from 1 to 65535`, passwordHint)
  return value
}

function sslModeOf(text: string | undefined): SslMode {
  if (text === undefined || text === '') return 'prefer'
  const mode = sslModes.find((known) => known === text)
  if (!mode) throw new UsageError(`sslmode is ${text}: expected one of ${sslModes.join(', ')}`)
  return mode
}

const milliseconds = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }

function durationOf(text: string | undefined, name: string, unit: 'ms' | 's'): number | undefined {
  if (text === undefined || text === '') return undefined
  const found = /^(\d{1,9})\s*(ms|s|min|h)?$/.exec(text)
  const value = Number(found?.[1]) * milliseconds[(found?.[2] ?? unit) as keyof typeof milliseconds]
  if (!found || value > 2 ** 31 - 1) {
    throw new UsageError(
      `${name} is ${text}: expected a number of ${unit === 'ms' ? 'milliseconds' : 'seconds'}, or 30s, 5min`,
    )
  }
  return value
}

function positiveInteger(text: string | undefined, name: string, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > most) throw new UsageError(`${name} is ${text}: expected a number from 1 to ${most}`)
  return value
}

function readingOf({ parameters }: AddressParts): PostgresReading {
  const sql = parameters.get('query')
  if (sql === undefined) {
    const table = parameters.get('table') ?? 'feature'
    if (table === '') throw new UsageError('a Postgres address: ?table= is empty')
    return { kind: 'table', table, version: parameters.get('version'), oidsFile: parameters.get('oids') }
  }
  for (const other of ['table', 'version', 'oids']) {
    if (parameters.has(other)) throw new UsageError(`a Postgres address: ?query= and ${other}= do not go together`)
  }
  if (sql.trim() === '') throw new UsageError('a Postgres address: ?query= is empty')
  return { kind: 'query', sql: sql.trim().replace(/;$/, '') }
}

function resultsOf({ parameters }: AddressParts): PostgresResults {
  const table = parameters.get('table') ?? 'probability'
  if (table === '') throw new UsageError('a Postgres address: ?table= is empty')
  return { table, classifierVersion: parameters.get('classifier_version') }
}

function shownAddress(connection: ConnectionSettings, { parameters }: AddressParts): string {
  const shown = [...readingParameters, 'classifier_version', 'sslmode'].filter((name) => parameters.has(name))
  return joinParameters(
    serverName(connection),
    shown.map((name) => [name, parameters.get(name)!]),
  )
}

// Postgres addresses as inputs and outputs of a run.

type Environment2 = Readonly<Record<string, string | undefined>>

/** The tables as an output; `environment` has what the address leaves out, and the names of the step. @throws UsageError */
export function postgresSinkSpec(
  address: string,
  missingObject: MissingObject | undefined,
  environment: Environment2,
): PostgresSinkSpec {
  const { address: shown, connection, connections } = parsePostgresAddress(address, environment, 'output')
  return {
    kind: 'postgres',
    address: shown,
    connection,
    connections,
    missingObject: missingObject ?? 'wait',
    step: stepFromEnvironment(environment),
  }
}

/** A table or a query as an input. @throws UsageError */
export function postgresSourceSpec(address: string, environment: Environment2): PostgresSourceSpec {
  const { address: shown, connection, reading } = parsePostgresAddress(address, environment, 'input')
  return { kind: 'postgres', address: shown, connection, reading: reading! }
}

/** Stored results, to be read back. @throws UsageError */
export function postgresResultsSpec(address: string, environment: Environment2): PostgresResultsSpec {
  const { address: shown, connection, results } = parsePostgresAddress(address, environment, 'results')
  return { kind: 'postgres', address: shown, connection, results: results! }
}
