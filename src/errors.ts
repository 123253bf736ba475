// What can go wrong, by who can mend it: the class decides the exit code (design: cli.md, "Streams and exit codes").

/** What a run may end with: the one table of exit codes, from which errors, signals and help take them. */
export const exitCodes = {
  done: { exitCode: 0, meaning: 'done, everything accounted for' },
  bug: { exitCode: 1, meaning: 'a bug in lcclf; DEBUG=lcclf shows where' },
  usage: { exitCode: 2, meaning: 'the command line: an unknown flag, a bad value, flags that contradict each other' },
  data: { exitCode: 3, meaning: 'the data: missing columns, an unreadable file, too many rejects' },
  model: { exitCode: 4, meaning: 'the model: not found, corrupt, golden answers not reproduced, pickle refused' },
  service: {
    exitCode: 5,
    meaning: 'a service or the disk: Kafka, Postgres or S3 unreachable or refusing, a full disk',
  },
  balance: { exitCode: 6, meaning: 'the receipt does not balance: rows were lost or counted twice' },
  SIGINT: { exitCode: 130, meaning: 'interrupted by SIGINT (Ctrl-C); nothing incomplete is published' },
  SIGTERM: { exitCode: 143, meaning: 'stopped by SIGTERM; nothing incomplete is published' },
} as const

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
  readonly exitCode = exitCodes.usage.exitCode
  readonly code = 'usage'
}

/** Fix the data: missing columns, an unreadable file, too many rejects. Exit 3. */
export class DataError extends LcclfError {
  readonly exitCode = exitCodes.data.exitCode
  readonly code = 'data'
}

/** Fix the model: not found, corrupt, golden answers not reproduced, pickle refused. Exit 4. */
export class ModelError extends LcclfError {
  readonly exitCode = exitCodes.model.exitCode
  readonly code = 'model'
}

/** Fix the service: Kafka, Postgres or S3 unreachable or refusing, a full disk. Exit 5. */
export class ServiceError extends LcclfError {
  readonly exitCode = exitCodes.service.exitCode
  readonly code = 'service'
}

/** The receipt does not add up: rows were lost or counted twice. Exit 6. */
export class BalanceError extends LcclfError {
  readonly exitCode = exitCodes.balance.exitCode
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

const writeFailures: Readonly<Record<string, readonly [(place: string, why: string) => string, string]>> = {
  ENOSPC: [
    (place) => `no space left on the device while writing ${place}`,
    'Free some space there, or write to another disk.',
  ],
  EDQUOT: [
    (place) => `the disk quota is used up while writing ${place}`,
    'Delete some of your files there, or write to another disk.',
  ],
  EFBIG: [
    (place) => `${place} grows beyond the largest file allowed here`,
    'Raise the limit (ulimit -f), write to another disk, or split the run with --shard.',
  ],
  EIO: [
    (place, why) => `the device failed while writing ${place}: ${why}`,
    'Check the disk and its free space, or write to another one.',
  ],
}

/** A failure while bytes are written or made safe: a full disk, a quota, a broken device. */
export function writeFailure(address: string, thrown: unknown): LcclfError {
  if (thrown instanceof LcclfError) return thrown
  const place = address === '-' ? 'standard output' : address
  const [message, hint] = writeFailures[systemCode(thrown) ?? ''] ?? [
    (place: string, why: string) => `cannot write ${place}: ${why}`,
    'Check the disk and its free space, or write somewhere else.',
  ]
  // what went to stdout is there, as far as it came
  const consequence = address === '-' ? '' : ' Nothing was published.'
  return new ServiceError(message(place, messageOf(thrown)), { hint: `${hint}${consequence}`, cause: thrown })
}
