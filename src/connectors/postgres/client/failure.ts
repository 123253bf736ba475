// What a failure of Postgres means: whether to retry, and what to tell the user.
import { DataError, LcclfError, messageOf, ServiceError, systemCode } from '../../../errors.ts'
import { firstLine } from '../../../formats/shown-text.ts'
import { serverName, type ConnectionSettings } from '../settings.ts'

const lostConnection = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN'],
  'ENOENT', // the socket of a server that is restarting
  ...['08000', '08001', '08003', '08004', '08006'],
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '53300', // too_many_connections
])

const lostConnectionTexts = [
  'Connection terminated',
  'Client has encountered a connection error',
  'timeout expired',
  'server closed the connection',
  'Client was closed',
]

/**
 * The connection is gone, or could not be made: the next one may work.
 *
 * @param wasThere the server has answered before: then a name that is not found now belongs to one that is restarting
 */
export function isConnectionLost(thrown: unknown, wasThere = false): boolean {
  const code = systemCode(thrown) ?? ''
  if (lostConnection.has(code) || (wasThere && code === 'ENOTFOUND')) return true
  // PgBouncer says so while its server is away; from a server it would not be FATAL, and be our fault
  if (code === '08P01') return (thrown as { severity?: unknown }).severity === 'FATAL'
  // pg gives these errors no code
  return lostConnectionTexts.some((text) => messageOf(thrown).startsWith(text))
}

/**
 * Another transaction was in the way: serialization failure, deadlock, a key that appeared meanwhile, or an object that
 * disappeared after we had looked for it.
 */
export function isConflict(thrown: unknown): boolean {
  return ['40001', '40P01', '23505', '23503'].includes(systemCode(thrown) ?? '')
}

const encodingHint = 'The encoding of the database has no such character.'
const standbyHint = 'Is this a standby? Write to the primary server.'
const ownRights =
  'lcclf needs SELECT, INSERT, UPDATE and DELETE on probability; SELECT and INSERT on taxonomy and step; SELECT on object; and SELECT, INSERT and UPDATE on lcclf_history if it exists. Of the tables of 2025 it needs the same on probability, and SELECT on classifier, taxonomy and sid_lut.'
const inTheWay = 'Other programs are changing the same rows. Run it again, or when they have finished.'

/** What to do, by the server's code; told the first line of the server's message. */
const hints: Readonly<Record<string, string | ((text: string) => string)>> = {
  '28P01':
    'The password is taken from the address, DB_PASSWORD, PGPASSWORD or ~/.pgpass (readable by you alone: chmod 600), in this order.',
  '28000': "See the server's pg_hba.conf, and sslmode.",
  '3D000': 'Name a database that exists: postgres://host/DATABASE.',
  '42501': (text) =>
    /schema|database/.test(text)
      ? 'lcclf db init needs CREATE there: GRANT CREATE ON SCHEMA … TO your role, or run it as the owner.'
      : ownRights,
  '42P01': 'lcclf db init creates missing tables.',
  '3F000': 'lcclf db check shows what is there.',
  '53100': 'Free some space there; nothing was left half done.',
  '53200': 'A smaller --batch-size needs less.',
  '53300': 'Wait until other connections end, or raise max_connections.',
  '57014':
    'Raise it in the address (?statement_timeout=10min), or find what blocks the table. A smaller --batch-size helps too.',
  '40001': (text) =>
    /recovery/.test(text)
      ? 'A standby gave way to its primary: read there, or raise max_standby_streaming_delay.'
      : inTheWay,
  '40P01': inTheWay,
  '55P03': inTheWay,
  '25006': standbyHint,
  // of a check that a row fails, or of a table in partitions, none of which takes it
  '23514': 'lcclf db check names partitions that are missing, and how to create them.',
  '22021': encodingHint,
  '22P05': encodingHint,
}

/** Turns whatever a server or its connection threw into an error for the person at the terminal; our own bug stays one. */
export function postgresFailure(thrown: unknown, settings: ConnectionSettings): unknown {
  const code = systemCode(thrown) ?? ''
  const isBug = !(thrown instanceof Error) || (thrown instanceof TypeError && code === '')
  if (thrown instanceof LcclfError || isBug) return thrown
  const text = firstLine(messageOf(thrown))
  const { message = text, hint } = meaningOf(code, text, thrown)
  return new ServiceError(`${serverName(settings)}: ${message}`, { hint, cause: thrown })
}

function meaningOf(code: string, text: string, thrown: unknown): { message?: string; hint: string } {
  const known = hints[code]
  if (known !== undefined) {
    const hint = typeof known === 'string' ? known : known(text)
    if (code === '53100') return { message: `the server's disk is full: ${text}`, hint }
    return code === '53200' ? { message: `the server is out of memory: ${text}`, hint } : { hint }
  }
  if (code === 'ENOTFOUND') return { message: 'unknown host', hint: 'Check its name.' }
  // a standby does not even begin a transaction that may write
  if (code === '0A000' && /read-write mode/.test(text)) return { hint: standbyHint }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/.test(code)) {
    return {
      message: `the server's certificate is not accepted: ${text}`,
      hint: 'Name the authority with sslrootcert=FILE, or see sslmode.',
    }
  }
  if (isConnectionLost(thrown)) {
    return { message: `no connection (${code || text})`, hint: 'Is the server running, and reachable from here?' }
  }
  if (/does not support SSL/.test(text)) return { hint: 'Use sslmode=prefer or disable.' }
  return { message: code === '' ? text : `${text} (${code})`, hint: 'lcclf db check examines tables and privileges.' }
}

/** Classes of errors in what a statement says: data, cardinality, exceptions of functions, syntax and names, unsupported. */
const statementClasses = ['22', '21', 'P0', '38', '39', '42', '0A']

/** What is wrong with a statement that the user wrote, or undefined if the statement is not to blame. */
export function statementFailure(thrown: unknown, what: string): DataError | undefined {
  const code = systemCode(thrown) ?? ''
  const text = `${what}: ${firstLine(messageOf(thrown))}`
  // 25001: it asked for the right to write
  if (code === '25006' || code === '25001') return new DataError(text, { hint: 'It runs read-only.', cause: thrown })
  // 42501 is about privileges, not about the statement
  if (code === '42501' || !statementClasses.some((start) => code.startsWith(start))) return undefined
  return new DataError(text, { cause: thrown })
}
