// Kafka: one output message an object, as the pipeline's other steps read them.
import {
  type ClassifiedBatch,
  firstMaximum,
  type MessageFeatures,
  type Reject,
  type Taxonomy,
} from '../../pipeline/batch.ts'
import {
  createOutputMessageEncoder,
  type MessageLevel,
  outputFeatures,
  type OutputMessageEncoder,
} from './output-message.ts'
import type { OutgoingMessage } from './client/delivery.ts'
import { type MessageOutlet, openOutlet } from './client/outlet.ts'
import { dailyTopic, type TopicName } from './topics.ts'
import type { KafkaSinkSpec } from './spec.ts'
import type { Sink, SinkContext, WriteOutcome } from '../../pipeline/sink.ts'

/**
 * Opens a topic, and makes it where it does not exist and may be made. A batch is safe on all in-sync replicas when its
 * `write` resolves; with an outlet of somebody else's, when that one says so.
 *
 * @throws ServiceError for brokers that do not answer, or a topic that cannot be written to
 */
export async function openKafkaSink(spec: KafkaSinkSpec, context: SinkContext, outlet?: MessageOutlet): Promise<Sink> {
  const topic = dailyTopic(spec.topic, spec.daily)
  const opened = outlet ? undefined : await openOutlet(spec.connection, topic(new Date()))
  const messages = createMessages(context.taxonomy, createOutputMessageEncoder(spec.outputSchema), topic)
  return {
    address: spec.address,
    durable: 'on-write',
    get unreachableMs() {
      return (outlet ?? opened)!.unreachableMs
    },
    write: (batch) => writeBatch(batch, messages, { outlet: (outlet ?? opened)!, address: spec.address }),
    finish: () => Promise.resolve(),
    publish: () => Promise.resolve(),
    close: async () => opened?.close(),
  }
}

interface BatchMessages {
  readonly messages: OutgoingMessage[]
  /** the row of each message */
  readonly rows: number[]
  readonly refused: Reject[]
}

type Messages = (batch: ClassifiedBatch) => BatchMessages

/** A message that its topic does not allow costs no other one. */
async function writeBatch(
  batch: ClassifiedBatch,
  messagesOf: Messages,
  { outlet, address }: { readonly outlet: MessageOutlet; readonly address: string },
): Promise<WriteOutcome> {
  const { messages, rows, refused } = messagesOf(batch)
  const tooLarge = new Set<OutgoingMessage>()
  if (messages.length > 0) await outlet.send(messages, (message) => tooLarge.add(message))
  messages.forEach((message, i) => {
    if (!tooLarge.has(message)) return
    const row = rows[i]!
    const reason = 'its output message is larger than the topic allows (max.message.bytes)'
    refused.push({ oid: batch.oids[row]!, where: address, reason, message: batch.messages?.[row] })
  })
  const written = messages.length - tooLarge.size
  return { objects: written, rows: written, refused, superseded: 0 }
}

function createMessages({ levels }: Taxonomy, encode: OutputMessageEncoder, topicOf: TopicName): Messages {
  const [product, ...others] = levels
  const topPlace = 1 + others.findIndex(({ branch }) => branch === null)
  const childPlaces = levels.map((_, place) => place).filter((place) => place > 0 && place !== topPlace)
  const echoPlaces = createEchoPlaces()
  const none = new Float64Array(outputFeatures.length).fill(NaN)
  const features = new Float64Array(outputFeatures.length)

  function featuresOf(echo: MessageFeatures | undefined, row: number): Float64Array {
    if (!echo) return none
    const places = echoPlaces(echo.names)
    const start = row * echo.names.length
    for (let f = 0; f < features.length; f++) {
      const place = places[f]!
      features[f] = place < 0 ? NaN : echo.values[start + place]!
    }
    return features
  }

  return (batch) => {
    const topic = topicOf(new Date())
    const messages: OutgoingMessage[] = []
    const rows: number[] = []
    const refused: Reject[] = []
    const level = (place: number, row: number): MessageLevel => {
      const { classes } = levels[place]!
      return { classes, values: batch.probabilities[place]!, start: row * classes.length }
    }
    for (let row = 0; row < batch.rowCount; row++) {
      const oid = batch.oids[row]!
      const candid = batch.candids[row]
      if (candid === null || candid === undefined) {
        const reason = 'candid is missing, and an output message must have one'
        refused.push({ oid, where: oid, reason, message: batch.messages?.[row] })
        continue
      }
      const width = product!.classes.length
      const best = firstMaximum(batch.probabilities[0]!, row * width, width)
      const value = encode({
        oid,
        candid,
        features: featuresOf(batch.echo, row),
        featuresStart: 0,
        probabilities: level(0, row),
        className: product!.classes[best]!,
        top: topPlace > 0 ? level(topPlace, row) : undefined,
        children: childPlaces.map((place) => ({ branch: levels[place]!.branch!, level: level(place, row) })),
      })
      messages.push({ topic, key: Buffer.from(oid), value })
      rows.push(row)
    }
    return { messages, rows, refused }
  }
}

/** For each output feature its place among the echoed names; worked out once, since batches share their names. */
function createEchoPlaces(): (names: readonly string[]) => readonly number[] {
  let known: readonly string[] = []
  let places: readonly number[] = []
  return (names) => {
    if (names !== known) {
      known = names
      places = outputFeatures.map(({ name }) => names.indexOf(name))
    }
    return places
  }
}
