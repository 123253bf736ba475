// Brokers: reached, the topics there, and how far a group is behind. Nothing is written, and no group is joined.
import type { KafkaAddress } from '../../connectors/kafka/address.ts'
import { type Cluster, connectCluster } from '../../connectors/kafka/client/cluster.ts'
import { dailyTopic, describeTopics, selectTopics, type TopicDescription } from '../../connectors/kafka/topics.ts'
import { committedOffsets, keyOf, listOffsets, type TopicPartition } from '../../connectors/kafka/client/offsets.ts'
import type { Check, Finding } from './check.ts'

/** What the topics are for: what is read must be there, what is written may be made. */
export type TopicUse = 'read' | 'write' | 'either'

/** See topicsCheck. */
interface TopicsCheckOptions {
  /** the line's name */
  readonly name: string
  readonly use: TopicUse
  readonly parse: () => KafkaAddress
  readonly about?: string | undefined
}

/** within the ten seconds of a check */
const patienceMs = 3000

/** Looks at the topics of an address, and at the group that it names. */
export function topicsCheck({ name, use, parse, about }: TopicsCheckOptions): Check {
  return {
    name,
    about,
    async look({ signal }) {
      const address = parse()
      const cluster = await connectCluster({ ...address.connection, patienceMs }, 'lcclf-doctor')
      const stop = (): void => void cluster.close()
      signal.addEventListener('abort', stop)
      try {
        const topics = await topicsOf(cluster, address, use)
        const found = [...topics.map((topic) => topicFinding(name, topic, use))]
        const present = topics.filter(({ state }) => state === 'there')
        if (address.group !== undefined && use !== 'write' && present.length > 0) {
          found.push(await groupFinding(name, cluster, address.group, present))
        }
        if (topics.length === 0) found.push(noTopicFinding(name, address))
        return joined({ name, status: 'ok', message: securityText(address) }, found)
      } finally {
        signal.removeEventListener('abort', stop)
        await cluster.close()
      }
    },
  }
}

/** One line where all is well, else one for the brokers and one for each thing that is not. */
function joined(reached: Finding, found: readonly Finding[]): Finding[] {
  const fine = found.filter(({ status }) => status === 'ok').map(({ message }) => message)
  return [
    { ...reached, message: [reached.message, ...fine].join('; ') },
    ...found.filter(({ status }) => status !== 'ok'),
  ]
}

function securityText({ shown, connection: { sasl, tls } }: KafkaAddress): string {
  const security = [...(tls ? ['TLS'] : []), ...(sasl ? [`${sasl.mechanism} as ${sasl.username}`] : [])]
  return security.length === 0 ? `${shown} answers` : `${shown} answers (${security.join(', ')})`
}

async function topicsOf(cluster: Cluster, address: KafkaAddress, use: TopicUse): Promise<TopicDescription[]> {
  const names = await namesOf(cluster, address, use)
  return cluster.persist('asking for the topics', () => describeTopics(cluster, names))
}

async function namesOf(cluster: Cluster, { topics, daily }: KafkaAddress, use: TopicUse): Promise<readonly string[]> {
  if (use === 'write') return topics.map((topic) => dailyTopic(topic, daily)(new Date()))
  const selection = selectTopics(topics)
  if (!selection.hasPatterns) return selection.names
  const all = await cluster.persist('asking for the topics', () => cluster.topics(null))
  return [...new Set([...selection.names, ...[...all.keys()].filter((topic) => selection.matches(topic))])].sort()
}

function topicFinding(name: string, topic: TopicDescription, use: TopicUse): Finding {
  const { name: topicName, state, partitions, leaderless, mayRead, mayWrite } = topic
  const failed = (message: string, hint: string): Finding => ({ name, status: 'failed', message, hint })
  const rightsHint = 'The account needs rights for the topics, and as a consumer for the group.'
  if (state === 'hidden') return failed(`topic ${topicName}: the account may not see it`, rightsHint)
  if (state === 'absent') {
    const message = `there is no topic ${topicName}`
    if (use !== 'write') return failed(message, 'Make it, or correct the name: names are compared exactly.')
    return { name, status: 'warning', message, hint: 'lcclf makes it, where the brokers let it; else make it before.' }
  }
  if (use === 'read' && mayRead === false) return failed(`topic ${topicName}: the account may not read it`, rightsHint)
  if (use === 'write' && mayWrite === false) {
    return failed(`topic ${topicName}: the account may not write to it`, rightsHint)
  }
  if (leaderless > 0) {
    const message = `topic ${topicName}: ${leaderless} of ${partitions} partitions have no leader`
    return failed(message, 'See the brokers: some of them are away.')
  }
  const rights = use === 'write' && mayWrite === true ? ', may be written' : ''
  return { name, status: 'ok', message: `topic ${topicName} with ${partitions} partitions${rights}` }
}

async function groupFinding(
  name: string,
  cluster: Cluster,
  group: string,
  topics: readonly TopicDescription[],
): Promise<Finding> {
  const partitions: TopicPartition[] = topics.flatMap((topic) =>
    Array.from({ length: topic.partitions }, (_, partition) => ({ topic: topic.name, partition })),
  )
  const [first, end, committed] = await Promise.all([
    listOffsets(cluster, partitions, 'earliest'),
    listOffsets(cluster, partitions, 'latest'),
    committedOffsets(cluster, group, partitions),
  ])
  const lag = partitions.reduce((sum, partition) => {
    const key = keyOf(partition)
    const [from, to] = [committed.get(key) ?? first.get(key) ?? 0n, end.get(key) ?? 0n]
    return to > from ? sum + (to - from) : sum
  }, 0n)
  const messages = `${lag} messages`
  const message =
    committed.size === 0
      ? `group ${group} has committed nothing: it would begin with the earliest of ${messages}`
      : `group ${group} is ${messages} behind`
  return { name, status: 'ok', message }
}

function noTopicFinding(name: string, { topics, shown }: KafkaAddress): Finding {
  const message = topics.length === 0 ? `${shown} names no topic` : `no topic matches ${topics.join(',')}`
  return { name, status: 'warning', message, hint: 'kafka://host:9092/topic, or CONSUMER_TOPICS and PRODUCER_TOPIC.' }
}
