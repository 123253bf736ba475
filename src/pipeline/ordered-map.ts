// Several batches under way at once, results in order.

type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

/**
 * Maps with up to `width` calls of `map` under way; results come in the order of the items, each as soon as it is there,
 * whether or not the next item has arrived (a quiet stream must not hold back the batch before). An error of the items or
 * of the map ends it, after the results before it were handed out. Leaving early ends the items too.
 */
export async function* orderedMap<Item, Result>(
  items: AsyncIterable<Item>,
  width: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const iterator = items[Symbol.asyncIterator]()
  const underWay: Promise<Settled<Result>>[] = []
  let arriving: Promise<Settled<IteratorResult<Item>>> | undefined
  let failure: { error: unknown } | undefined
  let ended = false
  try {
    for (;;) {
      if (!ended && arriving === undefined && underWay.length < width) arriving = settle(iterator.next())
      const head = underWay[0]
      if (head === undefined && arriving === undefined) break
      const first = await firstOf(head, arriving)
      if (first.kind === 'result') {
        void underWay.shift()
        if (!first.settled.ok) throw first.settled.error
        yield first.settled.value
        continue
      }
      arriving = undefined
      if (!first.settled.ok) {
        failure = { error: first.settled.error }
        ended = true
      } else if (first.settled.value.done === true) {
        ended = true
      } else {
        underWay.push(settle(map(first.settled.value.value)))
      }
    }
    if (failure) throw failure.error
  } finally {
    await Promise.all(underWay)
    await arriving
    if (!ended) await iterator.return?.()
  }
}

async function firstOf<Result, Item>(
  head: Promise<Settled<Result>> | undefined,
  arriving: Promise<Settled<IteratorResult<Item>>> | undefined,
): Promise<{ kind: 'result'; settled: Settled<Result> } | { kind: 'item'; settled: Settled<IteratorResult<Item>> }> {
  const result = head?.then((settled) => ({ kind: 'result', settled }) as const)
  const item = arriving?.then((settled) => ({ kind: 'item', settled }) as const)
  // a finished result first, so that it goes out before more work is taken in
  return Promise.race([result, item].filter((promise) => promise !== undefined))
}

/** A promise that never rejects, so that none is left unhandled while another one is awaited. */
function settle<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value): Settled<T> => ({ ok: true, value }),
    (error: unknown): Settled<T> => ({ ok: false, error }),
  )
}
