// `postgres://…` and the environment → settings. No message of this file shows a part of an address it could not read.
import { readFileSync, statSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import {
  type ConnectionSettings,
  type MissingObject,
  type PostgresReading,
  type PostgresResultsSpec,
  type PostgresSinkSpec,
  type PostgresSourceSpec,
  type SurveyChoice,
  type TableGeneration,
  tableGenerations,
  serverName,
  sslModes,
  stepFromEnvironment,
} from './settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Parameters by what an address is for: rows in, results out, the tables themselves, or stored results in. */
export const parametersFor = {
  input: ['tables', 'table', 'query', 'version', 'oids', 'sid', 'names'],
  output: ['tables', 'sid', 'connections'],
  tables: ['tables', 'sid'],
  results: ['tables', 'table', 'classifier_version', 'classifier', 'sid', 'names'],
} as const

const connectionParameters = [
  ...['host', 'port', 'user', 'password', 'dbname', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'],
  ...['statement_timeout', 'connect_timeout', 'retry_timeout', 'application_name', 'options'],
]

/** What an address is for; `any`: whatever somebody wants checked. */
export type AddressRole = keyof typeof parametersFor | 'any'

export type PostgresAddress = ReturnType<typeof parsePostgresAddress>

const scheme = /^postgres(?:ql)?:\/\//i

export function isPostgresAddress(address: string): boolean {
  return scheme.test(address)
}

/** The tables as an output; `env` has what the address leaves out, and the names of the step. @throws UsageError */
export function postgresSinkSpec(
  address: string,
  missingObject: MissingObject | undefined,
  env: Environment,
): PostgresSinkSpec {
  const { address: shown, connection, connections, tables, sid } = parsePostgresAddress(address, env, 'output')
  const step = stepFromEnvironment(env)
  const place = { kind: 'postgres', address: shown, connection, tables } as const
  return { ...place, sid, connections, missingObject: missingObject ?? 'wait', step }
}

/** A table or a query as an input. @throws UsageError */
export function postgresSourceSpec(address: string, env: Environment): PostgresSourceSpec {
  const { address: shown, connection, tables, reading } = parsePostgresAddress(address, env, 'input')
  return { kind: 'postgres', address: shown, connection, tables, reading: reading! }
}

/** Stored results, to be read back. @throws UsageError */
export function postgresResultsSpec(address: string, env: Environment): PostgresResultsSpec {
  const { address: shown, connection, tables, results } = parsePostgresAddress(address, env, 'results')
  return { kind: 'postgres', address: shown, connection, tables, results: results! }
}

/**
 * Reads `postgres://user:password@host:5432/db?table=feature`. What the address leaves out is taken from the original's
 * `DB_*` variables, then from libpq's `PG*`, then it is libpq's default; passwords in this order: address, DB_PASSWORD,
 * PGPASSWORD, ~/.pgpass. An address may hold characters that a URL should have encoded.
 *
 * @throws UsageError
 */
export function parsePostgresAddress(address: string, env: Environment, role: AddressRole) {
  const parts = splitAddress(address)
  const { parameters } = parts
  // what is no port may be a password with a ? in it: then the names that follow are pieces of it, and are not shown
  portOf(parts, env)
  refuseParameters(parameters, role)
  const connection = connectionOf(parts, env)
  const namesRows = parameters.has('table') || parameters.has('query')
  return {
    /** the address without a password, complete: what messages and receipts show */
    address: shownAddress(connection, parameters),
    connection,
    /** undefined: recognised by their columns */
    tables: tablesOf(parameters.get('tables')),
    /** the survey, of the tables of 2025 */
    sid: sidOf(parameters.get('sid')),
    /** for an input, and for an address of any kind that names a table or a query */
    reading: role === 'input' || (role === 'any' && namesRows) ? readingOf(parameters) : undefined,
    results:
      role === 'results'
        ? {
            table: tableOf(parameters, 'probability'),
            classifierVersion: parameters.get('classifier_version'),
            classifier: parameters.get('classifier'),
            survey: surveyChoiceOf(parameters),
          }
        : undefined,
    /** for an output: connections that share the work */
    connections: connectionsOf(parameters.get('connections')),
  }
}

type Parameters = ReadonlyMap<string, string>

function tablesOf(named: string | undefined): TableGeneration | undefined {
  const found = tableGenerations.find((one) => one === named)
  if (named === undefined || found) return found
  throw new UsageError(`a Postgres address: ?tables=${named} is not ${tableGenerations.join(' or ')}`)
}

function refuseParameters(parameters: Parameters, role: AddressRole): void {
  const known: string[] = [...connectionParameters, ...parametersOf(role)]
  for (const name of parameters.keys()) {
    if (known.includes(name)) continue
    // a name that looks like no name may be a piece of a password with a ? in it
    if (!/^[a-z_]{1,30}$/.test(name))
      throw new UsageError('a Postgres address has a ? that begins no parameter', { hint: passwordHint })
    const owner = (['input', 'output', 'results'] as const).find((other) => parametersOf(other).includes(name))
    const message = owner
      ? `?${name}= is for ${{ input: 'inputs', output: 'outputs', results: 'stored results' }[owner]}`
      : `unknown parameter ${name}`
    throw new UsageError(`a Postgres address: ${message}`, { hint: `Known parameters: ${known.join(', ')}.` })
  }
}

function parametersOf(role: AddressRole): readonly string[] {
  return role === 'any' ? Object.values(parametersFor).flat() : parametersFor[role]
}

const passwordHint = 'Percent-encode the password (? is %3F), or leave it out and set DB_PASSWORD or PGPASSWORD.'

function connectionOf(parts: AddressParts, env: Environment): ConnectionSettings {
  const { parameters } = parts
  const named = parts.host ?? parameters.get('host')
  refuseOtherEngine(named, env)
  const host = named ?? (env['DB_HOST'] || env['PGHOST'])
  if (host === undefined && parts.isBare && !env['PGDATABASE'] && !env['PGUSER']) {
    throw new UsageError(
      'postgres:// alone stands for the DB_* or PG* variables, and neither DB_HOST nor PGHOST is set',
      { hint: 'Write postgres://user@host:5432/database, or set DB_HOST, DB_USER, DB_PASSWORD and DB_NAME.' },
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

function refuseOtherEngine(host: string | undefined, env: Environment): void {
  const engine = env['DB_ENGINE']
  if (host !== undefined || !env['DB_HOST'] || !engine || engine === 'postgresql' || engine === 'postgres') return
  throw new UsageError(`DB_ENGINE is ${engine}: expected postgresql or postgres`)
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
  const typed = port ?? parameters.get('port')
  const text = typed ?? (env['DB_PORT'] || env['PGPORT'] || '5432')
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= 65_535) return value
  const name = typed === undefined ? (env['DB_PORT'] ? 'DB_PORT' : 'PGPORT') : 'the port of a Postgres address'
  // what stands where a port should be may be a part of a password
  throw new UsageError(`${name} is not a number from 1 to 65535`, { hint: passwordHint })
}

function sslModeOf(text: string | undefined): ConnectionSettings['ssl']['mode'] {
  const mode = sslModes.find((known) => known === (text || 'prefer'))
  if (!mode) throw new UsageError(`sslmode is ${text}: expected one of ${sslModes.join(', ')}`)
  return mode
}

const milliseconds = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }

function durationOf(text: string | undefined, name: string, unit: 'ms' | 's'): number | undefined {
  if (text === undefined || text === '') return undefined
  const found = /^(\d{1,9})\s*(ms|s|min|h)?$/.exec(text)
  const value = Number(found?.[1]) * milliseconds[(found?.[2] ?? unit) as keyof typeof milliseconds]
  if (found && value < 2 ** 31) return value
  const units = unit === 'ms' ? 'milliseconds' : 'seconds'
  throw new UsageError(`${name} is ${text}: expected a number of ${units}, or 30s, 5min`)
}

function connectionsOf(text = '1'): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > 64) throw new UsageError(`connections is ${text}: expected a number from 1 to 64`)
  return value
}

function sidOf(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,4}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new UsageError(`a Postgres address: ?sid=${text} is not a number from 0 to 9999`)
}

