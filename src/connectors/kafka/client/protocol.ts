// The requests lcclf makes, each in the newest version that both the client library and the broker know.
import zlib from 'node:zlib'
import type * as platformatic from '@platformatic/kafka'
import type { Connection, Reader } from '@platformatic/kafka'
import { loadZstd, unpackSnappyFrame } from '../../../formats/compression.ts'
import { sendBulk } from './bulk-request.ts'

/** The client library, loaded when Kafka is first needed. */
export type KafkaLibrary = typeof platformatic

/** Kafka's frames do not say their size, and the decompressor must be told how much there may be. */
const largestZstdBatch = 16 * 1024 * 1024
/** a batch that unpacks to more is refused by whoever reads it */
const mostUnpacked = { maxOutputLength: 64 * 1024 * 1024 }

/** Loads the client library, and teaches it two codecs, and bounds. */
export async function loadKafka(): Promise<KafkaLibrary> {
  const library = await import('@platformatic/kafka')
  const { gzip, snappy, zstd } = library.compressionsAlgorithms
  Object.assign(gzip, { decompressSync: unpacking((bytes) => zlib.gunzipSync(bytes, mostUnpacked)) })
  // it takes a batch's snappy for one block; Java's clients and brokers write frames of several
  Object.assign(snappy, { decompressSync: unpacking(unpackSnappyFrame) })
  // Node has zstd from 22.15 on; before that the library cannot read what was compressed with it
  if ('zstdDecompressSync' in zlib) {
    const unpack = zlib.zstdDecompressSync as (bytes: Buffer, options: typeof mostUnpacked) => Buffer
    Object.assign(zstd, { decompressSync: unpacking((bytes) => unpack(bytes, mostUnpacked)) })
  } else {
    const { decompressUpTo } = await loadZstd()
    const decompressSync = unpacking((bytes) => decompressUpTo(bytes, largestZstdBatch))
    Object.assign(zstd, { decompressSync, available: true })
  }
  return library
}

function unpacking(unpack: (bytes: Buffer) => Uint8Array) {
  return (data: Buffer | { readonly buffer: Buffer }): Buffer =>
    Buffer.from(unpack(Buffer.isBuffer(data) ? data : data.buffer))
}

/** The requests there are, each with its versions, newest first: types of arguments and answers come from the library. */
const requests = {
  metadata: ['metadataV12', 'metadataV11', 'metadataV10'],
  findCoordinator: ['findCoordinatorV6', 'findCoordinatorV5', 'findCoordinatorV4'],
  listOffsets: ['listOffsetsV9', 'listOffsetsV8', 'listOffsetsV7', 'listOffsetsV6', 'listOffsetsV5'],
  // before version 13 a topic has no id here
  fetch: ['fetchV17', 'fetchV16', 'fetchV15', 'fetchV14', 'fetchV13'],
  joinGroup: ['joinGroupV9', 'joinGroupV8', 'joinGroupV7', 'joinGroupV6'],
  syncGroup: ['syncGroupV5', 'syncGroupV4'],
  heartbeat: ['heartbeatV4'],
  leaveGroup: ['leaveGroupV5', 'leaveGroupV4'],
  offsetCommit: ['offsetCommitV9', 'offsetCommitV8'],
  offsetFetch: ['offsetFetchV9', 'offsetFetchV8'],
  initProducerId: ['initProducerIdV5', 'initProducerIdV4', 'initProducerIdV3'],
  // from version 4 on this request is between brokers, and needs rights that a client does not have
  addPartitionsToTxn: ['addPartitionsToTxnV3'],
  addOffsetsToTxn: ['addOffsetsToTxnV4', 'addOffsetsToTxnV3'],
  txnOffsetCommit: ['txnOffsetCommitV4', 'txnOffsetCommitV3'],
  endTxn: ['endTxnV4', 'endTxnV3'],
  createTopics: ['createTopicsV7'],
} as const

/** A kind of request. */
export type RequestName = keyof typeof requests

type ApiOf<Name extends RequestName> = KafkaLibrary[(typeof requests)[Name][number]]['api']

/** What a request is made of. */
export type Arguments<Name extends RequestName> =
  Parameters<ApiOf<Name>['async']> extends [Connection, ...infer Args] ? Args : never

