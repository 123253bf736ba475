// The stories of `lcclf deadletter show` and `lcclf deadletter requeue`: dead letters read back from a topic or a file.
import { createReadStream } from 'node:fs'
import { filePathOf } from '../../connectors/address.ts'
import {
  type KafkaAddress,
  kafkaAddressOf,
  noTopic,
  outputTopic,
  parseKafkaAddress,
} from '../../connectors/kafka/address.ts'
import { type Cluster, connectCluster } from '../../connectors/kafka/client/cluster.ts'
import { createFetcher } from '../../connectors/kafka/client/fetcher.ts'
import { commitOffsets, committedOffsets, listOffsets } from '../../connectors/kafka/client/offsets.ts'
import { keyOf, type TopicPartition } from '../../connectors/kafka/client/partition.ts'
import { type MessageOutlet, openOutlet } from '../../connectors/kafka/client/outlet.ts'
import { type DeadLetter, deadLetterText, readDeadLetter, requeued } from '../../connectors/kafka/dead-letters.ts'
import { isKafkaAddress } from '../../connectors/kafka/spec.ts'
import { partitionsOf } from '../../connectors/kafka/topics.ts'
import { DataError, messageOf, systemCode, whyUnreadable, UsageError } from '../../errors.ts'
import { linesOf } from '../../formats/chunks.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Some letters, in order. */
interface LetterGroup {
  readonly letters: readonly DeadLetter[]
  /** what is not a dead letter, and why */
  readonly unreadable: readonly string[]
  /** remembers that these are done with, where that is asked for */
  readonly ack?: () => Promise<void>
}

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
  readonly dryRun: boolean
}

interface LetterCounts {
  letters: number
  unreadable: number
  reasons: Record<string, number>
}

/** far beyond what any topic's message can be; what is longer is cut, and so is not a letter */
const longestLine = 256 * 1024 * 1024

/** Prints the letters: lines for people on a terminal, whole letters as NDJSON elsewhere, with `json` only their counts. */
export async function showDeadLetters(
  address: string,
  { json, ...filter }: LetterFilter & { json: boolean },
): Promise<number> {
  const counts: LetterCounts = { letters: 0, unreadable: 0, reasons: {} }
  const lineOf = process.stdout.isTTY ? shortLine : deadLetterText
  for await (const { letters } of chosen(lettersOf(address, undefined), filter, counts)) {
    if (!json && letters.length > 0) await print(letters.map((letter) => `${lineOf(letter)}\n`).join(''))
  }
  const exitCode = counts.unreadable > 0 ? 3 : 0
  const report = { schemaVersion: 1, command: 'deadletter show', ...counts, exitCode }
  if (json) await print(`${JSON.stringify(report)}\n`)
  else sayCounts(counts)
  return exitCode
}

/** Sends letters back as the messages they were, and remembers which ones of a topic it has sent. */
export async function requeueDeadLetters(address: string, flags: RequeueFlags): Promise<number> {
  const target = targetOf(address, flags.to)
  const to = target.topics.length > 0 ? { topic: outputTopic(target)(new Date()) } : {}
  const counts: LetterCounts = { letters: 0, unreadable: 0, reasons: {} }
  let withoutValue = 0
  // whoever chooses among them may want the others later
  const isWhole = flags.reason === undefined && flags.limit === undefined
  const rememberedBy = flags.again || !isWhole || flags.dryRun ? undefined : 'lcclf-deadletter-requeue'
  let outlet: MessageOutlet | undefined
  try {
    for await (const { letters, ack } of chosen(lettersOf(address, rememberedBy), flags, counts)) {
      const whole = letters.filter(({ omittedBytes }) => omittedBytes === undefined)
      withoutValue += letters.length - whole.length
      const messages = whole.map((letter) => ({ ...requeued(letter), ...to }))
      if (flags.dryRun || messages.length === 0) continue
      outlet ??= await openOutlet(target.connection, messages[0]!.topic)
      await outlet.send(messages)
      await ack?.()
    }
  } finally {
    await outlet?.close()
  }
  counts.letters -= withoutValue
  sayCounts(counts, flags.dryRun ? 'would be sent again' : 'sent again')
  if (withoutValue > 0) say(`${withoutValue} were too long for a letter: their messages are where they were`)
  return counts.unreadable + withoutValue > 0 ? 3 : 0
}

async function* chosen(
  groups: AsyncIterable<LetterGroup>,
  { reason, limit = Infinity }: LetterFilter,
  counts: LetterCounts,
): AsyncGenerator<LetterGroup, void, undefined> {
  for await (const group of groups) {
    for (const why of group.unreadable) say(why)
    counts.unreadable += group.unreadable.length
    const wanted = group.letters.filter((letter) => reason === undefined || letter.reason.includes(reason))
    const letters = wanted.slice(0, Math.max(0, limit - counts.letters))
    counts.letters += letters.length
    for (const letter of letters) counts.reasons[letter.reason] = (counts.reasons[letter.reason] ?? 0) + 1
    yield { ...group, letters }
    if (counts.letters >= limit) return
  }
}