function tableOf(parameters: Parameters, usual: string): string {
  const table = parameters.get('table') ?? usual
  if (table === '') throw new UsageError('a Postgres address: ?table= is empty')
  return table
}

function readingOf(parameters: Parameters): PostgresReading {
  const sql = parameters.get('query')?.trim()
  if (sql === undefined) {
    const table = tableOf(parameters, 'feature')
    const chosen = { version: parameters.get('version'), oidsFile: parameters.get('oids') }
    return { kind: 'table', table, ...chosen, survey: surveyChoiceOf(parameters) }
  }
  const other = ['tables', 'table', 'version', 'oids', 'sid', 'names'].find((name) => parameters.has(name))
  if (other !== undefined) throw new UsageError(`a Postgres address: ?query= and ${other}= cannot be combined`)
  if (sql === '') throw new UsageError('a Postgres address: ?query= is empty')
  return { kind: 'query', sql: sql.replace(/;$/, '') }
}

/** Undefined where nothing is chosen. */
function surveyChoiceOf(parameters: Parameters): SurveyChoice | undefined {
  const [sid, names] = [sidOf(parameters.get('sid')), parameters.get('names')]
  if (sid === undefined && names === undefined) return undefined
  if (names !== undefined && names !== 'ztf' && names !== 'integers') {
    throw new UsageError(`a Postgres address: ?names=${names} is not ztf or integers`)
  }
  return { sid, names }
}

