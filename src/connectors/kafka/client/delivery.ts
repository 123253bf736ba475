// Messages to the partitions of their topics, each acknowledged by all in-sync replicas, none twice within a session.
import { setTimeout as pause } from 'node:timers/promises'
import { existingTopics } from '../topics.ts'
import type { Cluster, TopicInfos } from './cluster.ts'
import { isTransient, serviceFailure } from './failures.ts'
import { keyOf, type TopicPartition } from './partition.ts'
import { type PartitionResult, sendBatches } from './protocol.ts'
import { type BatchMessage, encodeRecordBatch, giveBackBatch, messageSpace, partitionOf } from './record-batch.ts'

/** A message and its topic. */
export type OutgoingMessage = BatchMessage & { readonly topic: string }

/** An idempotent producer as the brokers know it: they refuse what it sends twice, and what comes out of turn. */
export interface ProducerSession {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly transactionalId: string | null
  /** next sequence number by `keyOf` */
  readonly sequences: Map<string, number>
  /** the topics' ids: a recreated topic does not know what the session sent to the earlier one */
  readonly topicIds: Map<string, string>
}

/** Opens a session; with a transactional id it ends, one way or the other, what the session before left open. */
export async function openSession(
  cluster: Cluster,
  transactionalId: string | null,
  timeoutMs: number,
): Promise<ProducerSession> {
  const { producerId, producerEpoch } = await cluster.persist(
    'opening a producer',
    async () => {
      const target = transactionalId === null ? 'any' : await cluster.coordinator('transaction', transactionalId)
      return cluster.ask('produce', target, 'initProducerId', [transactionalId, timeoutMs, -1n, -1])
    },
    // the transaction before may still be ending
    transactionalId === null ? {} : { firstDelayMs: 5 },
  )
  return { producerId, producerEpoch, transactionalId, sequences: new Map(), topicIds: new Map() }
}

/** The session cannot go on. What was not acknowledged must be sent again, in a new one. */
export class SessionLostError extends Error {
  readonly unsent: readonly OutgoingMessage[]

  constructor(why: string, unsent: readonly OutgoingMessage[]) {
    super(why)
    this.unsent = unsent
  }
}

/** Takes a message that is larger than its topic allows: it was not written anywhere, and all others go on. */
export type TakeTooLarge = (message: OutgoingMessage) => void

/** brokers accept a megabyte per batch unless they are configured otherwise */
const batchBytes = 900_000
const batchMessages = 10_000

interface PartitionQueue extends TopicPartition {
  readonly batches: OutgoingMessage[][]
  /** room that the last batch takes so far */
  lastBytes: number
  encoded: Buffer | undefined
}

/** The session is over: its producer is not the one that the brokers expect, or its transaction has ended. */
export const sessionErrors: readonly string[] = [
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
  ...['INVALID_PRODUCER_ID_MAPPING', 'INVALID_TXN_STATE', 'TRANSACTION_ABORTABLE'],
]

/**
 * Sends messages and waits until every one is acknowledged. A partition's messages keep their order. Brokers that are
 * away, leaders that move and topics that are recreated are waited for, as long as the connection's patience lasts.
 *
 * @param options `onPartitions`: called with all partitions that will get messages, before they do; `onTooLarge`: without
 * it a message that is larger than its topic allows ends the delivery
 * @throws SessionLostError, ServiceError
 */
