// A cluster as lcclf sees it: where the leaders are, and one way to ask a broker something.
import type { Connection, ConnectionPool } from '@platformatic/kafka'
import pRetry from 'p-retry'
import { ServiceError } from '../../../errors.ts'
import type { KafkaConnection } from './connection-settings.ts'
import { type BrokerPlace, connectionOptions, createBrokerOrder } from './connection.ts'
import { isTransient, NoAnswerError, protocolErrors, serviceFailure, usableAnswer } from './failures.ts'
import { loadKafka, readVersions, send, UnknownRequestError } from './protocol.ts'
import type { Answer, Arguments, BrokerVersions, RequestName } from './protocol.ts'

/**
 * Requests of one kind go over connections of their own, because a broker answers those of one connection in order: a
 * fetch that waits for messages, or a join that waits for other members, would hold up a commit.
 */
type Channel = 'control' | 'fetch' | 'group' | 'produce'

/** a broker by its number, the controller, or any */
type Target = number | 'controller' | 'any'

export interface TopicInfo {
  readonly name: string
  /** changes when a topic is deleted and recreated */
  readonly id: string
  readonly partitions: readonly { readonly leader: number }[]
}

export type Cluster = Awaited<ReturnType<typeof connectCluster>>

/** by name */
export type TopicInfos = ReadonlyMap<string, TopicInfo>

const longestAnswerMs = 15_000
const shortestAnswerMs = 2_000
/** where others can be asked the same, a frozen one is given less time */
const longestAnswerOfAnyMs = 5_000
const topicsAgeMs = 5_000
/** whoever has just started a command wants to know soon that nobody answers */
const openPatienceMs = 15_000

/** Loads the library and prepares connections; nothing is sent yet. */
export async function connectCluster(connection: KafkaConnection, clientId = 'lcclf') {
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
    if (target === 'any') {
      const opened = await poolOf(channel).getFirstAvailable(order.all())
      // those before it do not accept connections, and finding that out may have taken seconds
      order.prefer(opened)
      return opened
    }
    const broker = brokers.get(target === 'controller' ? controller : target)
    if (!broker) throw new Error(`broker ${target} is unknown`)
    return poolOf(channel).get(broker)
  }

  function answerTimeoutOf(target: Target): number {
    const count = target === 'any' ? order.all().length : 1
    if (count === 1) return answerTimeoutMs
    return Math.max(shortestAnswerMs, Math.min(longestAnswerOfAnyMs, connection.patienceMs / count))
  }

  /** Like `ask`, for more than a plain request. */
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

  /** One request, once; throws what the library throws, or NoAnswerError. */
  function ask<Name extends RequestName>(
    channel: Channel,
    target: Target,
    name: Name,
    args: Arguments<Name>,
    timeoutMs?: number,
  ): Promise<Answer<Name>> {
    return exchange(channel, target, (opened, known) => send(library, known, opened, name, args), timeoutMs)
  }

  /** Topics by name, those that exist; `null` asks for all. Answers from memory for some seconds. */
  async function topics(names: readonly string[] | null, { create = false, fresh = false } = {}): Promise<TopicInfos> {
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
      const partitions: { leader: number }[] = []
      for (const { partitionIndex, leaderId } of topic.partitions) partitions[partitionIndex] = { leader: leaderId }
      const info = { name: topic.name, id: topic.topicId, partitions }
      found.set(topic.name, info)
      described.set(topic.name, { info, at: now })
    }
    for (const name of names ?? []) if (!found.has(name)) described.delete(name)
    return found
  }

  async function metadata(names: readonly string[] | null, create: boolean): Promise<Answer<'metadata'>> {
    const asked = ask('control', 'any', 'metadata', [names && [...names], create, false])
    return (await usableAnswer(asked, ({ topics }) => topics.every(({ errorCode }) => notThere.has(errorCode)))).answer
  }

  /** The broker that coordinates a group or a transaction. */
  async function coordinator(kind: 'group' | 'transaction', key: string): Promise<number> {
    const name = `${kind} ${key}`
    const cached = coordinators.get(name)
    if (cached !== undefined) return cached
    const answer = await ask('control', 'any', 'findCoordinator', [kind === 'group' ? 0 : 1, [key]])
    const found = answer.coordinators.find((candidate) => candidate.key === key)
    if (!found) throw new Error('the broker names no coordinator')
    brokers.set(found.nodeId, { host: found.host, port: found.port })
    coordinators.set(name, found.nodeId)
    return found.nodeId
  }

  /** Forgets leaders and coordinators: the next request asks again. */
  function forget(): void {
    described.clear()
    coordinators.clear()
  }

  /**
   * Repeats an attempt while that can help, up to the connection's patience; then throws ServiceError.
   *
   * @param options `firstDelayMs`: the pause before the second attempt, doubled each time; `isFinal`: errors that are
   * answers, and are thrown as they are
   */
  async function persist<T>(
    what: string,
    attempt: () => Promise<T>,
    options: {
      readonly patienceMs?: number
      readonly firstDelayMs?: number
      readonly signal?: AbortSignal
      readonly isFinal?: (thrown: unknown) => boolean
    } = {},
  ): Promise<T> {
    const { patienceMs = connection.patienceMs, firstDelayMs = 50, signal, isFinal = () => false } = options
    try {
      return await pRetry(attempt, {
        retries: Infinity,
        minTimeout: firstDelayMs,
        maxTimeout: 1000,
        maxRetryTime: patienceMs,
        signal,
        shouldRetry({ error }) {
          if (isClosed || isFinal(error) || error instanceof UnknownRequestError || !isTransient(error)) return false
          forget()
          return true
        },
      })
    } catch (thrown) {
      if (isFinal(thrown)) throw thrown
      if (!(thrown instanceof UnknownRequestError)) throw serviceFailure(what, connection, thrown)
      const where = connection.brokers.join(',')
      throw new ServiceError(`${what}: the broker at ${where} is older than Kafka 3.1`, { cause: thrown })
    }
  }

  return {
    library,
    connection,
    /** what brokers call us in their logs and quotas */
    clientId,
    ask,
    exchange,
    topics,
    coordinator,
    /** the cluster's own id */
    id: async () => (await metadata([], false)).clusterId ?? '',
    /** how long no request has got an answer, in milliseconds; 0 if the last one got it */
    get unreachableMs() {
      return failingSince === undefined ? 0 : performance.now() - failingSince
    },
    forget,
    persist,
    /** Makes sure early that a broker answers: topics by name, asked now, with less patience than later. */
    firstTopics: (names: readonly string[] | null) =>
      persist('reaching the brokers', () => topics(names, { fresh: true }), {
        patienceMs: Math.min(connection.patienceMs, openPatienceMs),
      }),
    async close(): Promise<void> {
      isClosed = true
      await Promise.allSettled([...pools.values()].map((pool) => pool.close()))
    },
  }
}

// numbers of the protocol
const notThere: ReadonlySet<number> = new Set([
  ...[0, 3, 5], // no error, unknown topic, no leader
  38, // it cannot be created while too few brokers are there
])

/** An answer in time, or none: then the connection is given up, along with everything else that waits on it. */
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
    // once the time is up the request fails too, and nobody listens any more
    answer.catch(() => undefined)
  }
}
