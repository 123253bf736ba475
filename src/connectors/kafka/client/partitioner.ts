// Which partition a message goes to.
import { crc32 } from 'node:zlib'

/**
 * The partition of a key as librdkafka chooses it (its default, `consistent_random`), and so as the original did: an
 * object's messages stay on the partition they had, and in order. A message without a key goes to the next in turn.
 */
export function partitionOf(key: Uint8Array | null, partitions: number, turn: number): number {
  return key === null || key.length === 0 ? turn % partitions : crc32(key) % partitions
}
