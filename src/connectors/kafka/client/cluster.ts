// A cluster as lcclf sees it: where the leaders are, and one way to ask a broker something.
import type { Connection, ConnectionPool } from '@platformatic/kafka'
import { ServiceError } from '../../../errors.ts'
import {
  type BrokerPlace,
  connectionOptions,
  createBrokerOrder,
  type KafkaConnection,
  shownBrokers,
} from './connection.ts'
import { answerIn, isTransient, NoAnswerError, protocolErrors, serviceFailure } from './failures.ts'
import { pause } from './bell.ts'
import {
  type Answer,
  type Arguments,
  type BrokerVersions,
  type KafkaLibrary,
  loadKafka,
  readVersions,
  type RequestName,
  send,
  UnknownRequestError,
} from './protocol.ts'

/**
 * Requests of one kind go over connections of their own, because a broker answers those of one connection in order: a
 * fetch that waits for messages, or a join that waits for other members, would hold up a commit.
 */
type Channel = 'control' | 'fetch' | 'group' | 'produce'

/** Whom to ask: a broker by its number, the controller, or any. */
type Target = number | 'controller' | 'any'

/** One topic as the cluster knows it. */
export interface TopicInfo {
  readonly name: string
  /** changes when a topic is deleted and made again */
  readonly id: string
  readonly partitions: readonly { readonly leader: number; readonly leaderEpoch: number }[]
}

/** A connected cluster. */
export interface Cluster {
  readonly library: KafkaLibrary
  readonly connection: KafkaConnection
  /** one request, once; throws what the library throws, or NoAnswerError */
  ask<Name extends RequestName>(
    channel: Channel,
    target: Target,
    name: Name,
    args: Arguments<Name>,
    timeoutMs?: number,
  ): Promise<Answer<Name>>
  /** the same for what is no plain request */
  exchange<T>(
    channel: Channel,
    target: Target,
    work: (connection: Connection, versions: BrokerVersions) => Promise<T>,
    timeoutMs?: number,
  ): Promise<T>
  /** topics by name, those that exist; `null` asks for all. Answers from memory for some seconds. */
  topics(
    names: readonly string[] | null,
    options?: { readonly create?: boolean; readonly fresh?: boolean },
  ): Promise<ReadonlyMap<string, TopicInfo>>
  /** the broker that coordinates a group or a transaction */
  coordinator(kind: 'group' | 'transaction', key: string): Promise<number>
  /** the cluster's own id */
  id(): Promise<string>
  /** for how long every request has failed to get an answer, in milliseconds; 0 if the last one got it */
  readonly unreachableMs: number
  /** forgets leaders and coordinators: the next request asks again */
  forget(): void
  /** Repeats an attempt while that can help, up to the connection's patience; then ServiceError. */
  persist<T>(what: string, attempt: () => Promise<T>, options?: PersistOptions): Promise<T>
  close(): Promise<void>
}

/** See Cluster.persist. */
interface PersistOptions {
  readonly patienceMs?: number
  /** before the second attempt; then twice as long each time */
  readonly firstDelayMs?: number
  readonly signal?: AbortSignal | undefined
  /** errors that are answers: thrown as they are */
  readonly isFinal?: (thrown: unknown) => boolean
}

const longestAnswerMs = 15_000
const shortestAnswerMs = 2_000
/** where others can be asked the same, one that is frozen is not waited for as long */
const longestAnswerOfAnyMs = 5_000
const topicsAgeMs = 5_000
const coordinatorKinds = { group: 0, transaction: 1 } as const

