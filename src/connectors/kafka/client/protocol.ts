// The requests lcclf makes, each in the newest version that both the client library and the broker know.
import zlib from 'node:zlib'
import type * as platformatic from '@platformatic/kafka'
import type { Connection } from '@platformatic/kafka'
import { unpackSnappyFrame } from '../../../formats/snappy.ts'
import { loadZstd } from '../../../formats/zstd.ts'

/** The client library, loaded when Kafka is first needed. */
export type KafkaLibrary = typeof platformatic

/** Kafka's frames do not say their size, and the decompressor must be told how much there may be. */
const largestZstdBatch = 16 * 1024 * 1024

/** Loads the client library. */
export async function loadKafka(): Promise<KafkaLibrary> {
  const library = await import('@platformatic/kafka')
  addSnappy(library)
  await addZstd(library)
  return library
}

/** Versions of a request. */
type Versions<Name extends keyof KafkaLibrary> = readonly KafkaLibrary[Name][]

/** The requests there are. Written out, because types that are only inferred cannot be named in declarations everywhere. */
interface Requests {
  readonly metadata: Versions<'metadataV12' | 'metadataV11' | 'metadataV10'>
  readonly findCoordinator: Versions<'findCoordinatorV6' | 'findCoordinatorV5' | 'findCoordinatorV4'>
  readonly listOffsets: Versions<
    'listOffsetsV9' | 'listOffsetsV8' | 'listOffsetsV7' | 'listOffsetsV6' | 'listOffsetsV5'
  >
  // before version 13 a topic has no id here
  readonly fetch: Versions<'fetchV17' | 'fetchV16' | 'fetchV15' | 'fetchV14' | 'fetchV13'>
  readonly joinGroup: Versions<'joinGroupV9' | 'joinGroupV8' | 'joinGroupV7' | 'joinGroupV6'>
  readonly syncGroup: Versions<'syncGroupV5' | 'syncGroupV4'>
  readonly heartbeat: Versions<'heartbeatV4'>
  readonly leaveGroup: Versions<'leaveGroupV5' | 'leaveGroupV4'>
  readonly offsetCommit: Versions<'offsetCommitV9' | 'offsetCommitV8'>
  readonly offsetFetch: Versions<'offsetFetchV9' | 'offsetFetchV8'>
  readonly initProducerId: Versions<'initProducerIdV5' | 'initProducerIdV4' | 'initProducerIdV3'>
  // from version 4 on this request is between brokers, and needs rights that a client does not have
  readonly addPartitionsToTxn: Versions<'addPartitionsToTxnV3'>
  readonly addOffsetsToTxn: Versions<'addOffsetsToTxnV4' | 'addOffsetsToTxnV3'>
  readonly txnOffsetCommit: Versions<'txnOffsetCommitV4' | 'txnOffsetCommitV3'>
  readonly endTxn: Versions<'endTxnV4' | 'endTxnV3'>
  readonly createTopics: Versions<'createTopicsV7'>
}

/** Versions of the requests, newest first. One table, so that types of arguments and answers come from the library. */
function requestsOf(k: KafkaLibrary): Requests {
  return {
    metadata: [k.metadataV12, k.metadataV11, k.metadataV10],
    findCoordinator: [k.findCoordinatorV6, k.findCoordinatorV5, k.findCoordinatorV4],
    listOffsets: [k.listOffsetsV9, k.listOffsetsV8, k.listOffsetsV7, k.listOffsetsV6, k.listOffsetsV5],
    fetch: [k.fetchV17, k.fetchV16, k.fetchV15, k.fetchV14, k.fetchV13],
    joinGroup: [k.joinGroupV9, k.joinGroupV8, k.joinGroupV7, k.joinGroupV6],
    syncGroup: [k.syncGroupV5, k.syncGroupV4],
    heartbeat: [k.heartbeatV4],
    leaveGroup: [k.leaveGroupV5, k.leaveGroupV4],
    offsetCommit: [k.offsetCommitV9, k.offsetCommitV8],
    offsetFetch: [k.offsetFetchV9, k.offsetFetchV8],
    initProducerId: [k.initProducerIdV5, k.initProducerIdV4, k.initProducerIdV3],
    addPartitionsToTxn: [k.addPartitionsToTxnV3],
    addOffsetsToTxn: [k.addOffsetsToTxnV4, k.addOffsetsToTxnV3],
    txnOffsetCommit: [k.txnOffsetCommitV4, k.txnOffsetCommitV3],
    endTxn: [k.endTxnV4, k.endTxnV3],
    createTopics: [k.createTopicsV7],
  }
}

/** A kind of request. */
export type RequestName = keyof Requests

type ApiOf<Name extends RequestName> = Requests[Name][number]['api']

/** What a request is made of. */
export type Arguments<Name extends RequestName> =
  Parameters<ApiOf<Name>['async']> extends [Connection, ...infer Args] ? Args : never

