// A wait that can be cut short.

/** Waits, or until the signal comes. Never rejects. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    if (signal?.aborted === true) done()
    else signal?.addEventListener('abort', done, { once: true })
  })
}

// Wakes one waiter: rung before it waits, it does not wait.

/** See createBell. */
interface Bell {
  ring(): void
  /** Until the bell rings, the time is over or the signal comes. One waiter at a time. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>
}

/** A condition of one waiter. Leaves no timer and no listener behind. */
export function createBell(): Bell {
  let hasRung = false
  let wake: (() => void) | undefined
  return {
    ring() {
      hasRung = true
      wake?.()
    },
    wait(milliseconds, signal) {
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', done)
          wake = undefined
          hasRung = false
          resolve()
        }
        const timer = setTimeout(done, milliseconds)
        wake = done
        if (hasRung || signal?.aborted === true) done()
        else signal?.addEventListener('abort', done, { once: true })
      })
    },
  }
}
