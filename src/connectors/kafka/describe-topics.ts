// Topics as an account sees them: there or not, led or not, and what it may do with them. Nothing is made or written.
import type { Cluster } from './client/cluster.ts'
import { answerIn } from './client/failures.ts'
import type { Answer } from './client/protocol.ts'

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