/** @param rememberedBy a group that remembers how far the letters of a topic are done with; undefined: all are read */
function lettersOf(address: string, rememberedBy: string | undefined): AsyncIterable<LetterGroup> {
  if (!isKafkaAddress(address)) return lettersOfFile(filePathOf(address, 'input'))
  const parsed = parseKafkaAddress(address, 'producer', environmentWithoutTopics())
  if (parsed.topics.length === 0) throw noTopic(parsed.shown)
  return lettersOfTopics(parsed, rememberedBy)
}

/** Where requeued messages go: what was typed, else the letters' cluster, else that of the stream's input. */
function targetOf(address: string, to: string | undefined): KafkaAddress {
  const environment = environmentWithoutTopics()
  if (to !== undefined) {
    if (!isKafkaAddress(to)) throw new UsageError(`--to ${to}: messages go back to Kafka`)
    return parseKafkaAddress(to, 'producer', environment)
  }
  const target = isKafkaAddress(address)
    ? parseKafkaAddress(address, 'producer', environment)
    : kafkaAddressOf('consumer', environment)
  if (target) return { ...target, topics: [] }
  throw new UsageError('letters of a file can go anywhere', { hint: 'Say where: --to kafka://host:9092.' })
}

/** The environment names the stream's topics, which are not what is meant here. */
function environmentWithoutTopics(): Readonly<Record<string, string | undefined>> {
  return { ...process.env, PRODUCER_TOPIC: undefined, PRODUCER_TOPIC_FORMAT: undefined, CONSUMER_TOPICS: undefined }
}

async function* lettersOfFile(path: string): AsyncGenerator<LetterGroup, void, undefined> {
  const input = createReadStream(path)
  try {
    for await (const { lines, firstNumber } of linesOf(input as AsyncIterable<Buffer>, longestLine)) {
      const texts = lines.map((text, i) => ({ text, where: `${path} line ${firstNumber + i}` }))
      yield groupOf(texts.filter(({ text }) => text.trim() !== ''))
    }
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause
    throw new DataError(`${path}: cannot be read (${whyUnreadable(cause)})`, { cause })
  } finally {
    input.destroy()
  }
}

/** The letters that are in topics now, in groups of one partition each. */
async function* lettersOfTopics(
  { connection, topics }: KafkaAddress,
  rememberedBy: string | undefined,
): AsyncGenerator<LetterGroup, void, undefined> {
  const cluster = await connectCluster(connection)
  const fetcher = createFetcher<TopicPartition>(cluster, { needsSameTopic: true })
  try {
    const { open, ends } = await openPartitions(cluster, topics, rememberedBy)
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
      const ack = async (): Promise<void> => {
        if (rememberedBy === undefined) return
        await commitOffsets(cluster, { groupId: rememberedBy, generation: -1, memberId: '' }, [place])
      }
      yield { ...groupOf(texts), ack }
      if (nextOffset < end) continue
      open.delete(keyOf(chunk))
      fetcher.release(chunk)
    }
  } finally {
    fetcher.close()
    await cluster.close()
  }
}

/** The partitions that have something to read, and where that begins; and where all of them end now, by `keyOf`. */
async function openPartitions(cluster: Cluster, topics: readonly string[], rememberedBy: string | undefined) {
  const infos = await cluster.firstTopics(topics)
  const missing = topics.filter((topic) => !infos.has(topic))
  if (missing.length > 0) throw new DataError(`there is no topic ${missing.join(', ')}`)
  const all = partitionsOf(infos.values())
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

function groupOf(texts: readonly { text: string; where: string }[]): LetterGroup {
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
  return { letters, unreadable }
}

function shortLine({ reason, topic, partition, offset, key, timestamp }: DeadLetter): string {
  const time = new Date(Number(timestamp)).toISOString().slice(0, 19)
  const name = key === null ? '-' : Buffer.from(key).toString('utf8')
  return `${time}  ${topic} partition ${partition} offset ${offset}  ${JSON.stringify(name)}  ${reason}`
}

function sayCounts({ letters, unreadable, reasons }: LetterCounts, what = 'in all'): void {
  say(`${letters} dead letters ${what}`)
  for (const [reason, count] of Object.entries(reasons).sort(([, a], [, b]) => b - a)) say(`  ${count} × ${reason}`)
  if (unreadable > 0) say(`${unreadable} messages are not dead letters`)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
