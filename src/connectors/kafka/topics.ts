// Topics: those that are written to, those that are read, their names, and what an account may do with them.
import { ServiceError, UsageError } from '../../errors.ts'
import type { Cluster, TopicInfo, TopicInfos } from './client/cluster.ts'
import { hasProtocolError, isTransient, reasonOf, usableAnswer } from './client/failures.ts'
import type { TopicPartition } from './client/partition.ts'
import type { TopicName } from './client/connection-settings.ts'

/** All partitions of these topics. */
export function partitionsOf(topics: Iterable<TopicInfo>): TopicPartition[] {
  return [...topics].flatMap(({ name, partitions }) => partitions.map((_, partition) => ({ topic: name, partition })))
}

/**
 * Topics that exist and have leaders. A missing one is created: by the broker, if it creates what it is asked about, or
 * else by a request.
 *
 * @param graceMs how long a missing topic is waited for before it is created
 * @throws ServiceError if it may not be created
 */
export function existingTopics(
  cluster: Cluster,
  names: readonly string[],
  graceMs: (name: string) => number = () => 0,
): Promise<TopicInfos> {
  const started = performance.now()
  return cluster.persist(`looking for topic ${names.join(', ')}`, async () => {
    const found = await cluster.topics(names)
    const missing = names.filter((name) => !found.has(name))
    const due = missing.filter((name) => performance.now() - started >= graceMs(name))
    if (due.length > 0) await createTopics(cluster, due)
    const leaderless = [...found.values()].filter(({ partitions }) => partitions.some(({ leader }) => leader < 0))
    const unready = [...missing, ...leaderless.map(({ name }) => name)]
    if (unready.length > 0) throw new Error(`topic ${unready.join(', ')} does not exist or has no leader`)
    return found
  })
}

