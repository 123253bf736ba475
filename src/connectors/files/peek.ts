// The first rows of an input, read when it is opened and not lost.

/** See rowsAfterPeek. */
export interface PeekedRows<Row> {
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
