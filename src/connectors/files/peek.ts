// The first rows of an input, read when it is opened and not lost.

/** See rowsAfterPeek. */
interface PeekedRows<Row> {
  /** the first rows */
  readonly peeked: readonly Row[]
  /** all rows, the peeked ones included; again and again only where the input is replayable */
  rows(): AsyncGenerator<Row[], void, undefined>
  /** Forgets what was begun. */
  drop(): Promise<void>
}

/**
 * Reads groups of rows until there are enough of them. What can be read again is closed again after that, so that
 * hundreds of opened inputs hold neither files nor rows; what cannot is kept and goes on where it stopped.
 */
export async function rowsAfterPeek<Row>(
  begin: () => AsyncGenerator<Row[], void, undefined>,
  { isEnough, replayable }: { isEnough: (rows: readonly Row[]) => boolean; replayable: boolean },
): Promise<PeekedRows<Row>> {
  const started = begin()
  const peeked: Row[] = []
  while (!isEnough(peeked)) {
    const next = await started.next()
    if (next.done === true) break
    for (const row of next.value) peeked.push(row)
  }
  if (replayable) {
    await started.return()
    return { peeked, rows: begin, drop: async () => undefined }
  }
  return {
    peeked,
    async *rows() {
      if (peeked.length > 0) yield peeked.splice(0)
      yield* started
    },
    async drop() {
      await started.return()
    },
  }
}

// Something that reads from the start: looked at when an input is opened, and begun anew, or gone on with, later.

/** See createRestartable. */
interface Restartable<T> {
  /** Begins, looks, and ends again if the input can be read again. */
  peek<R>(look: (started: T) => R | Promise<R>): Promise<R>
  /** What has been begun, or a new beginning. Whoever takes it disposes of it. */
  take(): Promise<T>
  /** Disposes of what was begun and not taken. */
  close(): Promise<void>
}

/**
 * What can be read again is ended after a look, so that hundreds of opened inputs hold neither files nor memory; what
 * cannot is kept, and goes on where it stopped.
 */
export function createRestartable<T>(
  begin: () => Promise<T>,
  { replayable, dispose }: { replayable: boolean; dispose: (started: T) => Promise<unknown> },
): Restartable<T> {
  let kept: T | undefined
  async function close(): Promise<void> {
    const started = kept
    kept = undefined
    if (started !== undefined) await dispose(started)
  }
  return {
    async peek(look) {
      kept = await begin()
      try {
        const seen = await look(kept)
        if (replayable) await close()
        return seen
      } catch (error) {
        await close()
        throw error
      }
    },
    async take() {
      const started = kept ?? (await begin())
      kept = undefined
      return started
    },
    close,
  }
}
