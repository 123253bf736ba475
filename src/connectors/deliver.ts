// From rows or chunks as a format gives them to deliveries: one loop for all file formats.
import type { BatchAssembler, ColumnChunk } from '../pipeline/batch-assembler.ts'
import type { Delivery } from '../pipeline/source.ts'

/**
 * Delivers rows in batches until they end, the limit is reached or the signal comes. Where reading fails on the way, the
 * rows before are delivered first.
 *
 * @param groups rows as they are read, some at a time
 * @param add hands one row to the assembler; called only while it has room
 */
export async function* deliverRows<Row>(
  groups: AsyncIterable<Iterable<Row>>,
  assembler: BatchAssembler,
  add: (row: Row) => void,
  signal: AbortSignal,
): AsyncGenerator<Delivery, void, undefined> {
  const failure = yield* untilFailure(async function* () {
    for await (const rows of groups) {
      for (const row of rows) {
        if (assembler.isExhausted) return
        add(row)
        if (assembler.isFull) yield delivery(assembler)
        if (signal.aborted) return
      }
    }
  })
  yield* rest(assembler)
  if (failure) throw failure.error
}

/** The same for formats that give columns. */
export async function* deliverColumns(
  chunks: AsyncIterable<ColumnChunk>,
  assembler: BatchAssembler,
  signal: AbortSignal,
): AsyncGenerator<Delivery, void, undefined> {
  const failure = yield* untilFailure(async function* () {
    for await (const chunk of chunks) {
      for (let row = 0; row < chunk.rowCount;) {
        row = assembler.acceptColumns(chunk, row)
        if (assembler.isFull) yield delivery(assembler)
        if (signal.aborted) return
      }
      if (assembler.isExhausted) return
    }
  })
  yield* rest(assembler)
  if (failure) throw failure.error
}

/** Runs a generator and answers what it failed with. */
async function* untilFailure(
  deliver: () => AsyncGenerator<Delivery, void, undefined>,
): AsyncGenerator<Delivery, { error: unknown } | undefined, undefined> {
  try {
    yield* deliver()
    return undefined
  } catch (error) {
    return { error }
  }
}

function* rest(assembler: BatchAssembler): Generator<Delivery, void, undefined> {
  const last = delivery(assembler)
  if (last.read > 0) yield last
}

function delivery(assembler: BatchAssembler): Delivery {
  return { ...assembler.take(), duplicates: 0, ack: nothingToAcknowledge }
}

async function nothingToAcknowledge(): Promise<void> {
  // a file keeps no account of what was read
}
