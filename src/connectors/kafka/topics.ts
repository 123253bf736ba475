// Topics that are written to: found, waited for, or made.
import { ServiceError } from '../../errors.ts'
import type { Cluster, TopicInfo } from './client/cluster.ts'
import { hasProtocolError, isTransient, reasonOf } from './client/failures.ts'

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
