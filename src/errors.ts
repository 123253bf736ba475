// What can go wrong, by who can mend it: the class decides the exit code (design: cli.md, "Streams and exit codes").

/** Options of every error: `hint` says what to do, `cause` keeps the original for `DEBUG=lcclf`. */
export interface ErrorDetails {
  hint?: string | undefined
  cause?: unknown
}

/** An error with an exit code and a sentence for the person at the terminal; anything else that is thrown is a bug. */
export abstract class LcclfError extends Error {
  abstract readonly exitCode: number
  abstract readonly code: string
  readonly hint: string | undefined

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : {})
    this.hint = details.hint
  }
}

/** Fix the command line: unknown flag, bad value, an impossible pair. Exit 2. */
export class UsageError extends LcclfError {
  readonly exitCode = 2
  readonly code = 'usage'
}

/** Fix the data: missing columns, an unreadable file, too many rejects. Exit 3. */
export class DataError extends LcclfError {
  readonly exitCode = 3
  readonly code = 'data'
}

/** Fix the model: not found, corrupt, golden answers not reproduced, pickle refused. Exit 4. */
export class ModelError extends LcclfError {
  readonly exitCode = 4
  readonly code = 'model'
}

/** Fix the service: Kafka, Postgres or S3 unreachable or refusing, a full disk. Exit 5. */
export class ServiceError extends LcclfError {
  readonly exitCode = 5
  readonly code = 'service'
}

/** The receipt does not add up: rows were lost or counted twice. Exit 6. */
export class BalanceError extends LcclfError {
  readonly exitCode = 6
  readonly code = 'balance'
}

/** The text of anything thrown, without a stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
}

/** Why a file cannot be read, in words. */
export function whyUnreadable(thrown: unknown): string {
  const code = systemCode(thrown)
  return code === undefined ? messageOf(thrown) : (reasons[code] ?? code)
}

/** The system's error code (`ENOENT`, `ENOSPC` …) of anything thrown, if it carries one. */
export function systemCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}
