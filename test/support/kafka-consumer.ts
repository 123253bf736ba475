// A consumer in a process of its own, to be killed: node kafka-consumer.ts SERVER TOPIC GROUP DELAY_MS
import { openKafkaSource } from '../../src/connectors/kafka/kafka-source.ts'
import { memorySink, runStream, testClassifier, testOptions } from './kafka-stream.ts'

const [server, topic, groupId, delay] = process.argv.slice(2) as [string, string, string, string]
const spec = {
  kind: 'kafka',
  address: topic,
  connection: { brokers: [server], patienceMs: 20_000 },
  topics: [topic],
  registry: undefined,
  reading: { kind: 'group', groupId, batchWaitMs: 100, sessionTimeoutMs: 6000, isDraining: false },
} as const
const source = await openKafkaSource(spec, testOptions({ batchSize: 50 }))
await runStream(source, [memorySink()], {
  classifier: testClassifier(Number(delay)),
  onBatch: ({ classified }) => void process.stdout.write(`batch of ${classified.rowCount}\n`),
})
