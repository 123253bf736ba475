// A request that is repeated while what failed may pass.
import { setTimeout as delay } from 'node:timers/promises'
import { ServiceError } from '../errors.ts'
import { TransientError } from './transient-error.ts'

/** See patiently. */
export interface PatientOptions {
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
