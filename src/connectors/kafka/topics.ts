// Topics that are written to: found, waited for, or made.
import { ServiceError, UsageError } from '../../errors.ts'
import type { Cluster, TopicInfo } from './client/cluster.ts'
import { answerIn, hasProtocolError, isTransient, reasonOf } from './client/failures.ts'
import type { Answer } from './client/protocol.ts'

/**
 * Topics that exist and have leaders. One that is missing is made: by the broker, if it makes what it is asked about, or
 * else by a request.
 *
 * @param graceMs how long a missing topic is waited for before it is made
 * @throws ServiceError if it may not be made
 */
export function existingTopics(
  cluster: Cluster,
  names: readonly string[],
  graceMs: (name: string) => number = () => 0,
): Promise<ReadonlyMap<string, TopicInfo>> {
  const started = performance.now()
  return cluster.persist(`looking for topic ${names.join(', ')}`, async () => {
    const found = await cluster.topics(names)
    const missing = names.filter((name) => !found.has(name))
    const due = missing.filter((name) => performance.now() - started >= graceMs(name))
    if (due.length > 0) await makeTopics(cluster, due)
    const leaderless = [...found.values()].filter(({ partitions }) => partitions.some(({ leader }) => leader < 0))
    const unready = [...missing, ...leaderless.map(({ name }) => name)]
    if (unready.length > 0) throw new Error(`topic ${unready.join(', ')} does not exist or has no leader`)
    return found
  })
}

async function makeTopics(cluster: Cluster, names: readonly string[]): Promise<void> {
  // the broker's own defaults decide how many partitions and replicas there are
  await cluster.topics(names, { create: true, fresh: true })
  const found = await cluster.topics(names, { fresh: true })
  const missing = names.filter((name) => !found.has(name))
  if (missing.length === 0) return
  const topics = missing.map((name) => ({
    name,
    numPartitions: -1,
    replicationFactor: -1,
    assignments: [],
    configs: [],
  }))
  try {
    await cluster.ask('control', 'controller', 'createTopics', [topics, 10_000, false])
  } catch (thrown) {
    if (hasProtocolError(thrown, 'TOPIC_ALREADY_EXISTS') || isTransient(thrown)) return
    // brokers that are just back do not count as replicas yet
    if (hasProtocolError(thrown, 'INVALID_REPLICATION_FACTOR')) {
      throw new Error(`topic ${missing.join(', ')} cannot be made yet: ${reasonOf(thrown)}`)
    }
    throw new ServiceError(`topic ${missing.join(', ')} does not exist and cannot be made`, {
      cause: thrown,
      hint: 'Make it, or allow it: auto.create.topics.enable of the brokers, or the right to create topics.',
    })
  }
}

// Names of topics: fixed, by day, or by pattern.

/** The topic to write to now. */
export type TopicName = (now: Date) => string

/**
 * A topic, or one for each day if its name has `%s`: exactly one at any time, from the change hour (UTC) on that of the
 * next day. The original wrote to several at once around the change (seed: `DailyTopicStrategy`).
 *
 * @throws UsageError for a date format with unknown codes
 */
export function dailyTopic(
  name: string,
  { dateFormat, changeHour }: { dateFormat: string; changeHour: number },
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
    if (!write)
      throw new UsageError(`date format ${format}: %${code} is not known`, {
        hint: 'Known are %Y %y %m %d %j %H %b %B.',
      })
    return write(day)
  })
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const dateCodes: Readonly<Record<string, (day: Date) => string>> = {
  '%': () => '%',
  Y: (day) => String(day.getUTCFullYear()),
  y: (day) => twoDigits(day.getUTCFullYear() % 100),
  m: (day) => twoDigits(day.getUTCMonth() + 1),
  d: (day) => twoDigits(day.getUTCDate()),
  H: (day) => twoDigits(day.getUTCHours()),
  j: (day) =>
    String(Math.floor((day.getTime() - Date.UTC(day.getUTCFullYear(), 0, 1)) / 86_400_000) + 1).padStart(3, '0'),
  b: (day) => months[day.getUTCMonth()]!.slice(0, 3),
  B: (day) => months[day.getUTCMonth()]!,
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

/** Which topics a consumer reads. */
export interface TopicSelection {
  /** as they were written */
  readonly shown: string
  /** topics that are read whether or not they exist yet */
  readonly names: readonly string[]
  /** whether new topics may be found among the cluster's */
  readonly hasPatterns: boolean
  /** of the cluster's topics, those that match */
  matches(topic: string): boolean
}

/**
 * Names and `^` patterns, as `CONSUMER_TOPICS` has them. A name with `%s` is read on every day it has.
 *
 * @throws UsageError for a pattern that is none
 */
export function selectTopics(words: readonly string[]): TopicSelection {
  const names = words.filter((word) => !isPattern(word))
  const patterns = words.filter(isPattern).map(patternOf)
  return {
    shown: words.join(','),
    names,
    hasPatterns: patterns.length > 0,
    // the brokers' own topics are no data
    matches: (topic) =>
      names.includes(topic) || (!topic.startsWith('__') && patterns.some((pattern) => pattern.test(topic))),
  }
}

function isPattern(word: string): boolean {
  return word.startsWith('^') || word.includes('%s')
}

function patternOf(word: string): RegExp {
  if (!word.startsWith('^'))
    return new RegExp(`^${word.split('%s').map(escaped).join('[A-Za-z0-9._-]*[0-9][A-Za-z0-9._-]*')}$`)
  try {
    return new RegExp(word)
  } catch (cause) {
    throw new UsageError(`topic pattern ${word}: is no regular expression`, { cause })
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

// Topics as an account sees them: there or not, led or not, and what it may do with them. Nothing is made or written.

/** One topic. */
export interface TopicDescription {
  readonly name: string
  /** `hidden`: the account may not even know */
  readonly state: 'there' | 'absent' | 'hidden'
  readonly partitions: number
  /** partitions without a leader: they can be neither read nor written now */
  readonly leaderless: number
  /** undefined where the broker does not tell */
  readonly mayRead: boolean | undefined
  readonly mayWrite: boolean | undefined
}

// numbers of the protocol: errors, and operations of access control as bits
const absentCode = 3
const forbiddenCode = 29
const readBit = 1 << 3
const writeBit = 1 << 4
/** what stands there when the broker did not look (the smallest int32) */
const untold = -0x8000_0000

/** Describes topics by name. Throws what the library throws. */
export async function describeTopics(cluster: Cluster, names: readonly string[]): Promise<TopicDescription[]> {
  const answer = await asked(cluster, names)
  return names.map((name) => {
    const found = answer.topics.find((topic) => topic.name === name)
    const { errorCode = absentCode, partitions = [], topicAuthorizedOperations: rights = untold } = found ?? {}
    const may = (bit: number): boolean | undefined => (rights === untold ? undefined : (rights & bit) !== 0)
    return {
      name,
      state: errorCode === forbiddenCode ? 'hidden' : errorCode === absentCode ? 'absent' : 'there',
      partitions: partitions.length,
      leaderless: partitions.filter(({ leaderId }) => leaderId < 0).length,
      mayRead: may(readBit),
      mayWrite: may(writeBit),
    }
  })
}

/** The library throws when one topic has an error; the others are in what it throws. */
async function asked(cluster: Cluster, names: readonly string[]): Promise<Answer<'metadata'>> {
  try {
    return await cluster.ask('control', 'any', 'metadata', [[...names], false, true])
  } catch (thrown) {
    const answer = answerIn<Answer<'metadata'>>(thrown)
    if (answer && answer.topics.length > 0) return answer
    throw thrown
  }
}
