// A failure that may not happen the next time.
import { setTimeout as delay } from 'node:timers/promises'
import { ServiceError, systemCode } from '../errors.ts'

/** Caught where downloads are repeated; nobody else sees it. */
export class TransientError extends Error {
  /** how long the server asks us to wait, in milliseconds */
  readonly retryAfterMs: number | undefined

  constructor(message: string, { cause, retryAfterMs }: { cause?: unknown; retryAfterMs?: number | undefined } = {}) {
    super(message, { cause })
    this.retryAfterMs = retryAfterMs
  }
}

/** What has arrived cannot be gone on from: what the server has now is another version, or it does ranges wrongly. */
export class StalePartError extends TransientError {}

/** What to say of a server that answers with other parts than were asked for. */
export const rangesHint = 'The server, or a proxy on the way, does not do ranges right.'

const passing = new Map([
  ['ECONNRESET', 'the connection was cut'],
  ['ECONNREFUSED', 'the connection was refused'],
  ['ECONNABORTED', 'the connection was cut'],
  ['EPIPE', 'the connection was cut'],
  ['ETIMEDOUT', 'the connection timed out'],
  ['ENETUNREACH', 'the network is unreachable'],
  ['EHOSTUNREACH', 'the host is unreachable'],
  ['ENETDOWN', 'the network is down'],
  ['EAI_AGAIN', 'the name server does not answer'],
  ['HPE_INVALID_CONSTANT', 'the answer is no HTTP'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'the connection was cut'],
])

/** What a system error of the network says in words, if it is one that may pass; undefined for all others. */
export function passingFailure(error: unknown): string | undefined {
  const code = systemCode(error)
  return code === undefined ? undefined : passing.get(code)
}

// A request that is repeated while what failed may pass.

/** See patiently. */
interface PatientOptions {
  readonly signal?: AbortSignal | undefined
  /** what the person may do when it was given up */
  readonly hint: string
  /** repetitions after the first attempt */
  readonly retries?: number
}

const firstWaitMs = 500
const longestWaitMs = 15_000

/**
 * Does the work again, with longer and longer waits, for as long as it throws TransientError: about 15 s in all.
 *
 * @throws ServiceError when it is given up; whatever else the work throws
 */
export async function patiently<T>(work: () => Promise<T>, { signal, hint, retries = 5 }: PatientOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof TransientError)) throw error
      if (attempt > retries) {
        throw new ServiceError(`${error.message}; gave up after ${attempt} attempts`, { cause: error, hint })
      }
      const wait = Math.min(firstWaitMs * 2 ** (attempt - 1), longestWaitMs)
      // not all who were cut off at once come back at once
      await delay(wait * (0.5 + Math.random() / 2), undefined, signal ? { signal } : {})
    }
  }
}