/** What a broker answers. */
export type Answer<Name extends RequestName> = Exclude<Awaited<ReturnType<ApiOf<Name>['async']>>, boolean>

/** The versions of requests that a broker knows, by the request's number. */
export type BrokerVersions = ReadonlyMap<number, { readonly minimum: number; readonly maximum: number }>

/** Asks a broker what it knows. */
export async function readVersions(library: KafkaLibrary, connection: Connection): Promise<BrokerVersions> {
  const { apiKeys } = await library.apiVersionsV3.api.async(connection, 'lcclf', '1')
  return new Map(
    apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { minimum: minVersion, maximum: maxVersion }]),
  )
}

/** The broker knows no version of a request that the library knows: it is too old. */
export class UnknownRequestError extends Error {}

/** Sends one request over a connection. */
export function send<Name extends RequestName>(
  library: KafkaLibrary,
  versions: BrokerVersions,
  connection: Connection,
  name: Name,
  args: Arguments<Name>,
): Promise<Answer<Name>> {
  const known = requestsOf(library)[name] as readonly { readonly api: ApiOf<Name> }[]
  const usable = newestUsable(known, versions)
  if (!usable) return Promise.reject(new UnknownRequestError(`the broker knows no ${name} request of ours`))
  const ask = usable.api.async as (connection: Connection, ...args: unknown[]) => Promise<Answer<Name>>
  return ask(connection, ...args)
}

/** One batch for one partition. */
interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
}

/** What became of it: the number of the protocol's error, 0 for none. */
export interface PartitionResult {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly message: string | null
}

/** Produces batches that are encoded already, acknowledged by all in-sync replicas. */
export async function sendBatches(
  library: KafkaLibrary,
  versions: BrokerVersions,
  connection: Connection,
  {
    batches,
    transactionalId,
  }: { readonly batches: readonly PartitionBatch[]; readonly transactionalId: string | null },
): Promise<PartitionResult[]> {
  const known = [library.produceV11, library.produceV10, library.produceV9]
  const usable = newestUsable(known, versions)
  if (!usable) throw new UnknownRequestError('the broker knows no produce request of ours')
  const topics = [...new Set(batches.map(({ topic }) => topic))]
  const payload = library.Writer.create()
    .appendString(transactionalId)
    .appendInt16(-1)
    .appendInt32(produceTimeoutMs)
    .appendArray(topics, (writer, topic) => {
      const own = batches.filter((batch) => batch.topic === topic)
      writer.appendString(topic).appendArray(own, (inner, { partition, batch }) => {
        inner
          .appendInt32(partition)
          .appendUnsignedVarInt(batch.length + 1)
          .append(batch)
      })
    })
    .appendTaggedFields()
  const { key, version } = usable.api
  return new Promise((resolve, reject) => {
    connection.send(
      key,
      version,
      () => payload,
      usable.parseResponse,
      true,
      true,
      (thrown, answer) => {
        const { responses } =
          (thrown as { response?: Answered } | null)?.response ?? (answer as Answered | undefined) ?? {}
        if (!responses) return reject(thrown ?? new Error('the broker says nothing of what was produced'))
        resolve(
          responses.flatMap(({ name, partitionResponses }) =>
            partitionResponses.map(({ index, errorCode, errorMessage }) => {
              return { topic: name, partition: index, errorCode, message: errorMessage ?? null }
            }),
          ),
        )
      },
    )
  })
}

type Answered = Partial<ReturnType<KafkaLibrary['produceV11']['parseResponse']>>

/** how long a broker waits for its replicas */
const produceTimeoutMs = 15_000

function newestUsable<Known extends { readonly api: { readonly key: number; readonly version: number } }>(
  known: readonly Known[],
  versions: BrokerVersions,
): Known | undefined {
  return known.find(({ api }) => {
    const range = versions.get(api.key)
    return range !== undefined && api.version >= range.minimum && api.version <= range.maximum
  })
}

/** The library takes a batch's snappy for one block; Java's clients and brokers write frames of several. */
function addSnappy({ compressionsAlgorithms }: KafkaLibrary): void {
  const decompressSync = (data: Buffer | { readonly buffer: Buffer }): Buffer =>
    Buffer.from(unpackSnappyFrame(Buffer.isBuffer(data) ? data : data.buffer))
  Object.assign(compressionsAlgorithms.snappy, { decompressSync })
}

/** Node has zstd from 22.15 on; before that the library cannot read what was compressed with it. */
async function addZstd({ compressionsAlgorithms }: KafkaLibrary): Promise<void> {
  if ('zstdDecompressSync' in zlib) return
  const { decompressUpTo } = await loadZstd()
  const decompressSync = (data: Buffer | { readonly buffer: Buffer }): Buffer =>
    Buffer.from(decompressUpTo(Buffer.isBuffer(data) ? data : data.buffer, largestZstdBatch))
  Object.assign(compressionsAlgorithms.zstd, { decompressSync, available: true })
}
