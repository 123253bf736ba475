// Wakes one waiter: if it rang before anybody waited, the next wait ends at once.

/** A condition for one waiter. Leaves no timer and no listener behind. */
export function createBell() {
  let hasRung = false
  let wake: (() => void) | undefined
  return {
    ring(): void {
      hasRung = true
      wake?.()
    },
    /** Until the bell rings, the time is up or the signal comes. One waiter at a time; never rejects. */
    wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
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
