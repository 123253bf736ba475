// Messages to the partitions of their topics, each acknowledged by all in-sync replicas, none twice within a session.
import type { Cluster, TopicInfo } from './cluster.ts'
import { existingTopics } from '../topics.ts'
import { shownBrokers } from './connection.ts'
import { isTransient, serviceFailure } from './failures.ts'
import { type BatchMessage, type Compression, encodeRecordBatch, messageSpace, partitionOf } from './record-batch.ts'
import { pause } from './bell.ts'
import { type PartitionResult, sendBatches } from './protocol.ts'

/** A message and its topic. */
export interface OutgoingMessage extends BatchMessage {
  readonly topic: string
}

/** An idempotent producer as the brokers know it: they refuse what it sends twice, and what comes out of turn. */
export interface ProducerSession {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly transactionalId: string | null
  /** next sequence number by `topic:partition` */
  readonly sequences: Map<string, number>
  /** the topics' ids: a topic that is made anew does not know what the session sent to the old one */
  readonly topicIds: Map<string, string>
}

/** The session cannot go on. What was not acknowledged must be sent again, in a new one. */
export class SessionLostError extends Error {
  readonly unsent: readonly OutgoingMessage[]

  constructor(why: string, unsent: readonly OutgoingMessage[]) {
    super(why)
    this.unsent = unsent
  }
}

/** What a delivery needs beside the messages. */
interface DeliveryOptions {
  readonly compression: Compression
  /** called with the partitions that get messages for the first time, before they do */
  readonly onPartitions?: (
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ) => Promise<void>
  /** takes messages that are larger than their topic allows; without it one of them ends the delivery */
  readonly onTooLarge?: TakeTooLarge | undefined
}

/** Takes a message that is larger than its topic allows: it is nowhere, and all others go on. */
export type TakeTooLarge = (message: OutgoingMessage) => void

/** brokers take a megabyte a batch unless they are told otherwise */
const batchBytes = 900_000
const batchMessages = 10_000

interface PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly batches: OutgoingMessage[][]
  encoded: Buffer | undefined
}

/**
 * Sends messages and waits until every one is acknowledged. A partition's messages keep their order. Brokers that are
 * away, leaders that move and topics that are made anew are waited for, as long as the connection's patience lasts.
 *
 * @throws SessionLostError, ServiceError
 */
export async function deliver(
  cluster: Cluster,
  session: ProducerSession,
  messages: readonly OutgoingMessage[],
  { compression, onPartitions, onTooLarge }: DeliveryOptions,
): Promise<void> {
  let queues = await queuesOf(cluster, session, messages)
  await onPartitions?.(queues.filter(({ batches }) => batches.length > 0))
  let progressed = performance.now()
  for (let delay = 20; queues.length > 0;) {
    const { acknowledged, thrown } = await sendRound(cluster, session, queues, { compression, onTooLarge })
    queues = queues.filter(({ batches }) => batches.length > 0)
    if (acknowledged > 0) {
      progressed = performance.now()
      delay = 20
    }
    if (thrown === undefined) continue
    if (!isTransient(thrown) || performance.now() - progressed > cluster.connection.patienceMs) {
      throw serviceFailure(`producing to ${namesOf(queues)}`, shownBrokers(cluster.connection), thrown)
    }
    await pause(delay)
    delay = Math.min(delay * 2, 1000)
    cluster.forget()
    await checkTopics(cluster, session, queues)
  }
}

/** Every topic's messages by partition, in batches; the topics are made where they do not exist and may be made. */
async function queuesOf(
  cluster: Cluster,
  session: ProducerSession,
  messages: readonly OutgoingMessage[],
): Promise<PartitionQueue[]> {
  const infos = await topicsOf(cluster, session, messages)
  refuseRemade(session, infos, messages)
  const queues = new Map<string, PartitionQueue>()
  let turn = Math.floor(Math.random() * 1_000_000)
  for (const message of messages) {
    const { topic, key } = message
    const partition = partitionOf(key, infos.get(topic)!.partitions.length, turn++)
    const name = `${topic}:${partition}`
    const queue = queues.get(name) ?? { topic, partition, batches: [], encoded: undefined }
    queues.set(name, queue)
    addTo(queue.batches, message)
  }
  return [...queues.values()]
}

function addTo(batches: OutgoingMessage[][], message: OutgoingMessage): void {
  const last = batches.at(-1)
  const isFull = !last || last.length >= batchMessages || spaceOf(last) + messageSpace(message) > batchBytes
  if (isFull) batches.push([message])
  else last.push(message)
}

const spaces = new WeakMap<readonly OutgoingMessage[], { length: number; bytes: number }>()

/** The room a growing batch takes, added up once for each message. */
function spaceOf(batch: readonly OutgoingMessage[]): number {
  const known = spaces.get(batch) ?? { length: 0, bytes: 0 }
  for (; known.length < batch.length; known.length++) known.bytes += messageSpace(batch[known.length]!)
  spaces.set(batch, known)
  return known.bytes
}

