// Several batches under way at once, results in order.

type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

/**
 * Maps with calls of `map` under way or waiting to be handed out, as many as `width` says of the latest item; results come
 * in the order of the items, each as soon as it is there, whether or not the next item has arrived (a quiet stream must not
 * hold back the batch before). Items are taken in while the reader is busy with a result: writing one batch does not stop
 * the reading and classifying of the next. An error of the items or of the map ends it, after the results before it were
 * handed out. Leaving early ends the items too.
 */
export async function* orderedMap<Item, Result>(
  items: AsyncIterable<Item>,
  width: (item: Item) => number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const iterator = items[Symbol.asyncIterator]()
  const underWay: Promise<Settled<Result>>[] = []
  const hasNews = createTurnstile()
  const hasRoom = createTurnstile()
  let failure: { error: unknown } | undefined
  let hasEnded = false
  let isLeaving = false
  let most = 1

  async function takeIn(): Promise<void> {
    while (!hasEnded) {
      while (underWay.length >= most && !isLeaving) await hasRoom.passed()
      if (isLeaving) return
      const arrived = await settle(iterator.next())
      if (isLeaving) return
      if (!arrived.ok) failure = { error: arrived.error }
      hasEnded = !arrived.ok || arrived.value.done === true
      if (arrived.ok && arrived.value.done !== true) {
        most = width(arrived.value.value)
        underWay.push(settle(map(arrived.value.value)))
      }
      hasNews.pass()
    }
  }

  const taking = takeIn()
  try {
    for (;;) {
      const head = underWay[0]
      if (head === undefined && hasEnded) break
      if (head === undefined) {
        await hasNews.passed()
        continue
      }
      const result = await head
      void underWay.shift()
      hasRoom.pass()
      if (!result.ok) throw result.error
      yield result.value
    }
    if (failure) throw failure.error
  } finally {
    isLeaving = true
    hasRoom.pass()
    await taking
    await Promise.all(underWay)
    if (!hasEnded) await iterator.return?.()
  }
}

/** One side waits for the other: a pass that nobody waits for is remembered, once. */
function createTurnstile(): { pass(): void; passed(): Promise<void> } {
  let isPassed = false
  let go: (() => void) | undefined
  return {
    pass() {
      isPassed = go === undefined
      go?.()
      go = undefined
    },
    passed() {
      if (!isPassed) return new Promise((resolve) => (go = resolve))
      isPassed = false
      return Promise.resolve()
    },
  }
}

/** A promise that never rejects, so that none is left unhandled while another one is awaited. */
function settle<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value): Settled<T> => ({ ok: true, value }),
    (error: unknown): Settled<T> => ({ ok: false, error }),
  )
}
