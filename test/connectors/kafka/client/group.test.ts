import { ProtocolError } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import type { Cluster } from '../../../../src/connectors/kafka/client/cluster.ts'
import { NoAnswerError } from '../../../../src/connectors/kafka/client/failures.ts'
import { type GroupMembership, joinGroup } from '../../../../src/connectors/kafka/client/group.ts'
import { encodeAssignment } from '../../../../src/connectors/kafka/client/assignment.ts'
import { selectTopics } from '../../../../src/connectors/kafka/topics.ts'
import { scriptedCluster, topicsOf } from '../../../support/scripted-cluster.ts'
import { pause, until } from '../../../support/until.ts'

const silent = { onRevoked: () => Promise.resolve(), onLost: () => undefined }

function join(cluster: Cluster, events: { onAssigned(): Promise<void>; onFailure(thrown: unknown): void }) {
  const selection = selectTopics(['t'])
  const timing = { sessionTimeoutMs: 6000, topicsIntervalMs: 20 }
  return joinGroup(cluster, { groupId: 'g', selection, ...timing, events: { ...silent, ...events } })
}

const joined = (leader: string, generationId: number): object => ({
  ...{ memberId: 'me', leader, generationId, protocolName: 'cooperative-sticky' },
  members: leader === 'me' ? [{ memberId: 'me', metadata: null }] : [],
})

describe('a member that was the leader', () => {
  it('does not join again and again when a topic has grown since', async () => {
    let joins = 0
    let beats = 0
    const cluster: Cluster = await scriptedCluster(
      {
        joinGroup: () => joined(++joins === 1 ? 'me' : 'other', joins),
        syncGroup: () => ({ assignment: encodeAssignment(cluster.library, []) }),
        heartbeat() {
          // after two of them another member comes, and is made the leader
          if (++beats === 2) throw new ProtocolError('REBALANCE_IN_PROGRESS')
          return {}
        },
        leaveGroup: () => ({}),
      },
      { topics: () => topicsOf({ t: joins < 2 ? 1 : 2 }) },
    )
    const membership = join(cluster, { onAssigned: () => Promise.resolve(), onFailure: () => undefined })
    await until(() => beats > 12)
    await membership.leave()
    expect(joins).toBe(2)
  })
})

describe('a join that is not answered', () => {
  const unanswered = async (unreachableMs: number): Promise<{ joins: number; failure: unknown; events: string[] }> => {
    let joins = 0
    let failure: unknown
    const events: string[] = []
    const cluster: Cluster = await scriptedCluster(
      {
        async joinGroup() {
          if (++joins > 2) return joined('other', 1)
          // longer than the patience: the other members are waited for
          await pause(40)
          throw new NoAnswerError('no answer within 75 s')
        },
        syncGroup: () => ({ assignment: encodeAssignment(cluster.library, [{ topic: 't', partition: 0 }]) }),
        heartbeat: () => ({}),
        leaveGroup: () => ({}),
      },
      { patienceMs: 20, unreachableMs, topics: () => topicsOf({ t: 1 }) },
    )
    const membership: GroupMembership = join(cluster, {
      onAssigned: () => Promise.resolve(void events.push('assigned')),
      onFailure(thrown) {
        failure = thrown
        events.push('failed')
      },
    })
    await until(() => events.length > 0)
    await membership.leave()
    return { joins, failure, events }
  }

  it('is repeated: members of another kind may take five minutes', async () => {
    expect(await unanswered(0)).toEqual({ joins: 3, failure: undefined, events: ['assigned'] })
  })

  it('is given up when no broker answers anything', async () => {
    const { joins, failure } = await unanswered(1000)
    expect(joins).toBe(1)
    expect(failure).toMatchObject({ exitCode: 5 })
  })
})