/** A topic that was there is first waited for: whoever deleted it may be about to make it anew, in his own way. */
function topicsOf(
  cluster: Cluster,
  { topicIds }: ProducerSession,
  items: readonly { readonly topic: string }[],
): Promise<ReadonlyMap<string, TopicInfo>> {
  return existingTopics(cluster, [...new Set(items.map(({ topic }) => topic))], (name) =>
    topicIds.has(name) ? 10_000 : 0,
  )
}

function refuseRemade(
  session: ProducerSession,
  infos: ReadonlyMap<string, TopicInfo>,
  unsent: readonly OutgoingMessage[],
): void {
  for (const { name, id } of infos.values()) {
    const known = session.topicIds.get(name)
    if (known !== undefined && known !== id) throw new SessionLostError(`topic ${name} was made anew`, unsent)
    session.topicIds.set(name, id)
  }
}

async function checkTopics(
  cluster: Cluster,
  session: ProducerSession,
  queues: readonly PartitionQueue[],
): Promise<void> {
  const unsent = queues.flatMap(({ batches }) => batches.flat())
  refuseRemade(session, await topicsOf(cluster, session, queues), unsent)
}

interface Round {
  readonly acknowledged: number
  readonly thrown: unknown
}

/** One batch of every partition, one request a broker. */
async function sendRound(
  cluster: Cluster,
  session: ProducerSession,
  queues: readonly PartitionQueue[],
  { compression, onTooLarge }: DeliveryOptions,
): Promise<Round> {
  const topics = await topicsOf(cluster, session, queues)
  const groups = new Map<number, PartitionQueue[]>()
  for (const queue of queues) {
    const leader = topics.get(queue.topic)?.partitions[queue.partition]?.leader ?? -1
    groups.set(leader, [...(groups.get(leader) ?? []), queue])
  }
  let acknowledged = 0
  let failure: unknown
  await Promise.all(
    [...groups].map(async ([leader, group]) => {
      const batches = group.map((queue) => ({ ...queue, batch: encodedHead(cluster, session, queue, compression) }))
      try {
        const request = { batches, transactionalId: session.transactionalId }
        const results = await cluster.exchange('produce', leader, (connection, versions) =>
          sendBatches(cluster.library, versions, connection, request),
        )
        for (const queue of group) {
          const result = results.find(({ topic, partition }) => topic === queue.topic && partition === queue.partition)
          const thrown = settle({ cluster, session, queue, queues, onTooLarge }, result)
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
function encodedHead(
  cluster: Cluster,
  session: ProducerSession,
  queue: PartitionQueue,
  compression: Compression,
): Buffer {
  queue.encoded ??= encodeRecordBatch(cluster.library, queue.batches[0]!, {
    producerId: session.producerId,
    producerEpoch: session.producerEpoch,
    firstSequence: session.sequences.get(`${queue.topic}:${queue.partition}`) ?? 0,
    isTransactional: session.transactionalId !== null,
    compression,
  })
  return queue.encoded
}

const sessionErrors = new Set([
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
  ...['INVALID_PRODUCER_ID_MAPPING', 'INVALID_TXN_STATE', 'TRANSACTION_ABORTABLE'],
])

interface SentHead {
  readonly cluster: Cluster
  readonly session: ProducerSession
  readonly queue: PartitionQueue
  readonly queues: readonly PartitionQueue[]
  readonly onTooLarge: TakeTooLarge | undefined
}

/** What a result means for the first batch of a queue: it is dealt with (undefined), or why not. */
function settle(
  { cluster: { library }, session: { sequences }, queue, queues, onTooLarge }: SentHead,
  result: PartitionResult | undefined,
): unknown {
  if (!result) return new Error(`the broker says nothing of partition ${queue.partition} of ${queue.topic}`)
  const error = library.protocolErrorsCodesById[result.errorCode] ?? 'UNKNOWN_SERVER_ERROR'
  // it has the batch already: our first attempt got there, and its answer did not
  if (error === 'NONE' || error === 'DUPLICATE_SEQUENCE_NUMBER') {
    const name = `${queue.topic}:${queue.partition}`
    const batch = queue.batches.shift()!
    sequences.set(name, ((sequences.get(name) ?? 0) + batch.length) % 2 ** 31)
    queue.encoded = undefined
    return undefined
  }
  if (sessionErrors.has(error))
    throw new SessionLostError(
      error,
      queues.flatMap(({ batches }) => batches.flat()),
    )
  if (error === 'MESSAGE_TOO_LARGE' || error === 'RECORD_LIST_TOO_LARGE') {
    const whole = queue.batches[0]!
    if (whole.length > 1) {
      const half = Math.ceil(whole.length / 2)
      queue.batches.splice(0, 1, whole.slice(0, half), whole.slice(half))
      queue.encoded = undefined
      return undefined
    }
    if (onTooLarge) {
      queue.batches.shift()
      queue.encoded = undefined
      onTooLarge(whole[0]!)
      return undefined
    }
  }
  return new library.ProtocolError(result.errorCode, result.message)
}

function namesOf(queues: readonly PartitionQueue[]): string {
  return [...new Set(queues.map(({ topic }) => topic))].join(', ')
}