async function createTopics(cluster: Cluster, names: readonly string[]): Promise<void> {
  await cluster.topics(names, { create: true, fresh: true })
  const found = await cluster.topics(names, { fresh: true })
  const missing = names.filter((name) => !found.has(name))
  if (missing.length === 0) return
  // the broker's own defaults decide how many partitions and replicas there are
  const asked = { numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
  const topics = missing.map((name) => ({ name, ...asked }))
  try {
    await cluster.ask('control', 'controller', 'createTopics', [topics, 10_000, false])
  } catch (thrown) {
    if (hasProtocolError(thrown, 'TOPIC_ALREADY_EXISTS') || isTransient(thrown)) return
    // brokers that are just back do not count as replicas yet
    if (hasProtocolError(thrown, 'INVALID_REPLICATION_FACTOR')) {
      throw new Error(`topic ${missing.join(', ')} cannot be created yet: ${reasonOf(thrown)}`)
    }
    throw new ServiceError(`topic ${missing.join(', ')} does not exist and cannot be created`, {
      cause: thrown,
      hint: 'Create it, or allow it: auto.create.topics.enable of the brokers, or the right to create topics.',
    })
  }
}

/**
 * A topic, or one for each day if its name has `%s`: exactly one at any time, from the change hour (UTC) on that of the
 * next day. The original wrote to several at once around the change (seed: `DailyTopicStrategy`).
 *
 * @throws UsageError for a date format with unknown codes
 */
export function dailyTopic(
  name: string,
  { dateFormat, changeHour }: { readonly dateFormat: string; readonly changeHour: number },
): TopicName {
  if (!name.includes('%s')) return () => name
  formatDate(dateFormat, new Date(0))
  return (now) => {
    const day = new Date(now.getTime() + (now.getUTCHours() >= changeHour ? 24 * 3600 * 1000 : 0))
    return name.replaceAll('%s', formatDate(dateFormat, day))
  }
}

/** C's `strftime` for the codes that name days, in UTC. */
function formatDate(format: string, day: Date): string {
  return format.replace(/%(.?)/g, (_, code: string) => {
    const write = dateCodes[code]
    if (write) return write(day)
    throw new UsageError(`date format ${format}: unknown code %${code}`, { hint: 'Use %Y %y %m %d %j %H %b %B.' })
  })
}

const dateCodes: Readonly<Record<string, (day: Date) => string>> = {
  '%': () => '%',
  Y: (day) => day.toJSON().slice(0, 4),
  y: (day) => day.toJSON().slice(2, 4),
  m: (day) => day.toJSON().slice(5, 7),
  d: (day) => day.toJSON().slice(8, 10),
  H: (day) => day.toJSON().slice(11, 13),
  j: (day) => String(1 + Math.floor((day.getTime() - Date.UTC(day.getUTCFullYear())) / 86_400_000)).padStart(3, '0'),
  b: (day) => monthOf(day).slice(0, 3),
  B: monthOf,
}

function monthOf(day: Date): string {
  return day.toLocaleString('en', { month: 'long', timeZone: 'UTC' })
}

/** Which topics a consumer reads. */
export type TopicSelection = ReturnType<typeof selectTopics>

/**
 * Names and `^` patterns, as `CONSUMER_TOPICS` has them. A name with `%s` stands for all its days.
 *
 * @throws UsageError for an invalid pattern
 */
export function selectTopics(words: readonly string[]) {
  const names = words.filter((word) => !isPattern(word))
  const patterns = words.filter(isPattern).map(patternOf)
  /** whether one of the cluster's topics is read; the brokers' own topics are no data */
  const matches = (topic: string): boolean =>
    names.includes(topic) || (!topic.startsWith('__') && patterns.some((pattern) => pattern.test(topic)))
  return {
    /** as they were written */
    shown: words.join(','),
    /** topics that are read whether or not they exist yet */
    names,
    /** whether new topics may be found among the cluster's */
    hasPatterns: patterns.length > 0,
    matches,
    /** what is read where these topics exist, in order */
    among: (topics: Iterable<string>): string[] => [...new Set([...names, ...[...topics].filter(matches)])].sort(),
  }
}

function isPattern(word: string): boolean {
  return word.startsWith('^') || word.includes('%s')
}

function patternOf(word: string): RegExp {
  if (!word.startsWith('^')) {
    const parts = word.split('%s').map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${parts.join('[A-Za-z._-]*[0-9][A-Za-z0-9._-]*')}$`)
  }
  try {
    return new RegExp(word)
  } catch (cause) {
    throw new UsageError(`topic pattern ${word}: not a regular expression`, { cause })
  }
}

// numbers of the protocol: errors, and operations of access control as bits
const absentCode = 3
const forbiddenCode = 29
const readBit = 1 << 3
const writeBit = 1 << 4
/** what stands there when the broker did not look (the smallest int32) */
const untold = -0x8000_0000

/** A topic as an account sees it. */
export type TopicDescription = Awaited<ReturnType<typeof describeTopics>>[number]

/** Describes topics by name; creates and writes nothing. Throws what the library throws. */
export async function describeTopics(cluster: Cluster, names: readonly string[]) {
  const asked = cluster.ask('control', 'any', 'metadata', [[...names], false, true])
  const { answer } = await usableAnswer(asked, ({ topics }) => topics.length > 0)
  return names.map((name) => {
    const found = answer.topics.find((topic) => topic.name === name)
    const { errorCode = absentCode, partitions = [], topicAuthorizedOperations: rights = untold } = found ?? {}
    const may = (bit: number): boolean | undefined => (rights === untold ? undefined : (rights & bit) !== 0)
    return {
      name,
      /** `hidden`: the account may not even know */
      state: errorCode === forbiddenCode ? 'hidden' : errorCode === absentCode ? 'absent' : 'there',
      partitions: partitions.length,
      /** partitions without a leader: they can be neither read nor written now */
      leaderless: partitions.filter(({ leaderId }) => leaderId < 0).length,
      /** undefined where the broker does not say, like `mayWrite` */
      mayRead: may(readBit),
      mayWrite: may(writeBit),
    } as const
  })
}
