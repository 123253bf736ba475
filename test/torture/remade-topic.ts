// A topic that is deleted and recreated while streams write to it.
import { connectCluster } from '../../src/connectors/kafka/client/cluster.ts'
import { hasProtocolError } from '../../src/connectors/kafka/client/failures.ts'
import { connectionTo } from '../support/kafka-client.ts'
import type { TestKafka } from '../support/kafka.ts'
import { pause } from '../support/until.ts'

/** Until a deleted topic takes no messages any more: until then the broker takes some that go with the topic. */
export async function untilGone(kafka: Pick<TestKafka, 'server'>, topic: string): Promise<void> {
  const cluster = await connectCluster(connectionTo(kafka), 'lcclf-test')
  while ((await cluster.topics([topic], { fresh: true })).size > 0) await pause(50)
  await cluster.close()
  // it is out of the broker's metadata first, and its logs, which still take messages, are closed a moment later
  await pause(1000)
}

/** Makes it. A stream that has waited long enough makes its topic itself: then it is there, which is all that is wanted. */
export async function remakeTopic(
  kafka: Pick<TestKafka, 'createTopic'>,
  topic: string,
  partitions: number,
): Promise<void> {
  try {
    await kafka.createTopic(topic, partitions)
  } catch (error) {
    if (!hasProtocolError(error, 'TOPIC_ALREADY_EXISTS')) throw error
  }
}
