// Deliveries that are not acknowledged yet, and who waits for them.

/** See createOutstanding. */
export interface Outstanding<Part> {
  readonly size: number
  /** A delivery has gone out; answers what to remove it by. */
  add(places: ReadonlyMap<Part, unknown>): object
  /** A delivery was acknowledged, or never will be. */
  remove(token: object): void
  /** Something else changed that may end a wait. */
  check(): void
  /** Resolves when no delivery has such a part, and `isElsewhere` says no. */
  untilNone(isAwaited: (part: Part) => boolean, isElsewhere: () => boolean): Promise<void>
}

/** See Outstanding. */
export function createOutstanding<Part>(): Outstanding<Part> {
  const deliveries = new Map<object, readonly Part[]>()
  const waiters = new Set<() => void>()
  const check = (): void => {
    for (const recheck of [...waiters]) recheck()
  }
  return {
    get size() {
      return deliveries.size
    },
    add(places) {
      const token = {}
      deliveries.set(token, [...places.keys()])
      return token
    },
    remove(token) {
      deliveries.delete(token)
      check()
    },
    check,
    untilNone(isAwaited, isElsewhere) {
      return new Promise((resolve) => {
        const recheck = (): void => {
          if (isElsewhere() || [...deliveries.values()].some((parts) => parts.some(isAwaited))) return
          waiters.delete(recheck)
          resolve()
        }
        waiters.add(recheck)
        recheck()
      })
    },
  }
}
