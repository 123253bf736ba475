// Deliveries that are not acknowledged yet, and who waits for them.
import type { Delivery } from '../../pipeline/source.ts'

/** See createOutstanding. */
interface Outstanding<Part> {
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

// A delivery that tells what came of its acknowledgement.

/**
 * What an acknowledgement has come to: `written`: the outputs have it, and whoever owns the partitions now reads it again;
 * `taken back`: nothing of it is visible, and it is read again.
 */
export type Outcome = 'committed' | 'written' | 'taken back'

/** A delivery that may be acknowledged in vain. */
export interface KafkaDelivery extends Delivery {
  /** undefined before the acknowledgement; without it every one counts as committed */
  readonly outcome?: () => Outcome | undefined
}

// Acknowledges deliveries, and what has no rows only behind those that have.

/** Up to where partitions were read. */
export type Places<Part> = ReadonlyMap<Part, bigint>

/** See createAcknowledgements. */
export interface Acknowledgements<Part> {
  /** A delivery goes out; answers what acknowledges it. */
  deliver(places: Places<Part>): () => Promise<void>
  /** Nothing of this is wanted. Acknowledged now, or with the last of the deliveries that are not acknowledged yet. */
  pass(places: Places<Part>): Promise<void>
}

/**
 * Keeps the order: whoever begins at a place that was acknowledged must find everything before it in the outputs, also
 * where that place lies behind messages that nobody wants.
 *
 * @param acknowledge called for places in their order; a delivery whose call fails stays unacknowledged
 */
export function createAcknowledgements<Part>(
  acknowledge: (places: Places<Part>) => Promise<void>,
): Acknowledgements<Part> {
  let unacknowledged = 0
  const passed = new Map<Part, bigint>()

  function takePassed(): [Part, bigint][] {
    const taken = [...passed]
    passed.clear()
    return taken
  }

  return {
    deliver(places) {
      const upTo = new Map([...takePassed(), ...places])
      unacknowledged++
      return async () => {
        await acknowledge(upTo)
        unacknowledged--
        if (unacknowledged === 0 && passed.size > 0) await acknowledge(new Map(takePassed()))
      }
    },
    async pass(places) {
      if (unacknowledged === 0) return acknowledge(places)
      for (const [part, offset] of places) passed.set(part, offset)
    },
  }
}
