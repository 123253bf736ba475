// A failure that may pass, and work that is retried while it may.
import { setTimeout as delay } from 'node:timers/promises'
import pRetry from 'p-retry'
import { ServiceError, systemCode } from '../errors.ts'

/** Caught where work is retried; nobody else sees it. */
export class TransientError extends Error {
  /** how long the server asks us to wait, in milliseconds */
  readonly retryAfterMs: number | undefined

  constructor(message: string, { cause, retryAfterMs }: { cause?: unknown; retryAfterMs?: number | undefined } = {}) {
    super(message, { cause })
    this.retryAfterMs = retryAfterMs
  }
}

/** A partial download cannot be resumed: the server has another version by now, or handles ranges wrongly. */
export class StalePartError extends TransientError {}

/** The advice for a server that answers with other bytes than were asked for. */
export const rangesHint = 'The server, or a proxy on the way, does not handle ranges correctly.'

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
  ['HPE_INVALID_CONSTANT', 'the answer is not HTTP'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'the connection was cut'],
])

/** A network error in words, if it may pass; undefined for all others. */
export function passingFailure(error: unknown): string | undefined {
  const code = systemCode(error)
  return code === undefined ? undefined : passing.get(code)
}

/** A server that cuts every connection after a few bytes must not keep us forever. */
const maxAttempts = 200

/**
 * Retries work while it throws TransientError, with growing, jittered pauses: about 15 s in all, unless a server asks for
 * longer ones.
 *
 * @param options.hint what to do once the work was given up
 * @param options.retries failures in a row, without progress in between, that are tolerated
 * @param options.waitMs the first pause; each is twice the last, up to `maxWaitMs`
 * @param options.hasProgressed whether the attempt that failed got further than those before
 * @throws ServiceError when the work is given up; whatever else it throws
 */
export function patiently<T>(
  work: () => Promise<T>,
  options: {
    readonly signal?: AbortSignal | undefined
    readonly hint: string | ((error: TransientError) => string)
    readonly retries?: number
    readonly waitMs?: number
    readonly maxWaitMs?: number
    readonly hasProgressed?: () => Promise<boolean>
    readonly onRetry?: ((reason: string, waitMs: number) => void) | undefined
  },
): Promise<T> {
  const { signal, hint, retries = 5, waitMs = 500, maxWaitMs = 15_000, hasProgressed, onRetry } = options
  let failures = 0
  return pRetry(work, {
    retries: maxAttempts - 1,
    // pauses are made below: a server may ask for its own
    minTimeout: 0,
    async onFailedAttempt({ error, attemptNumber }) {
      signal?.throwIfAborted()
      if (!(error instanceof TransientError)) throw error
      failures = (await hasProgressed?.()) === true ? 1 : failures + 1
      if (failures > retries || attemptNumber >= maxAttempts) {
        throw new ServiceError(`${error.message}; gave up after ${attemptNumber} attempts`, {
          cause: error,
          hint: typeof hint === 'string' ? hint : hint(error),
        })
      }
      const backOff = Math.min(waitMs * 2 ** (failures - 1), maxWaitMs)
      // jitter: clients that were cut off together must not all come back at once
      const pause = error.retryAfterMs ?? backOff * (0.5 + Math.random() / 2)
      onRetry?.(error.message, pause)
      await delay(pause, undefined, signal ? { signal } : {})
    },
  })
}
