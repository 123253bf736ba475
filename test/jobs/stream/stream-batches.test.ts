import { describe, expect, it } from 'vitest'
import type { KafkaStream, Outcome } from '../../../src/connectors/kafka/kafka-source.ts'
import { streamBatches, type StreamWatch } from '../../../src/jobs/stream/stream-batches.ts'
import { memorySink, testClassifier } from '../../support/kafka-stream.ts'

/** A stream of batches of one row, whose acknowledgements come to what is said here. */
function streamOf(outcomes: readonly Outcome[]): KafkaStream {
  return {
    identity: { address: 't' },
    schema: { oidType: 'string', hasCandid: true },
    replayable: false,
    async *deliveries() {
      for (const [i, cameTo] of outcomes.entries()) {
        let outcome: Outcome | undefined
        const batch = { rowCount: 1, oids: [`o${i}`], candids: [1n], matrix: new Float32Array(2) }
        const ack = (): Promise<void> => Promise.resolve(void (outcome = cameTo))
        yield await Promise.resolve({ batch, read: 1, rejected: [], duplicates: 0, ack, outcome: () => outcome })
      }
    },
    status: () => ({ partitions: [], furtherRecords: 0, decodeMs: 0, unreachableMs: 0, takeNotices: () => [] }),
    close: () => Promise.resolve(),
  }
}

async function watched(outcomes: readonly Outcome[]): Promise<{ told: string[]; read: number; rows: number }> {
  const told: string[] = []
  const say = (what: string) => (report: { readonly classified: { readonly oids: readonly string[] } }) =>
    void told.push(`${what} ${report.classified.oids[0]}`)
  const watch: StreamWatch = {
    onWritten: say('written'),
    onCommitted: say('committed'),
    onNotCommitted: say('not committed'),
  }
  const ledger = await streamBatches({
    ...{ source: streamOf(outcomes), classifier: testClassifier(), sinks: [memorySink()], deadLetters: undefined },
    ...{ onBadMessage: 'skip', watches: [watch], signal: new AbortController().signal },
  })
  expect(ledger.isBalanced).toBe(true)
  return { told, read: ledger.totals.read, rows: ledger.outputs[0]!.rows }
}

describe('a stream', () => {
  it('counts nothing of a batch that was taken back, and does not call it committed', async () => {
    expect(await watched(['committed', 'taken back', 'committed'])).toEqual({
      told: ['written o0', 'committed o0', 'not committed o1', 'written o2', 'committed o2'],
      read: 2,
      rows: 2,
    })
  })

  it('counts what is written although another member will do it again', async () => {
    expect(await watched(['written'])).toEqual({ told: ['written o0', 'not committed o0'], read: 1, rows: 1 })
  })
})
