// A member of a group that is played by hand: it joins, shares out and keeps still when the test says so.
import { connectCluster } from '../../src/connectors/kafka/client/cluster.ts'
import { answerIn, hasProtocolError } from '../../src/connectors/kafka/client/failures.ts'
import { encodeAssignment, encodeSubscription } from '../../src/connectors/kafka/client/assignment.ts'
import type { TopicPartition } from '../../src/connectors/kafka/client/partition.ts'
import type { Answer } from '../../src/connectors/kafka/client/protocol.ts'
import { connectionTo } from './kafka-client.ts'
import type { TestKafka } from './kafka.ts'

/** It sends no heartbeat: a test must be over within its session of two minutes. */
export interface HandMember {
  readonly memberId: string
  /** Resolves when all other members have joined too, or are gone. The leader's answer names all of them. */
  join(): Promise<Answer<'joinGroup'>>
  /** The leader says who gets what; whoever is not named gets nothing. Resolves when the leader has said so. */
  sync(shares?: ReadonlyMap<string, readonly TopicPartition[]>): Promise<void>
  close(): Promise<void>
}

const sessionMs = 120_000
const rebalanceMs = 60_000
const protocol = 'cooperative-sticky'

/** @see HandMember */
export async function openHandMember(
  kafka: Pick<TestKafka, 'server'>,
  groupId: string,
  topic: string,
): Promise<HandMember> {
  const cluster = await connectCluster(connectionTo(kafka, 60_000), 'lcclf-test')
  const { library } = cluster
  let memberId = ''
  let generation = -1

  async function join(): Promise<Answer<'joinGroup'>> {
    const metadata = encodeSubscription(library, { topics: [topic], owned: [], generation })
    const protocols = [{ name: protocol, metadata }]
    try {
      const coordinator = await cluster.coordinator('group', groupId)
      const who = [groupId, sessionMs, rebalanceMs, memberId, null, 'consumer', protocols, null] as const
      const joined = await cluster.ask('group', coordinator, 'joinGroup', [...who], rebalanceMs)
      generation = joined.generationId
      return joined
    } catch (thrown) {
      if (!hasProtocolError(thrown, 'MEMBER_ID_REQUIRED')) throw thrown
      memberId = answerIn<Answer<'joinGroup'>>(thrown)?.memberId ?? ''
      return join()
    }
  }

  return {
    get memberId() {
      return memberId
    },
    // a broker that was killed meanwhile is asked again when it is back
    join: () => cluster.persist('joining', join),
    async sync(shares = new Map()) {
      const assignments = [...shares].map(([id, partitions]) => ({
        memberId: id,
        assignment: encodeAssignment(library, partitions),
      }))
      const coordinator = await cluster.coordinator('group', groupId)
      const who = [groupId, generation, memberId, null, 'consumer', protocol, assignments] as const
      await cluster.ask('group', coordinator, 'syncGroup', [...who], rebalanceMs)
    },
    close: () => cluster.close(),
  }
}