export async function deliver(
  cluster: Cluster,
  session: ProducerSession,
  messages: readonly OutgoingMessage[],
  options: {
    readonly onPartitions?: (partitions: readonly TopicPartition[]) => Promise<void>
    readonly onTooLarge?: TakeTooLarge | undefined
  },
): Promise<void> {
  const { library } = cluster
  const { sequences, topicIds, transactionalId } = session
  let queues: PartitionQueue[] = []
  const unsent = (): OutgoingMessage[] => queues.flatMap(({ batches }) => batches.flat())
  await fillQueues()
  await options.onPartitions?.(queues)
  // not p-retry: patience and pauses begin again with every batch that is acknowledged
  let progressed = performance.now()
  for (let delay = 20; queues.length > 0;) {
    const { acknowledged, thrown } = await sendRound()
    queues = queues.filter(({ batches }) => batches.length > 0)
    if (acknowledged > 0) {
      progressed = performance.now()
      delay = 20
    }
    if (thrown === undefined) continue
    if (!isTransient(thrown) || performance.now() - progressed > cluster.connection.patienceMs) {
      const names = [...new Set(queues.map(({ topic }) => topic))].join(', ')
      throw serviceFailure(`producing to ${names}`, cluster.connection, thrown)
    }
    await pause(delay)
    delay = Math.min(delay * 2, 1000)
    cluster.forget()
    refuseRecreated(await topicsOf(queues), unsent())
  }

  /** Every topic's messages by partition, in batches; missing topics are created where that is allowed. */
  async function fillQueues(): Promise<void> {
    const infos = await topicsOf(messages)
    refuseRecreated(infos, messages)
    const byName = new Map<string, PartitionQueue>()
    let turn = Math.floor(Math.random() * 1_000_000)
    for (const message of messages) {
      const { topic, key } = message
      const partition = partitionOf(key, infos.get(topic)!.partitions.length, turn++)
      const name = keyOf({ topic, partition })
      const queue = byName.get(name) ?? { topic, partition, batches: [], lastBytes: 0, encoded: undefined }
      byName.set(name, queue)
      const last = queue.batches.at(-1)
      const space = messageSpace(message)
      const isFitting = last && last.length < batchMessages && queue.lastBytes + space <= batchBytes
      if (isFitting) last.push(message)
      else queue.batches.push([message])
      queue.lastBytes = space + (isFitting ? queue.lastBytes : 0)
    }
    queues = [...byName.values()]
  }

  /** A topic that was there is first waited for: whoever deleted it may be about to recreate it in his own way. */
  function topicsOf(items: readonly { readonly topic: string }[]): Promise<TopicInfos> {
    const names = [...new Set(items.map(({ topic }) => topic))]
    return existingTopics(cluster, names, (name) => (topicIds.has(name) ? 10_000 : 0))
  }

  function refuseRecreated(infos: TopicInfos, left: readonly OutgoingMessage[]): void {
    for (const { name, id } of infos.values()) {
      const known = topicIds.get(name)
      if (known !== undefined && known !== id) throw new SessionLostError(`topic ${name} was recreated`, left)
      topicIds.set(name, id)
    }
  }

  /** One batch of every partition, one request per broker. */
  async function sendRound(): Promise<{ readonly acknowledged: number; readonly thrown: unknown }> {
    const topics = await topicsOf(queues)
    const groups = new Map<number, PartitionQueue[]>()
    for (const queue of queues) {
      const leader = topics.get(queue.topic)?.partitions[queue.partition]?.leader ?? -1
      groups.set(leader, [...(groups.get(leader) ?? []), queue])
    }
    let acknowledged = 0
    let failure: unknown
    await Promise.all(
      [...groups].map(async ([leader, group]) => {
        const batches = group.map((queue) => ({ ...queue, batch: encodedHead(queue) }))
        try {
          const results = await cluster.exchange('produce', leader, (connection, versions) =>
            sendBatches(cluster, versions, connection, batches, transactionalId),
          )
          for (const queue of group) {
            const result = results.find(
              ({ topic, partition }) => topic === queue.topic && partition === queue.partition,
            )
            const thrown = settle(queue, result)
            if (thrown === undefined) acknowledged++
            else failure ??= thrown
          }
        } catch (thrown) {
          if (thrown instanceof SessionLostError) throw thrown
          failure ??= thrown
        }
      }),
    )
    return { acknowledged, thrown: failure }
  }

  /** The same bytes when it is sent again: the broker knows them by their sequence numbers. */
  function encodedHead(queue: PartitionQueue): Buffer {
    queue.encoded ??= encodeRecordBatch(library, queue.batches[0]!, {
      producerId: session.producerId,
      producerEpoch: session.producerEpoch,
      firstSequence: sequences.get(keyOf(queue)) ?? 0,
      isTransactional: transactionalId !== null,
    })
    return queue.encoded
  }

  /** What a result means for the first batch of a queue: it is dealt with (undefined), or why not. */
  function settle(queue: PartitionQueue, result: PartitionResult | undefined): unknown {
    if (!result) return new Error(`the broker says nothing of partition ${queue.partition} of ${queue.topic}`)
    const error = library.protocolErrorsCodesById[result.errorCode] ?? 'UNKNOWN_SERVER_ERROR'
    const [head] = queue.batches as [OutgoingMessage[]]
    const replaceHead = (...others: OutgoingMessage[][]): void => {
      queue.batches.splice(0, 1, ...others)
      // what it was sent in has been answered: all of it has arrived
      if (queue.encoded) giveBackBatch(queue.encoded)
      queue.encoded = undefined
    }
    // a duplicate: our first attempt got there, and its answer did not
    if (error === 'NONE' || error === 'DUPLICATE_SEQUENCE_NUMBER') {
      sequences.set(keyOf(queue), ((sequences.get(keyOf(queue)) ?? 0) + head.length) % 2 ** 31)
      return replaceHead()
    }
    if (sessionErrors.includes(error)) throw new SessionLostError(error, unsent())
    if (error === 'MESSAGE_TOO_LARGE' || error === 'RECORD_LIST_TOO_LARGE') {
      const half = Math.ceil(head.length / 2)
      if (head.length > 1) return replaceHead(head.slice(0, half), head.slice(half))
      if (options.onTooLarge) {
        options.onTooLarge(head[0]!)
        return replaceHead()
      }
    }
    return new library.ProtocolError(result.errorCode, result.message)
  }
}
