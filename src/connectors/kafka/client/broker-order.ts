// Which broker is asked first where any may be: one that is frozen takes connections, and must not be asked again and again.

/** Where a broker listens. */
export interface BrokerPlace {
  readonly host: string
  readonly port: number
}

/** Where a connection goes, as the library says it. */
interface Connected {
  readonly host: string | undefined
  readonly port: number | undefined
}

/** See createBrokerOrder. */
export interface BrokerOrder {
  /** all brokers, each once, in the order in which they are to be asked */
  all(): BrokerPlace[]
  /** asks this one first from now on */
  prefer(broker: Connected): void
  /** asks the next one first, unless somebody has moved on from this one already */
  moveOn(broker: Connected): void
}

/** @param known all brokers; those that become known must come behind the others */
export function createBrokerOrder(known: () => Iterable<BrokerPlace>): BrokerOrder {
  let first = 0

  function distinct(): readonly BrokerPlace[] {
    return [...new Map([...known()].map((broker) => [`${broker.host}:${broker.port}`, broker])).values()]
  }

  function placeOf({ host, port }: Connected): number {
    return distinct().findIndex((broker) => broker.host === host && broker.port === port)
  }

  return {
    all() {
      const brokers = distinct()
      return [...brokers.slice(first), ...brokers.slice(0, first)]
    },
    prefer(broker) {
      first = Math.max(0, placeOf(broker))
    },
    moveOn(broker) {
      if (placeOf(broker) === first) first = (first + 1) % distinct().length
    },
  }
}
