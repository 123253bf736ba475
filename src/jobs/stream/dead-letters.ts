// The stories of `lcclf deadletter show` and `lcclf deadletter requeue`.
import { createReadStream } from 'node:fs'
import { DataError, messageOf, systemCode, UsageError } from '../../errors.ts'
import { type KafkaAddress, kafkaAddressOf, outputTopic, parseKafkaAddress } from '../../connectors/kafka/address.ts'
import { type DeadLetter, deadLetterText, readDeadLetter, requeued } from '../../connectors/kafka/dead-letters.ts'
import type { OutgoingMessage } from '../../connectors/kafka/client/delivery.ts'
import { openOutlet } from '../../connectors/kafka/client/outlet.ts'
import { filePathOf } from '../../connectors/address.ts'
import { isKafkaAddress } from '../../connectors/kafka/spec.ts'
import { linesOf } from '../../formats/text-lines.ts'
import { type Cluster, connectCluster } from '../../connectors/kafka/client/cluster.ts'
import type { KafkaConnection } from '../../connectors/kafka/client/connection.ts'
import { createFetcher } from '../../connectors/kafka/client/fetcher.ts'
import {
  commitOffsets,
  committedOffsets,
  keyOf,
  listOffsets,
  type TopicPartition,
} from '../../connectors/kafka/client/offsets.ts'

/** Which letters are meant. */
interface LetterFilter {
  /** a part of the reason */
  readonly reason?: string | undefined
  readonly limit?: number | undefined
}

/** `lcclf deadletter requeue`, as it was typed. */
interface RequeueFlags extends LetterFilter {
  readonly to?: string | undefined
  /** also letters that were requeued before */
  readonly again: boolean
  readonly isDryRun: boolean
}

interface LetterCounts {
  letters: number
  unreadable: number
  reasons: Record<string, number>
}

/** Prints the letters: lines for people on a terminal, whole letters as NDJSON elsewhere, with `json` only their counts. */
export async function showDeadLetters(
  address: string,
  { json, ...filter }: LetterFilter & { json: boolean },
): Promise<number> {
  const counts: LetterCounts = { letters: 0, unreadable: 0, reasons: {} }
  const lineOf = process.stdout.isTTY ? shortLine : deadLetterText
  for await (const { letters } of chosen(lettersOf(address, undefined), filter, counts)) {
    if (!json && letters.length > 0) process.stdout.write(letters.map((letter) => `${lineOf(letter)}\n`).join(''))
  }
  const exitCode = counts.unreadable > 0 ? 3 : 0
  const report = { schemaVersion: 1, command: 'deadletter show', ...counts, exitCode }
  if (json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else sayCounts(counts)
  return exitCode
}

/** Sends letters back as the messages they were, and remembers of a topic which ones it sent. */
export async function requeueDeadLetters(address: string, flags: RequeueFlags): Promise<number> {
  const target = targetOf(address, flags.to)
  const topic = target.topics.length > 0 ? outputTopic(target)(new Date()) : undefined
  const counts: LetterCounts = { letters: 0, unreadable: 0, reasons: {} }
  let withoutValue = 0
  // who chooses among them may want the others later
  const isWhole = flags.reason === undefined && flags.limit === undefined
  const rememberedBy = flags.again || !isWhole || flags.isDryRun ? undefined : 'lcclf-deadletter-requeue'
  const groups = chosen(lettersOf(address, rememberedBy), flags, counts)
  let outlet: Awaited<ReturnType<typeof openOutlet>> | undefined
  try {
    for await (const { letters, ack } of groups) {
      const whole = letters.filter(({ omittedBytes }) => omittedBytes === undefined)
      withoutValue += letters.length - whole.length
      const messages = whole.map((letter): OutgoingMessage => ({ ...requeued(letter), ...(topic ? { topic } : {}) }))
      if (flags.isDryRun || messages.length === 0) continue
      outlet ??= await openOutlet(target.connection, messages[0]!.topic)
      await outlet.send(messages)
      await ack()
    }
  } finally {
    await outlet?.close()
  }
  counts.letters -= withoutValue
  sayCounts(counts, flags.isDryRun ? 'would be sent again' : 'sent again')
  if (withoutValue > 0) say(`${withoutValue} were too long for a letter: their messages are where they were`)
  return counts.unreadable + withoutValue > 0 ? 3 : 0
}

function lettersOf(address: string, rememberedBy: string | undefined): AsyncIterable<LetterGroup> {
  if (!isKafkaAddress(address)) return lettersOfFile(filePathOf(address, 'input'))
  const { connection, topics, shown } = parseKafkaAddress(address, 'producer', environmentWithoutTopics())
  if (topics.length === 0) throw new UsageError(`${shown}: names no topic`, { hint: 'kafka://host:9092/topic' })
  return lettersOfTopic({ connection, topics, rememberedBy })
}

async function* chosen(
  groups: AsyncIterable<LetterGroup>,
  { reason, limit = Infinity }: LetterFilter,
  counts: LetterCounts,
): AsyncGenerator<LetterGroup, void, undefined> {
  for await (const { letters, unreadable, ack } of groups) {
    for (const why of unreadable) say(why)
    counts.unreadable += unreadable.length
    const wanted = letters.filter((letter) => reason === undefined || letter.reason.includes(reason))
    const some = wanted.slice(0, Math.max(0, limit - counts.letters))
    counts.letters += some.length
    for (const letter of some) counts.reasons[letter.reason] = (counts.reasons[letter.reason] ?? 0) + 1
    yield { letters: some, unreadable, ack }
    if (counts.letters >= limit) return
  }
}

/** Where requeued messages go: what was typed, else the cluster of the letters, else that of the stream's input. */
function targetOf(address: string, to: string | undefined): KafkaAddress {
  const environment = environmentWithoutTopics()
  if (to !== undefined && !isKafkaAddress(to)) throw new UsageError(`--to ${to}: messages go back to Kafka`)
  const target =
    to !== undefined
      ? parseKafkaAddress(to, 'producer', environment)
      : isKafkaAddress(address)
        ? { ...parseKafkaAddress(address, 'producer', environment), topics: [] }
        : kafkaAddressOf('consumer', environment)
  if (target) return to === undefined ? { ...target, topics: [] } : target
  throw new UsageError('letters of a file can go anywhere', { hint: 'Say where: --to kafka://host:9092' })
}

/** The environment names the topics of the stream, and those are not what is meant here. */
function environmentWithoutTopics(): Readonly<Record<string, string | undefined>> {
  return { ...process.env, PRODUCER_TOPIC: undefined, PRODUCER_TOPIC_FORMAT: undefined, CONSUMER_TOPICS: undefined }
}

function shortLine({ reason, topic, partition, offset, key, timestamp }: DeadLetter): string {
  const time = new Date(Number(timestamp)).toISOString().slice(0, 19)
  const name = key === null ? '-' : Buffer.from(key).toString('utf8')
  return `${time}  ${topic} partition ${partition} offset ${offset}  ${JSON.stringify(name)}  ${reason}`
}

function sayCounts({ letters, unreadable, reasons }: LetterCounts, what = 'in all'): void {
  say(`${letters} dead letters ${what}`)
  for (const [reason, count] of Object.entries(reasons).sort(([, a], [, b]) => b - a)) say(`  ${count} × ${reason}`)
  if (unreadable > 0) say(`${unreadable} messages are no dead letters`)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

// Dead letters read back, from a topic or a file.

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