/** What a broker answers. */
export type Answer<Name extends RequestName> = Name extends 'fetch'
  ? FetchAnswer
  : Exclude<Awaited<ReturnType<ApiOf<Name>['async']>>, boolean>

/** The answer to a fetch, with the records as they came. */
interface FetchAnswer {
  readonly throttleTimeMs: number
  readonly errorCode: number
  readonly responses: readonly {
    readonly topicId: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly errorCode: number
      readonly highWatermark: bigint
      readonly lastStableOffset: bigint
      readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
      /** as they came */
      readonly records: readonly Buffer[]
    }[]
  }[]
}

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
  const known = requests[name].map((version) => library[version] as { readonly api: ApiOf<Name> })
  const usable = newestUsable(known, versions)
  if (!usable) return Promise.reject(new UnknownRequestError(`the broker knows no ${name} request of ours`))
  if (name === 'fetch')
    return sendFetch(library, connection, usable as FetchRequest, args as never) as Promise<Answer<Name>>
  const ask = usable.api.async as (connection: Connection, ...args: unknown[]) => Promise<Answer<Name>>
  return ask(connection, ...args)
}

type FetchRequest = KafkaLibrary['fetchV17']

/** The library's reader of records trusts every length and count in them: here they are only taken out. */
function sendFetch(
  library: KafkaLibrary,
  connection: Connection,
  { api: { key, version }, createRequest }: FetchRequest,
  args: Parameters<FetchRequest['createRequest']>,
): Promise<FetchAnswer> {
  return new Promise((resolve, reject) => {
    const parse = (_: number, __: number, ___: number, reader: Reader): FetchAnswer => readFetchAnswer(reader)
    const take = (thrown: Error | null, answer?: FetchAnswer): void => (thrown ? reject(thrown) : resolve(answer!))
    connection.send(key, version, () => createRequest(...args), parse, true, true, take)
  })
}

function readFetchAnswer(reader: Reader): FetchAnswer {
  const throttleTimeMs = reader.readInt32()
  const errorCode = reader.readInt16()
  // the session, which is none
  reader.readInt32()
  const responses = reader.readArray((r) => ({
    topicId: r.readUUID(),
    partitions: r.readArray(readFetchedPartition),
  }))
  return { throttleTimeMs, errorCode, responses }
}

function readFetchedPartition(reader: Reader): FetchAnswer['responses'][number]['partitions'][number] {
  const head = {
    partitionIndex: reader.readInt32(),
    errorCode: reader.readInt16(),
    highWatermark: reader.readInt64(),
    lastStableOffset: reader.readInt64(),
  }
  // where the log begins
  reader.readInt64()
  const abortedTransactions = reader.readArray((r) => ({ producerId: r.readInt64(), firstOffset: r.readInt64() }))
  // which replica to prefer
  reader.readInt32()
  return { ...head, abortedTransactions, records: piecesOf(reader) }
}

/** Some bytes in the pieces in which they came: the library would copy them all together. */
function piecesOf(reader: Reader): readonly Buffer[] {
  // one more than their number, or 0 for none
  const length = reader.readUnsignedVarInt() - 1
  if (length <= 0) return []
  const { buffers } = reader.buffer.subarray(reader.position, reader.position + length)
  reader.skip(length)
  return buffers
}

/** The result of producing a batch: the number of the protocol's error, 0 for none. */
export interface PartitionResult {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly message: string | null
}

/** Produces one encoded batch for each partition, acknowledged by all in-sync replicas. The batches are not copied. */
export async function sendBatches(
  { library, clientId }: { readonly library: KafkaLibrary; readonly clientId: string },
  versions: BrokerVersions,
  connection: Connection,
  batches: readonly { readonly topic: string; readonly partition: number; readonly batch: Buffer }[],
  transactionalId: string | null,
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
  const { api, parseResponse: parse } = usable
  const answer = sendBulk<Answered>(library, connection, { api, clientId, body: payload.buffers, parse })
  const { responses } = await answer.catch((thrown: unknown) => {
    const { response } = thrown as { response?: Answered }
    if (response?.responses) return response
    throw thrown
  })
  if (!responses) throw new Error('the broker says nothing about what was produced')
  return responses.flatMap(({ name: topic, partitionResponses }) =>
    partitionResponses.map(({ index: partition, errorCode, errorMessage }) => {
      return { topic, partition, errorCode, message: errorMessage ?? null }
    }),
  )
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
