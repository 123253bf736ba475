// Kafka: messages for each object, as the pipeline's other steps read them, or commands to the one that writes the tables.
import { UsageError } from '../../errors.ts'
import { firstMaximum } from '../../pipeline/batch.ts'
import type { ClassifiedBatch, MessageFeatures, Reject, Taxonomy } from '../../pipeline/batch.ts'
import type { Sink, SinkContext, WriteOutcome } from '../../pipeline/sink.ts'
import type { OutgoingMessage } from './client/delivery.ts'
import { type MessageOutlet, openOutlet } from './client/outlet.ts'
import {
  createOutputMessageEncoder,
  hasCandid,
  levelPlaces,
  messageFeatures,
  type MessageLevel,
  type OutputMessage,
} from './output-message.ts'
import type { FramedValue } from './framing.ts'
import { createScribeCommands } from './scribe-command.ts'
import type { MessageKind } from './output-form.ts'
import { pickValues } from './pick-values.ts'
import type { KafkaSinkSpec } from './spec.ts'
import { dailyTopic } from './topics.ts'

/** The values of an object's messages, in order, or why it can have none. */
type ObjectMessages = (batch: ClassifiedBatch, row: number) => readonly FramedValue[] | { readonly refusal: string }

/**
 * Opens a topic, and creates it where it does not exist and may be created. A batch is safe on all in-sync replicas when
 * its `write` resolves; with somebody else's outlet, when that one says so.
 *
 * @throws ServiceError for brokers that do not answer, or a topic that cannot be written to; UsageError for a context that
 *   lacks what its messages need; ModelError for a model that has no place in the survey's commands
 */
export async function openKafkaSink(spec: KafkaSinkSpec, context: SinkContext, outlet?: MessageOutlet): Promise<Sink> {
  const { address, as = 'messages' } = spec
  const messagesOf: ObjectMessages =
    as === 'messages' ? createObjectMessage(spec, context) : createScribeCommands(spec, context)
  const topicOf = dailyTopic(spec.topic, spec.daily)
  const opened = outlet ?? (await openOutlet(spec.connection, topicOf(new Date())))

  /** A message that its topic does not allow costs its object, and no other one. */
  async function write(batch: ClassifiedBatch): Promise<WriteOutcome> {
    const topic = topicOf(new Date())
    const refused: Reject[] = []
    const kept = new Map<number, readonly OutgoingMessage[]>()
    const refuse = (row: number, reason: string, where = batch.oids[row]!): void => {
      kept.delete(row)
      refused.push({ oid: batch.oids[row]!, where, reason, message: batch.messages?.[row] })
    }
    for (let row = 0; row < batch.rowCount; row++) {
      const values = messagesOf(batch, row)
      if ('refusal' in values) {
        refuse(row, values.refusal)
        continue
      }
      const key = Buffer.from(batch.oids[row]!)
      const messages = values.map(({ head, value }) => ({ topic, key, head, value }))
      if (messages.length > 1 && messages.some(opened.isTooLarge)) refuse(row, tooLarge(as), address)
      else kept.set(row, messages)
    }
    // the row of a message, which hardly ever anybody wants to know
    let rows: Map<OutgoingMessage, number> | undefined
    const before = [...kept]
    const rowOf = (message: OutgoingMessage): number | undefined => {
      rows ??= new Map(before.flatMap(([row, messages]) => messages.map((each) => [each, row])))
      return rows.get(message)
    }
    const known = refused.length
    for (const turn of as === 'scribe-top-bottom' ? byPlace([...kept.values()]) : [[...kept.values()].flat()]) {
      const wanted = refused.length === known ? turn : turn.filter((message) => kept.has(rowOf(message)!))
      if (wanted.length === 0) continue
      await opened.send(wanted, (message) => {
        const row = rowOf(message)
        // told before: of another of its messages, or by a session that was lost
        if (row !== undefined && kept.has(row)) refuse(row, tooLarge(as), address)
      })
    }
    const sent = [...kept.values()].reduce((sum, { length }) => sum + length, 0)
    return { objects: kept.size, rows: sent, refused, superseded: 0 }
  }

  return {
    address,
    durable: 'on-write',
    get unreachableMs() {
      return opened.unreachableMs
    },
    write,
    finish: () => Promise.resolve(),
    publish: () => Promise.resolve(),
    close: async () => {
      if (opened !== outlet) await opened.close()
    },
  }
}

function tooLarge(as: MessageKind): string {
  return `its ${as === 'messages' ? 'output message' : 'command'} is larger than the topic allows (max.message.bytes)`
}

/** The first of each object, then the second of each: as the survey's step sends the heads of a batch, each in its turn. */
function byPlace(objects: readonly (readonly OutgoingMessage[])[]): OutgoingMessage[][] {
  return (objects[0] ?? []).map((_, place) => objects.map((messages) => messages[place]!))
}

/** The step's own message: one an object. */
function createObjectMessage({ outputSchema, framing, address }: KafkaSinkSpec, context: SinkContext): ObjectMessages {
  const { taxonomy, features: ofModel } = context
  if (outputSchema === 'alerce-2025' && ofModel === undefined) {
    const hint = 'Open the sink with features: a classifier has them.'
    throw new UsageError(`${address}: its messages have the model's features, and they are not known`, { hint })
  }
  const features = messageFeatures(outputSchema, ofModel ?? [])
  const encode = createOutputMessageEncoder(outputSchema, { framing, features })
  const contentOf = createContents(taxonomy)
  const featuresOf = createEcho(features)
  return (batch, row) => {
    const candid = batch.candids[row] ?? null
    if (candid === null && hasCandid(outputSchema)) {
      return { refusal: 'candid is missing, and an output message must have one' }
    }
    return [encode({ oid: batch.oids[row]!, candid, features: featuresOf(batch.echo, row), ...contentOf(batch, row) })]
  }
}

/** What the message of a row holds beside its ids and features. */
function createContents(taxonomy: Taxonomy) {
  const { levels } = taxonomy
  const product = levels[0]!
  const { top, branches } = levelPlaces(taxonomy)
  const width = product.classes.length

  return (batch: ClassifiedBatch, row: number): Omit<OutputMessage, 'oid' | 'candid' | 'features'> => {
    const level = (place: number): MessageLevel => {
      const { classes } = levels[place]!
      return { classes, values: batch.probabilities[place]!, start: row * classes.length }
    }
    return {
      probabilities: level(0),
      className: product.classes[firstMaximum(batch.probabilities[0]!, row * width, width)]!,
      top: top === undefined ? undefined : level(top),
      children: branches.map((place) => ({ branch: levels[place]!.branch!, level: level(place) })),
    }
  }
}

/** These features of a row, in memory that the next call overwrites; without an echo all are missing. */
function createEcho(names: readonly string[]) {
  const features = new Float64Array(names.length)
  // worked out once, since batches share their names
  let known: readonly string[] = []
  let places = new Int32Array(names.length)

  return (echo: MessageFeatures | undefined, row: number): Float64Array => {
    if (!echo) return features.fill(NaN)
    if (echo.names !== known) {
      known = echo.names
      places = Int32Array.from(names, (name) => known.indexOf(name))
    }
    pickValues({ values: echo.values, start: row * known.length }, places, { values: features, start: 0 })
    return features
  }
}
