// A stream from topic to topic in a process of its own, to be killed.
// node kafka-worker.ts SERVER INPUT OUTPUT GROUP at-least-once|exactly-once
// Says "begun" when everything is open and SIGTERM ends it in order.
import { randomUUID } from 'node:crypto'
import { openTransactionalOutlet } from '../../src/connectors/kafka/client/outlet.ts'
import { openKafkaSink } from '../../src/connectors/kafka/kafka-sink.ts'
import { openKafkaSource } from '../../src/connectors/kafka/kafka-source.ts'
import { runStream, testClassifier, testOptions, testTaxonomy } from './kafka-stream.ts'

const [server, input, output, groupId, delivery] = process.argv.slice(2) as [string, string, string, string, string]
const connection = { brokers: [server], patienceMs: 40_000 }
const outlet =
  delivery === 'exactly-once'
    ? await openTransactionalOutlet(connection, `lcclf-${groupId}-${randomUUID()}`, [output], { timeoutMs: 4000 })
    : undefined
const source = await openKafkaSource(
  {
    kind: 'kafka',
    address: input,
    connection,
    topics: [input],
    registry: undefined,
    reading: { kind: 'group', groupId, batchWaitMs: 50, sessionTimeoutMs: 4000, isDraining: false },
  },
  testOptions({ batchSize: 40 }),
  outlet,
)
const sink = await openKafkaSink(
  {
    kind: 'kafka',
    address: output,
    connection,
    topic: output,
    daily: { dateFormat: '%Y%m%d', changeHour: 22 },
    outputSchema: 'original',
  },
  { schema: { oidType: 'string', hasCandid: true }, taxonomy: testTaxonomy, classifierVersion: 'test_1' },
  outlet,
)
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
process.stdout.write('begun\n')
try {
  await runStream(source, [sink], { classifier: testClassifier(5), signal: stopping.signal })
} finally {
  await source.close()
  await sink.close()
  await outlet?.close()
}
