// What a failure of Postgres means: to be tried again, or to be told, and then with what to do.
import { DataError, LcclfError, messageOf, ServiceError, systemCode } from '../../../errors.ts'
import { serverName, type ConnectionSettings } from '../settings.ts'

const lostConnection = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT', // the socket of a server that is being restarted
  'EAI_AGAIN',
  '08000',
  '08001',
  '08003',
  '08004',
  '08006',
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
 * The connection is gone, or could not be made: the same may work with the next one.
 *
 * @param wasThere the server has answered before: then a name that is not found now is one that is being restarted
 */
export function isConnectionLost(thrown: unknown, wasThere = false): boolean {
  const code = systemCode(thrown) ?? ''
  if (lostConnection.has(code) || (wasThere && code === 'ENOTFOUND')) return true
  // what PgBouncer says while its server is away; of a server itself it would be no FATAL but our fault
  if (code === '08P01') return (thrown as { severity?: unknown }).severity === 'FATAL'
  // pg gives these errors no code
  return lostConnectionTexts.some((text) => messageOf(thrown).startsWith(text))
}

/** Another transaction was in the way: serialization failure, deadlock, or a key that appeared meanwhile. */
export function isConflict(thrown: unknown): boolean {
  return ['40001', '40P01', '23505'].includes(systemCode(thrown) ?? '')
}

/** The key that a violated foreign key names, or undefined if this is something else. */
export function missingKeyOf(thrown: unknown): string | undefined {
  if (systemCode(thrown) !== '23503' || !(thrown instanceof Error) || !('detail' in thrown)) return undefined
  // the words are in the server's language, the parentheses are not
  return /\(oid\)=\((.*)\)/s.exec(String(thrown.detail))?.[1]
}

interface Meaning {
  readonly message: string
  readonly hint: string
}

const inProgress = 'nothing of it was left half done'
const inTheWay = 'other programs change the same rows at the same time: run it again, or when they are done'
const standbyHint = 'is this a standby? Write to the primary server'

const meanings: Readonly<Record<string, (text: string) => Meaning>> = {
  '28P01': (text) => ({
    message: text,
    hint: 'the password is taken from the address, DB_PASSWORD, PGPASSWORD or ~/.pgpass (readable by you alone: chmod 600), in this order',
  }),
  '28000': (text) => ({ message: text, hint: 'see pg_hba.conf of the server, and sslmode' }),
  '3D000': (text) => ({ message: text, hint: 'name a database that exists: postgres://host/DATABASE' }),
  '42501': (text) => ({
    message: text,
    hint: /schema|database/.test(text)
      ? 'lcclf db init needs CREATE there: GRANT CREATE ON SCHEMA … TO your role, or run it as the owner'
      : 'lcclf needs SELECT, INSERT, UPDATE and DELETE on probability, SELECT and INSERT on taxonomy and step; SELECT, INSERT and UPDATE on lcclf_history where it is',
  }),
  '42P01': (text) => ({ message: text, hint: 'lcclf db init makes the tables that are missing' }),
  '3F000': (text) => ({ message: text, hint: 'lcclf db check says what is there' }),
  '53100': (text) => ({ message: `the server's disk is full: ${text}`, hint: `free some space there; ${inProgress}` }),
  '53200': (text) => ({ message: `the server is out of memory: ${text}`, hint: 'a smaller --batch-size needs less' }),
  '57014': (text) => ({
    message: text,
    hint: 'raise it in the address (?statement_timeout=10min), or find what blocks the table; a smaller --batch-size helps too',
  }),
  '40001': (text) => ({
    message: text,
    hint: /recovery/.test(text)
      ? 'a standby gave way to its primary: read there, or raise max_standby_streaming_delay'
      : inTheWay,
  }),
  '40P01': (text) => ({ message: text, hint: inTheWay }),
  '55P03': (text) => ({ message: text, hint: inTheWay }),
  '25006': (text) => ({ message: text, hint: standbyHint }),
  '22021': (text) => ({ message: text, hint: 'the encoding of the database cannot hold it' }),
  '22P05': (text) => ({ message: text, hint: 'the encoding of the database cannot hold it' }),
}

const certificateProblem = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/

/** Makes an error for the person at the terminal of whatever a server or its connection threw; a bug of ours stays one. */
export function postgresFailure(thrown: unknown, settings: ConnectionSettings): unknown {
  if (thrown instanceof LcclfError || isBug(thrown)) return thrown
  const code = systemCode(thrown) ?? ''
  const text = firstLine(messageOf(thrown))
  const server = serverName(settings)
  const meaning = Object.hasOwn(meanings, code) ? meanings[code]!(text) : otherMeaning(code, text, thrown)
  return new ServiceError(`${server}: ${meaning.message}`, { hint: meaning.hint, cause: thrown })
}

function isBug(thrown: unknown): boolean {
  return !(thrown instanceof Error) || (thrown instanceof TypeError && systemCode(thrown) === undefined)
}

function otherMeaning(code: string, text: string, thrown: unknown): Meaning {
  if (code === 'ENOTFOUND') return { message: 'the host is unknown', hint: 'check its name' }
  // a standby does not even begin a transaction that may write
  if (code === '0A000' && /read-write mode/.test(text)) return { message: text, hint: standbyHint }
  if (certificateProblem.test(code)) {
    return {
      message: `the server's certificate is not accepted: ${text}`,
      hint: 'name the authority with sslrootcert=FILE, or see sslmode',
    }
  }
  if (code === '53300') return { message: text, hint: 'wait until other connections end, or raise max_connections' }
  if (isConnectionLost(thrown)) {
    return { message: `no connection (${code || text})`, hint: 'is the server running, and reachable from here?' }
  }
  if (/does not support SSL/.test(text)) return { message: text, hint: 'use sslmode=prefer or disable' }
  return { message: code === '' ? text : `${text} (${code})`, hint: 'lcclf db check looks at tables and privileges' }
}

/**
 * Classes of errors that lie in what the statement says: wrong data, too many rows of a subquery, an exception of a function,
 * syntax and names, what is not supported there.
 */
const statementClasses = ['22', '21', 'P0', '38', '39', '42', '0A']

/** What is wrong with a statement that the user wrote, or undefined if it is not the statement. */
export function statementFailure(thrown: unknown, what: string): DataError | undefined {
  const code = systemCode(thrown) ?? ''
  const text = `${what}: ${firstLine(messageOf(thrown))}`
  // 25001: it asked for the right to write
  if (code === '25006' || code === '25001') return new DataError(text, { hint: 'it runs read-only', cause: thrown })
  // 42501: a privilege, which is the server's matter
  if (code === '42501' || !statementClasses.some((start) => code.startsWith(start))) return undefined
  return new DataError(text, { cause: thrown })
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}
