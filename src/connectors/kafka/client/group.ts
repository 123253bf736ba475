// Membership in a consumer group: which partitions are ours, and the order in which they come and go.
import type { Cluster, TopicInfos } from './cluster.ts'
import { createBell } from './bell.ts'
import {
  assignCooperatively,
  assignRange,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Member,
  type PartitionCounts,
} from './assignment.ts'
import { answerIn, hasProtocolError, isTransient, isUnanswered, serviceFailure } from './failures.ts'
import { type Committer, lostMembership, refusedCommit } from './offsets.ts'
import { keyOf, type TopicPartition } from './partition.ts'
import type { Answer } from './protocol.ts'
import type { TopicSelection } from '../topics.ts'

/** What the owner of a membership does when partitions come and go. Called one at a time. */
export interface GroupEvents {
  /** They are ours from now on; called after every round, often with none. */
  onAssigned(partitions: readonly TopicPartition[]): Promise<void>
  /** Another member gets them as soon as this resolves: finish what is in hand from them, and commit it. */
  onRevoked(partitions: readonly TopicPartition[]): Promise<void>
  /** They already belong to another member: nothing from them may be committed. */
  onLost(partitions: readonly TopicPartition[]): void
  /** The membership cannot go on. */
  onFailure(thrown: unknown): void
}

export type GroupMembership = ReturnType<typeof joinGroup>

/** the first that all members know is chosen; clients of the original's library know the second */
const cooperative = 'cooperative-sticky'
const range = 'range'
/** how long the others wait for a member that finishes what it has in hand */
const rebalanceTimeoutMs = 60_000
const finishTimeoutMs = 45_000
/** how long members of another kind may keep us waiting: the original's library does so for five minutes */
const longestRebalanceMs = 300_000
/** of a member that says nothing: version 0, no topics, no user data */
const emptySubscription = Buffer.alloc(10)
const usualTopicsIntervalMs = 20_000

/**
 * Joins a group and stays in it, in the background. Partitions are taken over cooperatively: those that stay are read on
 * during a rebalance, those that go are finished first. In a group with members of another kind all are finished first.
 *
 * @param options `topicsIntervalMs`: how often new topics and partitions are looked for
 */
