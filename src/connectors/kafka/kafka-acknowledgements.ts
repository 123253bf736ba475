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
