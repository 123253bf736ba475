import { describe, expect, it } from 'vitest'
import { deliverColumns, deliverRows } from '../../src/connectors/deliver.ts'
import { type BatchAssembler, createBatchAssembler } from '../../src/pipeline/batch-assembler.ts'
import type { Delivery } from '../../src/pipeline/source.ts'
import { readOptions } from '../support/objects.ts'

const assembler = (): BatchAssembler => {
  return createBatchAssembler({
    ...readOptions({ features: ['a'], batchSize: 1e6 }),
    oidType: 'string',
    hasCandid: false,
  })
}

/** Reads until a timer says stop. */
async function readUntilTold(deliver: (signal: AbortSignal) => AsyncIterable<Delivery>): Promise<number> {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 50)
  let read = 0
  for await (const delivery of deliver(controller.signal)) read += delivery.read
  return read
}

describe('rows without an end that wait for nothing', () => {
  it('give way to a signal, where they come one by one', async () => {
    async function* groups(): AsyncGenerator<number[]> {
      for (;;) yield await Promise.resolve([1, 2, 3])
    }
    const rows = assembler()
    const add = (): void => {
      if (rows.admit('o')) rows.reject('o', { where: 'x', reason: 'of no use' })
    }
    expect(await readUntilTold((signal) => deliverRows(groups(), rows, add, signal))).toBeGreaterThan(0)
  })

  it('give way to a signal, where they come in columns', async () => {
    async function* chunks() {
      const columns = [new Float64Array(10)]
      const chunk = { rowCount: 10, oid: () => null, candid: () => null, where: () => 'x', columns }
      for (;;) yield await Promise.resolve(chunk)
    }
    expect(await readUntilTold((signal) => deliverColumns(chunks(), assembler(), signal))).toBeGreaterThan(0)
  })
})
