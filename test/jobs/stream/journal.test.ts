import { expect, it } from 'vitest'
import type { BatchReport } from '../../../src/pipeline/classify-input.ts'
import type { KafkaStream } from '../../../src/connectors/kafka/kafka-source.ts'
import { openJournal } from '../../../src/jobs/stream/journal.ts'
import type { Log } from '../../../src/terminal/log.ts'

it('the log of a stream counts what was replaced although it may have been newer, over all batches since the last line', () => {
  const warnings: string[] = []
  const nothing = (): void => undefined
  const log: Log = { debug: nothing, info: nothing, error: nothing, warn: (message) => warnings.push(message) }
  const source = { status: () => ({ partitions: [], furtherRecords: 0, takeNotices: () => [] }) }
  const journal = openJournal(log, source as unknown as KafkaStream)
  for (const unguarded of [2, 3]) {
    const outcomes = [{ objects: 5, rows: 165, refused: [], superseded: 0, unguarded }]
    journal.onWritten!({ delivery: { rejected: [] }, outcomes } as unknown as BatchReport)
  }
  journal.close()
  expect(warnings).toEqual([expect.stringMatching(/^5 objects were stored without a row in lcclf_history/)])
})
