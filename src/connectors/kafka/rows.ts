// Messages → rows of a batch, each with the message it came in.
import { createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { OriginalMessage, Reject } from '../../pipeline/batch.ts'
import { readCandid, readOid, whyNoCandid } from '../../pipeline/row-ids.ts'
import { DataError } from '../../errors.ts'
import {
  type AlertMessage,
  type BadMessage,
  createMessageReader,
  type MessageNames,
  type UnknownSchema,
} from './input-message.ts'
import type { KafkaRecord } from './client/fetch-request.ts'
import type { TopicPartition } from './client/partition.ts'
import type { SchemaRegistry } from './schema-registry.ts'
import type { DecodeGuard } from './spec.ts'
import { createOidShapes } from './oid-shapes.ts'
import { pickValues } from './pick-values.ts'
import type { ValueSchema } from './value-schema.ts'
import { shownText } from '../../formats/shown-text.ts'
import { tooFewDetections, wantedDetections } from '../columns/alert-schema.ts'
import { furtherNames, recordKeys } from '../columns/settle-names.ts'
import type { InputSchema } from '../../pipeline/batch.ts'
import type { Delivery, ReadOptions } from '../../pipeline/source.ts'

/** Rows since the last `take`. */
export type GatheredRows = Pick<Delivery, 'batch' | 'read' | 'rejected'>

export type RowGatherer = ReturnType<typeof createRowGatherer>

/** Why a message is rejected. */
type Problem = Pick<Reject, 'reason' | 'value'>

/** not an error of its own: bytes that are not an alert begin like this too, and one bad message must not cost the others */
const noRegistry =
  'it refers to a schema registry, and none is named (?registry=http://host:8081, or SCHEMA_REGISTRY_URL)'

/** Rows of text ids with candids: what a message must have. */
export function messageSchema({ mjdColumn }: Pick<ReadOptions, 'mjdColumn'>): InputSchema {
  return { oidType: 'string', hasCandid: true, ...(mjdColumn === undefined ? {} : { hasMjd: true }) }
}

/** What reading messages depends on besides the options. */
interface GathererSettings {
  readonly registry?: SchemaRegistry | undefined
  /** what values without framing are; undefined: there are none */
  readonly valueSchema?: ValueSchema | undefined
  readonly stopsAtBadMessage?: boolean | undefined
  readonly guard?: DecodeGuard | undefined
  /** takes what people should know and no reject tells */
  readonly onNotice?: (notice: string) => void
}

/**
 * Reads messages into batches. One that cannot be read, or lacks oid or candid, is a reject like a row that cannot be
 * classified, and marked as a bad message; each reject carries its message. So is one that the guard refuses.
 */
export function createRowGatherer(options: ReadOptions, settings: GathererSettings = {}) {
  const { registry, valueSchema, stopsAtBadMessage = false, guard, onNotice } = settings
  const { features, batchSize, echo = [], minDetections = 0 } = options
  // what messages echo is more than the model's features, and is kept here
  const assembler = createBatchAssembler({ ...options, ...messageSchema(options), echo: undefined })
  const { names, echoSlots } = slotsOf(options)
  const bare = valueSchema && { record: valueSchema.record, names: slotsOf(valueSchema.options).names }
  const reader = createMessageReader(names, bare)
  const shapes = createOidShapes()
  const scratch = new Float64Array(names.slotCount)
  const values = scratch.subarray(0, features.length)
  let echoed = new Float64Array(batchSize * echo.length)
  let messages: OriginalMessage[] = []
  let rejected: Pick<Reject, 'message' | 'isBadMessage' | 'candid'>[] = []
  let read = 0
  let furtherRecords = 0
  let stoppedAt: DataError | undefined

  function addMessage(message: OriginalMessage): void | Promise<void> {
    const refusal = guard?.refusal(message)
    if (refusal !== undefined) return bad(message, { reason: refusal })
    guard?.enter(message)
    const reading = reader.read(message.value, scratch, 0)
    if (reading.kind === 'unknown schema') return addFramed(message, reading)
    if (reading.kind === 'alert') addAlert(message, reading)
    else bad(message, problemOf(reading))
  }

  function bad(message: OriginalMessage, why: Problem): void {
    if (stopsAtBadMessage) stopAt(message, why)
    else if (assembler.admit(undefined)) refuse(undefined, message, true, why)
  }

  function stopAt(message: OriginalMessage, { reason, value }: Problem): void {
    const hint = 'Everything before it is done. --dead-letter keeps such messages, --on-bad-message skip skips them.'
    stoppedAt = new DataError(
      `${whereOf(message)}: ${reason}${value === undefined ? '' : ` (${value.slice(0, 200)})`}`,
      { hint },
    )
  }

  async function addFramed(message: OriginalMessage, { id, otherwise }: UnknownSchema): Promise<void> {
    if (!registry) return bad(message, otherwise ? problemOf(otherwise) : { reason: noRegistry, value: `schema ${id}` })
    guard?.leave()
    const schema = await registry.schemaOf(id)
    guard?.enter(message)
    reader.addSchema(id, schema)
    await addMessage(message)
  }

  function addAlert(message: OriginalMessage, alert: AlertMessage): void {
    const idProblem = problemOfIds(alert)
    if (idProblem && stopsAtBadMessage) return stopAt(message, idProblem)
    furtherRecords += alert.further
    if (!assembler.admit(alert.oid)) return
    if (idProblem) return refuse(alert.oid, message, true, idProblem)
    const candid = readCandid(alert.candid)!
    if (alert.isBare) watchShape(alert.oid, message)
    const problem =
      alert.detections < minDetections
        ? { reason: tooFewDetections(minDetections) }
        : problemOfFeatures(alert, features)
    if (problem) return refuse(alert.oid, message, false, problem, candid)
    read++
    const row = messages.length
    if (assembler.accept({ oid: alert.oid, candid, mjd: alert.mjd, where: whereOf(message) }, values)) {
      messages.push(message)
      pickValues({ values: scratch, start: 0 }, echoSlots, { values: echoed, start: row * echoSlots.length })
    } else {
      rejected.push({ message, isBadMessage: false, candid })
    }
  }

  /** Data of another schema may decode, to ids that are none. */
  function watchShape(oid: unknown, message: OriginalMessage): void {
    const text = String(oid)
    if (shapes.isExpected(text)) return
    onNotice?.(
      `${whereOf(message)}: the oid ${shownText(text.slice(0, 60))} looks unlike the first ${shapes.learned}, such as ` +
        `${shownText(shapes.example.slice(0, 60))}. If it is of another schema than ?schema=, its results are wrong. Later ones are not named`,
    )
  }

  function refuse(oid: unknown, message: OriginalMessage, isBadMessage: boolean, why: Problem, candid?: bigint): void {
    read++
    assembler.reject(oid, { where: whereOf(message), ...why })
    rejected.push({ message, isBadMessage, ...(candid === undefined ? {} : { candid }) })
  }

  function take(): GatheredRows {
    const taken = assembler.take()
    const echoes = { names: echo, values: echoed.subarray(0, messages.length * echo.length) }
    const rows = {
      read: taken.read,
      // rejects are in the order in which they were made, here as there
      rejected: taken.rejected.map((reject, i): Reject => ({ ...reject, ...rejected[i]! })),
      batch: { ...taken.batch, messages, ...(echo.length === 0 ? {} : { echo: echoes }) },
    }
    echoed = new Float64Array(batchSize * echo.length)
    messages = []
    rejected = []
    read = 0
    return rows
  }

  return {
    get isFull(): boolean {
      // messages count, not rows: rejects keep theirs, and a topic full of bad ones must not fill the memory
      return assembler.isFull || read >= batchSize
    },
    /** the limit is reached */
    get isExhausted(): boolean {
      return assembler.isExhausted
    },
    /** whether there is nothing to take */
    get isEmpty(): boolean {
      return read === 0
    },
    /** container records after the first, which are not read */
    get furtherRecords(): number {
      return furtherRecords
    },
    /** the bad message that ends everything, where that is asked for; it was not read */
    get stoppedAt(): DataError | undefined {
      return stoppedAt
    },
    /** Reads one message. Waits only where a schema must be asked for. */
    add({ topic, partition }: TopicPartition, record: KafkaRecord): void | Promise<void> {
      const { offset, timestamp, key, value, problem } = record
      const message = { topic, partition, offset, timestamp, key, value }
      if (problem === undefined) return addMessage(message)
      // a letter without it: the batch is where it was
      bad({ ...message, omittedBytes: 0 }, { reason: 'its record batch cannot be read', value: problem })
    },
    /** Other things have their turn before the next message. */
    rest: () => guard?.leave(),
    take,
    /** Everything since the last `take` will be read again, the bad message too. */
    forget(): void {
      take()
      stoppedAt = undefined
    },
  }
}

/** The model's features first, then those that are only echoed; a feature that is both has one slot. */
function slotsOf(options: ReadOptions): { readonly names: MessageNames; readonly echoSlots: Int32Array } {
  const required = options.features.length
  const keys = recordKeys({ ...options, features: [...options.features, ...(options.echo ?? [])] })
  const slotOf = new Map<string, number>()
  keys.features.forEach((key, place) => {
    if (key !== undefined && !slotOf.has(key)) slotOf.set(key, place)
  })
  for (const [name, slot] of furtherNames(options)) if (!slotOf.has(name)) slotOf.set(name, slot)
  const echoSlots = Int32Array.from(keys.features.slice(required), (key) => (key === undefined ? -1 : slotOf.get(key)!))
  const { oid = '', candid = '', mjd } = keys
  const slots = { slotOf, slotCount: keys.features.length, required }
  return { names: { oid, candid, mjd, detections: wantedDetections(options), ...slots }, echoSlots }
}

function problemOf({ reason, detail }: BadMessage): Problem {
  return { reason, ...(detail === undefined ? {} : { value: detail }) }
}

function problemOfIds({ oid, candid }: AlertMessage): Problem | undefined {
  const reading = readOid(oid, 'string')
  if ('reason' in reading) return { reason: reading.reason }
  const number = readCandid(candid)
  if (number === null) return { reason: 'candid is missing' }
  return number === undefined ? { reason: whyNoCandid(candid), value: String(candid) } : undefined
}

function problemOfFeatures(alert: AlertMessage, features: readonly string[]): Problem | undefined {
  if (!alert.hasFeatures) return { reason: 'features are absent' }
  const [first, ...others] = alert.absent
  if (first !== undefined) {
    const more = others.length === 0 ? {} : { value: `and ${others.length} more` }
    return { reason: `${features[first]} is absent`, ...more }
  }
  return alert.unreadable < 0 ? undefined : { reason: `${features[alert.unreadable]} is not a number` }
}

function whereOf({ topic, partition, offset }: OriginalMessage): string {
  return `${topic} partition ${partition} offset ${offset}`
}