export function joinGroup(
  cluster: Cluster,
  options: {
    readonly groupId: string
    readonly selection: TopicSelection
    readonly sessionTimeoutMs: number
    readonly topicsIntervalMs?: number | undefined
    readonly events: GroupEvents
  },
) {
  const { groupId, selection, sessionTimeoutMs, events, topicsIntervalMs = usualTopicsIntervalMs } = options
  const heartbeatMs = Math.min(3000, sessionTimeoutMs / 5, topicsIntervalMs)
  const { library } = cluster
  const leaving = new AbortController()
  const wake = createBell()
  const owned = new Map<string, TopicPartition>()
  let memberId = ''
  let generation = -1
  let protocol = cooperative
  let subscribed: readonly string[] = []
  /** what the assignment was computed from, while we are the leader that computed it */
  let counted: PartitionCounts | undefined

  async function run(): Promise<void> {
    while (!leaving.signal.aborted) {
      const mustRejoin = await joinOnce()
      if (!mustRejoin) await stay()
    }
  }

  /** One round: join, learn what is ours, let go of what is not. True if another round must follow. */
  async function joinOnce(): Promise<boolean> {
    subscribed = await wantedTopics()
    if (protocol !== cooperative) await finish([...owned.values()])
    const joined = await joinPatiently()
    if (!joined) return true
    memberId = joined.memberId ?? memberId
    generation = joined.generationId
    protocol = joined.protocolName ?? cooperative
    const assigned = await sync(joined)
    if (!assigned || leaving.signal.aborted) return true
    const ours = new Set(assigned.map(keyOf))
    const added = assigned.filter((partition) => !owned.has(keyOf(partition)))
    const gone = [...owned.values()].filter((partition) => !ours.has(keyOf(partition)))
    for (const partition of added) owned.set(keyOf(partition), partition)
    await whileAlive(events.onAssigned(added))
    if (gone.length === 0) return false
    if (protocol === cooperative) await finish(gone)
    else lose(gone)
    return protocol === cooperative
  }

  async function wantedTopics(): Promise<readonly string[]> {
    if (!selection.hasPatterns) return selection.names
    const all = await cluster.persist('asking for the topics', () => cluster.topics(null), { signal: leaving.signal })
    return selection.among(all.keys())
  }

  /** The broker answers when all members have joined, or when the largest rebalance time-out among theirs is over. */
  async function joinPatiently(): Promise<Answer<'joinGroup'> | undefined> {
    const started = performance.now()
    for (;;) {
      try {
        return await join()
      } catch (thrown) {
        const isWaiting = isUnanswered(thrown) && cluster.unreachableMs < cluster.connection.patienceMs
        const mayRepeat = isWaiting && performance.now() - started < longestRebalanceMs && !leaving.signal.aborted
        if (!mayRepeat) throw thrown
        // perhaps it is not the coordinator any more
        cluster.forget()
      }
    }
  }

  function join(): Promise<Answer<'joinGroup'> | undefined> {
    return membershipRequest('joining', async (coordinator) => {
      const metadata = encodeSubscription(library, { topics: subscribed, owned: [...owned.values()], generation })
      const protocols = [cooperative, range].map((name) => ({ name, metadata }))
      const who = [groupId, sessionTimeoutMs, rebalanceTimeoutMs, memberId, null, 'consumer', protocols, null] as const
      try {
        return await cluster.ask('group', coordinator, 'joinGroup', [...who], rebalanceTimeoutMs + sessionTimeoutMs)
      } catch (thrown) {
        if (!hasProtocolError(thrown, 'MEMBER_ID_REQUIRED')) throw thrown
        // the first answer to a new member is the name to come back with
        memberId = answerIn<Answer<'joinGroup'>>(thrown)?.memberId ?? ''
        return undefined
      }
    })
  }

  async function sync(joined: Answer<'joinGroup'>): Promise<TopicPartition[] | undefined> {
    const isLeader = joined.leader === joined.memberId
    // what a former leader once counted would differ for ever from what there is
    if (!isLeader) counted = undefined
    const assignments = isLeader ? await share(joined) : []
    const synced = await membershipRequest('getting partitions', (coordinator) => {
      const who = [groupId, generation, memberId, null, 'consumer', protocol, assignments] as const
      return cluster.ask('group', coordinator, 'syncGroup', [...who], rebalanceTimeoutMs + sessionTimeoutMs)
    })
    return synced && decodeAssignment(library, synced.assignment)
  }

  async function share(joined: Answer<'joinGroup'>): Promise<{ memberId: string; assignment: Buffer }[]> {
    const asking: Member[] = joined.members.map((member) => ({
      memberId: member.memberId,
      ...decodeSubscription(library, member.metadata ?? emptySubscription),
    }))
    const names = [...new Set(asking.flatMap(({ topics }) => topics))]
    const asked = (): Promise<TopicInfos> => cluster.topics(names, { fresh: true })
    const topics = await cluster.persist('asking for the topics', asked, { signal: leaving.signal })
    counted = countsOf(topics)
    const shares = joined.protocolName === range ? assignRange(asking, counted) : assignCooperatively(asking, counted)
    return [...shares].map(([id, partitions]) => ({ memberId: id, assignment: encodeAssignment(library, partitions) }))
  }

  /** Heartbeats, until the group or its topics change. */
  async function stay(): Promise<void> {
    let checked = performance.now()
    while (!leaving.signal.aborted) {
      await wake.wait(heartbeatMs, leaving.signal)
      if (leaving.signal.aborted || (await heartbeat())) return
      if (performance.now() - checked < topicsIntervalMs) continue
      checked = performance.now()
      if (await haveTopicsChanged()) return
    }
  }

  /** True if we must rejoin. */
  async function heartbeat(): Promise<boolean> {
    const request = (coordinator: number): Promise<unknown> =>
      cluster.ask('group', coordinator, 'heartbeat', [groupId, generation, memberId, null])
    return (await membershipRequest('staying', request)) === undefined
  }

  /** A topic of our patterns is new, a topic that we want now exists, or one has more partitions. */
  async function haveTopicsChanged(): Promise<boolean> {
    try {
      const wanted = selection.hasPatterns ? await wantedTopics() : subscribed
      if (wanted.join() !== subscribed.join()) return true
      if (!counted) return false
      const topics = await cluster.topics([...new Set([...wanted, ...counted.keys()])], { fresh: true })
      const now = countsOf(topics)
      return now.size !== counted.size || [...now].some(([name, count]) => counted?.get(name) !== count)
    } catch (thrown) {
      if (!isTransient(thrown)) throw thrown
      return false
    }
  }

  /**
   * A request of a member, repeated while the coordinator is away. Undefined if we must rejoin the group; if we are not a
   * member any more, the partitions are lost.
   */
  async function membershipRequest<T>(what: string, request: (coordinator: number) => Promise<T>) {
    const isFinal = (thrown: unknown): boolean => hasProtocolError(thrown, ...refusedCommit)
    const attempt = async (): Promise<T> => request(await cluster.coordinator('group', groupId))
    try {
      return await cluster.persist(`${what} in group ${groupId}`, attempt, { isFinal, signal: leaving.signal })
    } catch (thrown) {
      if (!isFinal(thrown)) throw thrown
      if (hasProtocolError(thrown, 'UNKNOWN_MEMBER_ID', 'GROUP_ID_NOT_FOUND')) memberId = ''
      if (hasProtocolError(thrown, ...lostMembership)) lose([...owned.values()])
      return undefined
    }
  }

  /** Waits until what is in hand from these partitions is finished, for as long as the others wait. */
  async function finish(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    const isFinished = await whileAlive(events.onRevoked(partitions), finishTimeoutMs)
    if (!isFinished) return lose(partitions)
    for (const partition of partitions) owned.delete(keyOf(partition))
  }

  /** Tells the group that we are alive while something goes on; answers whether it finished in time. */
  async function whileAlive(work: Promise<void>, timeoutMs = Infinity): Promise<boolean> {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
      wake.ring()
    })
    done.catch(() => undefined)
    const deadline = performance.now() + timeoutMs
    while (!isDone && performance.now() < deadline && !leaving.signal.aborted) {
      await wake.wait(heartbeatMs, leaving.signal)
      // not a member any more: heartbeats mean nothing until we rejoin
      if (!isDone && generation >= 0 && memberId !== '') await heartbeat()
    }
    if (isDone) await done
    return isDone
  }

  function lose(partitions: readonly TopicPartition[]): void {
    const lost = partitions.filter((partition) => owned.delete(keyOf(partition)))
    if (lost.length > 0) events.onLost(lost)
  }

  const running = run().catch((thrown: unknown) => {
    if (!leaving.signal.aborted) events.onFailure(serviceFailure(`group ${groupId}`, cluster.connection, thrown))
  })
  return {
    /** who commits now; of no use once the partitions are lost */
    get committer(): Committer {
      return { groupId, generation, memberId }
    },
    owns: (partition: TopicPartition): boolean => owned.has(keyOf(partition)),
    /** Gives the partitions back and leaves, so that the others get them at once. Never throws. */
    async leave(): Promise<void> {
      if (leaving.signal.aborted) return running
      leaving.abort()
      try {
        const member = { memberId, groupInstanceId: null, reason: 'lcclf ends' }
        const coordinator = memberId === '' ? undefined : await cluster.coordinator('group', groupId)
        if (coordinator !== undefined)
          await cluster.ask('control', coordinator, 'leaveGroup', [groupId, [member]], 3000)
      } catch {
        // the coordinator notices by itself when the session is over
      }
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 1000).unref())])
    },
  }
}

function countsOf(topics: TopicInfos): PartitionCounts {
  return new Map([...topics].map(([name, { partitions }]) => [name, partitions.length]))
}
