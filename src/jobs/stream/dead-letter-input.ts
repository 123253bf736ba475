// Dead letters read back, from a topic or a file.
import { createReadStream } from 'node:fs'
import { DataError, messageOf, systemCode } from '../../errors.ts'
import { linesOf } from '../../formats/text-lines.ts'
import { connectCluster, type Cluster } from '../../connectors/kafka/client/cluster.ts'
import type { KafkaConnection } from '../../connectors/kafka/client/connection.ts'
import { readDeadLetter, type DeadLetter } from '../../connectors/kafka/dead-letters.ts'
import { createFetcher } from '../../connectors/kafka/client/fetcher.ts'
import {
  commitOffsets,
  committedOffsets,
  keyOf,
  listOffsets,
  type TopicPartition,
} from '../../connectors/kafka/client/offsets.ts'

/** Some letters, in order. */
export interface LetterGroup {
  readonly letters: readonly DeadLetter[]
  /** what is no dead letter, and why */
  readonly unreadable: readonly string[]
  /** remembers that these are done with, where that is asked for */
  readonly ack: () => Promise<void>
}

/** A topic of dead letters. */
interface LetterTopic {
  readonly connection: KafkaConnection
  readonly topics: readonly string[]
  /** a group that remembers how far the letters are done with; undefined: from the first on, and nothing is remembered */
  readonly rememberedBy: string | undefined
}

/** far beyond what any topic's message can be; what is longer is cut, and so is no letter */
const longestLine = 256 * 1024 * 1024

/**
 * The letters of a file, in groups.
 *
 * @throws DataError for a file that cannot be read
 */
export async function* lettersOfFile(path: string): AsyncGenerator<LetterGroup, void, undefined> {
  const input = createReadStream(path)
  try {
    for await (const { lines, firstNumber } of linesOf(input as AsyncIterable<Buffer>, longestLine)) {
      const texts = lines.map((text, i) => ({ text, where: `${path} line ${firstNumber + i}` }))
      yield groupOf(texts.filter(({ text }) => text.trim() !== ''))
    }
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause
    throw new DataError(`${path}: cannot be read (${systemCode(cause)})`, { cause })
  } finally {
    input.destroy()
  }
}

function groupOf(texts: readonly { text: string; where: string }[], ack = nothingToRemember): LetterGroup {
  const letters: DeadLetter[] = []
  const unreadable: string[] = []
  for (const { text, where } of texts) {
    try {
      letters.push(readDeadLetter(text, where))
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      unreadable.push(messageOf(error))
    }
  }
  return { letters, unreadable, ack }
}

async function nothingToRemember(): Promise<void> {
  // a file is always read from its beginning
}

/**
 * The letters that are in a topic now, in groups of one partition each.
 *
 * @throws DataError for a topic that does not exist, ServiceError
 */
export async function* lettersOfTopic(from: LetterTopic): AsyncGenerator<LetterGroup, void, undefined> {
  const cluster = await connectCluster(from.connection, 'lcclf')
  const fetcher = createFetcher<TopicPartition>(cluster, { needsSameTopic: true })
  try {
    const { open, ends } = await openPartitions(cluster, from)
    for (const { partition, start } of open.values()) fetcher.assign(partition, start, partition)
    while (open.size > 0) {
      const chunk = await fetcher.next(1000)
      if (!chunk) continue
      const { topic, partition, records, nextOffset } = chunk
      const end = ends.get(keyOf(chunk))!
      const ours = records.filter(({ offset }) => offset < end)
      const texts = ours.map(({ value, offset }) => ({
        text: value?.toString() ?? '',
        where: `${topic} partition ${partition} offset ${offset}`,
      }))
      const place = { topic, partition, offset: nextOffset < end ? nextOffset : end }
      yield groupOf(texts, () => remember(cluster, from.rememberedBy, place))
      if (nextOffset < end) continue
      open.delete(keyOf(chunk))
      fetcher.release(chunk)
    }
  } finally {
    fetcher.close()
    await cluster.close()
  }
}

interface OpenPartitions {
  /** partitions that have something to read, and where it begins */
  readonly open: Map<string, { readonly partition: TopicPartition; readonly start: bigint }>
  readonly ends: ReadonlyMap<string, bigint>
}

async function openPartitions(cluster: Cluster, { topics, rememberedBy }: LetterTopic): Promise<OpenPartitions> {
  const infos = await cluster.persist('reaching the brokers', () => cluster.topics(topics, { fresh: true }), {
    patienceMs: Math.min(cluster.connection.patienceMs, 15_000),
  })
  const missing = topics.filter((topic) => !infos.has(topic))
  if (missing.length > 0) throw new DataError(`there is no topic ${missing.join(', ')}`)
  const all = [...infos.values()].flatMap(({ name, partitions }) =>
    partitions.map((_, partition) => ({ topic: name, partition })),
  )
  const [starts, ends, known] = await Promise.all([
    listOffsets(cluster, all, 'earliest'),
    listOffsets(cluster, all, 'latest'),
    rememberedBy === undefined ? new Map<string, bigint>() : committedOffsets(cluster, rememberedBy, all),
  ])
  const open = all
    .map((partition) => {
      const first = starts.get(keyOf(partition)) ?? 0n
      const done = known.get(keyOf(partition)) ?? 0n
      return { partition, start: done > first ? done : first }
    })
    .filter(({ partition, start }) => start < (ends.get(keyOf(partition)) ?? 0n))
  return { open: new Map(open.map((one) => [keyOf(one.partition), one])), ends }
}

async function remember(
  cluster: Cluster,
  groupId: string | undefined,
  place: TopicPartition & { readonly offset: bigint },
): Promise<void> {
  if (groupId !== undefined) await commitOffsets(cluster, { groupId, generation: -1, memberId: '' }, [place])
}
