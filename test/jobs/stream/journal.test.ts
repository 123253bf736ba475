import { expect, it } from 'vitest'
import type { BatchReport } from '../../../src/pipeline/classify-input.ts'
import type { KafkaStream } from '../../../src/connectors/kafka/kafka-source.ts'
import { openJournal } from '../../../src/jobs/stream/journal.ts'
import type { Log } from '../../../src/terminal/log.ts'

/** A journal, and what it warns of. */
function openedJournal() {
  const warnings: string[] = []
  const nothing = (): void => undefined
  const log: Log = { debug: nothing, info: nothing, error: nothing, warn: (message) => warnings.push(message) }
  const source = { status: () => ({ partitions: [], furtherRecords: 0, takeNotices: () => [] }) }
  return { warnings, journal: openJournal(log, source as unknown as KafkaStream) }
}

it('the log of a stream says once what can be done about refused rows', () => {
  const { warnings, journal } = openedJournal()
  const refused = [{ oid: 'a', where: 'postgres://here', reason: 'no row in table object' }]
  for (let batch = 0; batch < 3; batch++) {
    const outcomes = [{ objects: 0, rows: 0, refused, superseded: 0, advice: 'INSERT INTO object …' }]
    journal.onWritten!({ delivery: { rejected: [] }, outcomes } as unknown as BatchReport)
  }
  journal.close()
  const refusal = 'postgres://here was not classified: no row in table object'
  expect(warnings).toEqual([refusal, 'INSERT INTO object …', refusal, refusal])
})

it('the log of a stream counts what was replaced although it may have been newer, over all batches since the last line', () => {
  const { warnings, journal } = openedJournal()
  for (const unguarded of [2, 3]) {
    const outcomes = [{ objects: 5, rows: 165, refused: [], superseded: 0, unguarded }]
    journal.onWritten!({ delivery: { rejected: [] }, outcomes } as unknown as BatchReport)
  }
  journal.close()
  expect(warnings).toEqual([expect.stringMatching(/^5 objects were stored without a row in lcclf_history/)])
})
