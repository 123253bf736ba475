// A partition and a place in it, apart from whatever asks brokers: these are types of the library (`lcclf`), and the kafka
// library's own types do not suit every TypeScript.
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export type PartitionOffset = TopicPartition & { readonly offset: bigint }

/** A partition as a key of maps. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}