/** The address again; only what would divide it is encoded, so that SQL stays readable. */
function shownAddress(connection: ConnectionSettings, parameters: Parameters): string {
  const shown = ['tables', 'table', 'query', 'version', 'oids', 'sid', 'names']
    .concat('classifier_version', 'classifier', 'sslmode')
    .filter((name) => parameters.has(name))
    .map((name) => `${name}=${parameters.get(name)!.replace(/[%&?#]/g, encodeURIComponent)}`)
  const main = serverName(connection)
  return shown.length === 0 ? main : `${main}${main.includes('?') ? '&' : '?'}${shown.join('&')}`
}

// An address into its parts. People type passwords and SQL as they are, so this accepts what URL parsers refuse.

/** Decoded; undefined where the address does not have them. */
type AddressParts = ReturnType<typeof splitAddress>

/**
 * Before the first `?` the last `@` ends user and password, so that a password may hold `@`, `:` and `/`. A query and a
 * password end at `&name=` of a known name only, so that they may hold `&`; other parameters end at any `&name=`, so that a
 * mistyped name is found and not taken for a part of the value before it. `+` is a plus.
 *
 * @throws UsageError without showing any of it
 */
function splitAddress(address: string) {
  if (!isPostgresAddress(address)) throw new UsageError('a Postgres address begins with postgres://')
  const rest = address.replace(scheme, '')
  const question = rest.indexOf('?')
  const main = question < 0 ? rest : rest.slice(0, question)
  const at = main.lastIndexOf('@')
  const login = at < 0 ? '' : main.slice(0, at)
  const place = main.slice(at + 1)
  const slash = place.indexOf('/')
  const colon = login.indexOf(':')
  const server = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*))(?::(.*))?$/i.exec(slash < 0 ? place : place.slice(0, slash))
  if (!server) throw new UsageError('a Postgres address: its host and port cannot be read')
  return {
    user: decoded(colon < 0 ? login : login.slice(0, colon)),
    password: colon < 0 ? undefined : decoded(login.slice(colon + 1)),
    host: decoded(server[1] ?? server[2] ?? ''),
    port: server[3] || undefined,
    database: slash < 0 ? undefined : decoded(place.slice(slash + 1)),
    parameters: splitParameters(question < 0 ? '' : rest.slice(question + 1)),
    /** nothing before the parameters: the environment says where */
    isBare: main === '' || main === '/',
  }
}

function splitParameters(text: string): Parameters {
  const parameters = new Map<string, string>()
  const names = [...connectionParameters, ...parametersOf('any')].join('|')
  const pairs = text
    .split(new RegExp(`&(?=(?:${names})=)`))
    .flatMap((pair) => (/^(?:query|password)=/.test(pair) ? [pair] : pair.split(/&(?=[a-z0-9_-]{1,30}=)/i)))
  for (const pair of pairs.filter((one) => one !== '')) {
    const [name] = pair.split('=', 1) as [string]
    if (parameters.has(name)) throw new UsageError('a Postgres address gives one parameter twice')
    parameters.set(name, decoded(pair.slice(name.length + 1)) ?? '')
  }
  return parameters
}

/** `%` that begins no encoded character is itself; undefined for nothing. */
function decoded(text: string): string | undefined {
  const plain = text.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded)
    } catch {
      return encoded
    }
  })
  return plain || undefined
}

type PasswordUse = Pick<ConnectionSettings, 'host' | 'port' | 'database' | 'user'>

/** As libpq does, a file that others may read is ignored; PGPASSFILE names another file. */
function passwordFromFile(use: PasswordUse, env: Environment): string | undefined {
  const path = env['PGPASSFILE'] || join(env['HOME'] || homedir(), '.pgpass')
  try {
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) return undefined
    return passwordIn(readFileSync(path, 'utf8'), use)
  } catch {
    // no file, or none that we may read: then there is no password in it for us
    return undefined
  }
}

/** `host:port:database:user:password`, each field but the last with `\` before a colon or a backslash that belongs to it */
const passwordLine = /^((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):((?:\\.|[^:\\])*):(.*)$/

/** The password of the first line that fits; `*` fits anything. */
export function passwordIn(text: string, { host, port, database, user }: PasswordUse): string | undefined {
  const wanted = [host.startsWith('/') ? 'localhost' : host, String(port), database, user]
  const unescaped = (field: string): string => field.replace(/\\(.)/g, '$1')
  for (const line of text.split(/\r?\n/)) {
    const fields = line.startsWith('#') ? undefined : passwordLine.exec(line)?.slice(1)
    if (fields && wanted.every((value, i) => fields[i] === '*' || unescaped(fields[i]!) === value))
      return unescaped(fields[4]!)
  }
  return undefined
}