/** Loads the library and prepares connections; nothing is sent yet. */
export async function connectCluster(connection: KafkaConnection, clientId: string): Promise<Cluster> {
  const library = await loadKafka()
  const pools = new Map<Channel, ConnectionPool>()
  const brokers = new Map<number, BrokerPlace>()
  const seeds = connection.brokers.map((broker) => library.parseBroker(broker))
  const order = createBrokerOrder(() => [...seeds, ...brokers.values()])
  const described = new Map<string, { readonly info: TopicInfo; readonly at: number }>()
  const coordinators = new Map<string, number>()
  const options = connectionOptions(connection)
  const answerTimeoutMs = Math.min(longestAnswerMs, Math.max(shortestAnswerMs, connection.patienceMs))
  let versions: BrokerVersions | undefined
  let controller = -1
  let isClosed = false
  let failingSince: number | undefined

  function poolOf(channel: Channel): ConnectionPool {
    const existing = pools.get(channel)
    if (existing) return existing
    const pool = new library.ConnectionPool(clientId, options)
    // a connection that fails twice would otherwise end the process with an unhandled event
    pool.on('connecting', ({ connection: opened }) => opened.on('error', () => undefined))
    pools.set(channel, pool)
    return pool
  }

  async function connected(channel: Channel, target: Target): Promise<Connection> {
    if (isClosed) throw new ServiceError('the connection to Kafka is closed')
    if (target === 'any') return firstAvailable(channel)
    const broker = brokers.get(target === 'controller' ? controller : target)
    if (!broker) throw new Error(`broker ${target} is not known`)
    return poolOf(channel).get(broker)
  }

  async function firstAvailable(channel: Channel): Promise<Connection> {
    const opened = await poolOf(channel).getFirstAvailable(order.all())
    // those before it cannot be connected to, which may have taken seconds
    order.prefer(opened)
    return opened
  }

  function answerTimeoutOf(target: Target): number {
    const count = target === 'any' ? order.all().length : 1
    if (count === 1) return answerTimeoutMs
    return Math.max(shortestAnswerMs, Math.min(longestAnswerOfAnyMs, connection.patienceMs / count))
  }

  async function exchange<T>(
    channel: Channel,
    target: Target,
    work: (connection: Connection, versions: BrokerVersions) => Promise<T>,
    timeoutMs = answerTimeoutOf(target),
  ): Promise<T> {
    let opened: Connection | undefined
    try {
      opened = await connected(channel, target)
      versions ??= await answered(opened, readVersions(library, opened), Math.min(timeoutMs, answerTimeoutMs))
      const answer = await answered(opened, work(opened, versions), timeoutMs)
      failingSince = undefined
      return answer
    } catch (thrown) {
      // an error that a broker sends is an answer too
      const isAnswer = protocolErrors(thrown).length > 0
      failingSince = isAnswer ? undefined : (failingSince ?? performance.now())
      if (target === 'any' && opened && !isAnswer) order.moveOn(opened)
      throw thrown
    }
  }

  function ask<Name extends RequestName>(
    channel: Channel,
    target: Target,
    name: Name,
    args: Arguments<Name>,
    timeoutMs?: number,
  ): Promise<Answer<Name>> {
    return exchange(channel, target, (opened, known) => send(library, known, opened, name, args), timeoutMs)
  }

  async function topics(
    names: readonly string[] | null,
    { create = false, fresh = false } = {},
  ): Promise<ReadonlyMap<string, TopicInfo>> {
    const now = Date.now()
    if (!fresh && names !== null && names.every((name) => now - (described.get(name)?.at ?? -Infinity) < topicsAgeMs)) {
      return new Map(names.map((name) => [name, described.get(name)!.info]))
    }
    const answer = await metadata(names, create)
    for (const { nodeId, host, port } of answer.brokers) brokers.set(nodeId, { host, port })
    controller = answer.controllerId
    const found = new Map<string, TopicInfo>()
    for (const topic of answer.topics) {
      if (typeof topic.name !== 'string' || topic.errorCode !== 0 || topic.isInternal) continue
      const info = topicInfo(topic.name, topic)
      found.set(topic.name, info)
      described.set(topic.name, { info, at: now })
    }
    for (const name of names ?? []) if (!found.has(name)) described.delete(name)
    return found
  }

  /** The library throws when one topic has an error; the others are in what it throws. */
  async function metadata(names: readonly string[] | null, create: boolean): Promise<Answer<'metadata'>> {
    try {
      return await ask('control', 'any', 'metadata', [names === null ? null : [...names], create, false])
    } catch (thrown) {
      const answer = answerIn<Answer<'metadata'>>(thrown)
      const isAnswer = answer?.topics.every(({ errorCode }) => notThere.has(errorCode))
      if (answer && isAnswer === true) return answer
      throw thrown
    }
  }

  async function coordinator(kind: 'group' | 'transaction', key: string): Promise<number> {
    const name = `${kind} ${key}`
    const cached = coordinators.get(name)
    if (cached !== undefined) return cached
    const answer = await ask('control', 'any', 'findCoordinator', [coordinatorKinds[kind], [key]])
    const found = answer.coordinators.find((candidate) => candidate.key === key)
    if (!found) throw new Error('the broker names no coordinator')
    brokers.set(found.nodeId, { host: found.host, port: found.port })
    coordinators.set(name, found.nodeId)
    return found.nodeId
  }

  function forget(): void {
    described.clear()
    coordinators.clear()
  }

  async function persist<T>(
    what: string,
    attempt: () => Promise<T>,
    { patienceMs = connection.patienceMs, firstDelayMs = 50, signal, isFinal }: PersistOptions = {},
  ): Promise<T> {
    const started = performance.now()
    for (let delay = firstDelayMs; ; delay = Math.min(delay * 2, 1000)) {
      try {
        return await attempt()
      } catch (thrown) {
        if (isFinal?.(thrown) === true) throw thrown
        const elapsed = performance.now() - started
        const mayRepeat = !isClosed && signal?.aborted !== true && isTransient(thrown)
        if (!mayRepeat || thrown instanceof UnknownRequestError || elapsed + delay > patienceMs)
          throw explained(what, thrown)
        forget()
      }
      await pause(delay, signal)
    }
  }

  function explained(what: string, thrown: unknown): unknown {
    if (!(thrown instanceof UnknownRequestError)) return serviceFailure(what, shownBrokers(connection), thrown)
    return new ServiceError(`${what}: the broker at ${shownBrokers(connection)} is older than Kafka 3.1`, {
      cause: thrown,
    })
  }

  return {
    library,
    connection,
    ask,
    exchange,
    topics,
    coordinator,
    id: async () => (await metadata([], false)).clusterId ?? '',
    get unreachableMs() {
      return failingSince === undefined ? 0 : performance.now() - failingSince
    },
    forget,
    persist,
    async close() {
      isClosed = true
      await Promise.allSettled([...pools.values()].map((pool) => pool.close()))
    },
  }
}

// numbers of the protocol
const notThere: ReadonlySet<number> = new Set([
  ...[0, 3, 5], // no error, unknown topic, no leader
  38, // it cannot be made while too few brokers are there
])

function topicInfo(name: string, topic: Answer<'metadata'>['topics'][number]): TopicInfo {
  const partitions: { leader: number; leaderEpoch: number }[] = []
  for (const { partitionIndex, leaderId, leaderEpoch } of topic.partitions) {
    partitions[partitionIndex] = { leader: leaderId, leaderEpoch }
  }
  return { name, id: topic.topicId, partitions }
}

/** An answer in time, or none: then the connection is given up, and with it whatever else waits on it. */
async function answered<T>(connection: Connection, answer: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new NoAnswerError(`no answer within ${timeoutMs / 1000} s from ${connection.host}:${connection.port}`))
      connection.socket.destroy()
    }, timeoutMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
    // when the time is over the request ends too, and nobody listens any more
    answer.catch(() => undefined)
  }
}
