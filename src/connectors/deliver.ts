// From rows or chunks as a format gives them to deliveries: one loop for all sources but Kafka.
import { setImmediate } from 'node:timers/promises'
import type { BatchAssembler, ColumnChunk } from '../pipeline/batch-assembler.ts'
import type { Delivery } from '../pipeline/source.ts'

type Deliveries = AsyncGenerator<Delivery, void, undefined>

/**
 * Delivers until the signal, which also ends a read that waits. What fails because of the signal is no failure.
 *
 * @param stop ends what is being read, even while it waits
 */
export async function* deliverUntil(signal: AbortSignal, stop: () => void, deliver: () => Deliveries): Deliveries {
  if (signal.aborted) return
  signal.addEventListener('abort', stop)
  try {
    yield* deliver()
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

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
): Deliveries {
  yield* withLast(assembler, async function* () {
    const giveWay = createGiveWay()
    for await (const rows of groups) {
      await giveWay()
      for (const row of rows) {
        if (assembler.isExhausted) return
        add(row)
        if (assembler.isFull) yield delivery(assembler)
        if (signal.aborted) return
      }
    }
  })
}

/** The same for formats that give columns. */
export async function* deliverColumns(
  chunks: AsyncIterable<ColumnChunk>,
  assembler: BatchAssembler,
  signal: AbortSignal,
): Deliveries {
  yield* withLast(assembler, async function* () {
    const giveWay = createGiveWay()
    for await (const chunk of chunks) {
      await giveWay()
      for (let row = 0; row < chunk.rowCount;) {
        row = assembler.acceptColumns(chunk, row)
        if (assembler.isFull) yield delivery(assembler)
        if (signal.aborted) return
      }
      if (assembler.isExhausted) return
    }
  })
}

/** Delivers what the assembler still holds at the end, a failure included. */
async function* withLast(assembler: BatchAssembler, deliver: () => Deliveries): Deliveries {
  let failure: { readonly error: unknown } | undefined
  try {
    yield* deliver()
  } catch (error) {
    failure = { error }
  }
  const last = delivery(assembler)
  if (last.read > 0) yield last
  if (failure) throw failure.error
}

const longestTurnMs = 20

/**
 * Rows that all are rejected, or that come from memory, wait for nothing: without a pause now and then no signal would be
 * heard.
 */
function createGiveWay(): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < longestTurnMs) return
    await setImmediate()
    since = performance.now()
  }
}

function delivery(assembler: BatchAssembler): Delivery {
  // neither a file nor a database keeps an account of what was read
  return { ...assembler.take(), duplicates: 0, ack: () => Promise.resolve() }
}
