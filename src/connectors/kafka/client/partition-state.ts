// What a fetcher keeps of a partition.
import { DataError } from '../../../errors.ts'
import type { TopicPartition } from './offsets.ts'

/** A partition that is being fetched, from one assignment to the next. */
export interface PartitionState<Owner> extends TopicPartition {
  readonly owner: Owner
  position: bigint
  end: bigint | undefined
  /** bytes that wait in chunks */
  waiting: number
  isUnderWay: boolean
  topicId: string | undefined
  /** since when it cannot be fetched, in the clock of `performance.now` */
  failingSince: number | undefined
  /** since when answers have no record although the end is not reached, in the same clock */
  emptySince: number | undefined
  pausedUntil: number
}

/** A partition of which nothing is known yet but where to begin, and perhaps in which topic of that name. */
export function newPartitionState<Owner>(
  { topic, partition }: TopicPartition,
  { owner, position, topicId }: Pick<PartitionState<Owner>, 'owner' | 'position' | 'topicId'>,
): PartitionState<Owner> {
  return {
    owner,
    topic,
    partition,
    position,
    end: undefined,
    waiting: 0,
    isUnderWay: false,
    topicId,
    failingSince: undefined,
    emptySince: undefined,
    pausedUntil: 0,
  }
}

/** What to say to whoever needs what was there. */
export function goneFrom({ topic, partition, position }: PartitionState<unknown>): DataError {
  return new DataError(`${topic} partition ${partition}: the topic was made anew while it was read`, {
    hint: `What was there from offset ${position} on is gone. Run it again for what is there now.`,
  })
}
