// Kafka: one output message per object, as the pipeline's other steps read them.
import { firstMaximum } from '../../pipeline/batch.ts'
import type { ClassifiedBatch, MessageFeatures, Reject, Taxonomy } from '../../pipeline/batch.ts'
import type { Sink, SinkContext, WriteOutcome } from '../../pipeline/sink.ts'
import type { OutgoingMessage } from './client/delivery.ts'
import { type MessageOutlet, openOutlet } from './client/outlet.ts'
import { createOutputMessageEncoder, type MessageLevel, outputFeatures, type OutputMessage } from './output-message.ts'
import type { KafkaSinkSpec } from './spec.ts'
import { dailyTopic } from './topics.ts'

/**
 * Opens a topic, and creates it where it does not exist and may be created. A batch is safe on all in-sync replicas when
 * its `write` resolves; with somebody else's outlet, when that one says so.
 *
 * @throws ServiceError for brokers that do not answer, or a topic that cannot be written to
 */
export async function openKafkaSink(spec: KafkaSinkSpec, context: SinkContext, outlet?: MessageOutlet): Promise<Sink> {
  const { address } = spec
  const topicOf = dailyTopic(spec.topic, spec.daily)
  const opened = outlet ?? (await openOutlet(spec.connection, topicOf(new Date())))
  const encode = createOutputMessageEncoder(spec.outputSchema)
  const contentOf = createContents(context.taxonomy)

  /** A message that its topic does not allow costs no other one. */
  async function write(batch: ClassifiedBatch): Promise<WriteOutcome> {
    const topic = topicOf(new Date())
    const rows = new Map<OutgoingMessage, number>()
    const refused: Reject[] = []
    for (let row = 0; row < batch.rowCount; row++) {
      const oid = batch.oids[row]!
      const candid = batch.candids[row]
      if (candid === null || candid === undefined) {
        const reason = 'candid is missing, and an output message must have one'
        refused.push({ oid, where: oid, reason, message: batch.messages?.[row] })
        continue
      }
      rows.set({ topic, key: Buffer.from(oid), value: encode({ oid, candid, ...contentOf(batch, row) }) }, row)
    }
    if (rows.size > 0) {
      await opened.send([...rows.keys()], (message) => {
        const row = rows.get(message)
        // told before, by a session that was lost
        if (row === undefined || !rows.delete(message)) return
        const reason = 'its output message is larger than the topic allows (max.message.bytes)'
        refused.push({ oid: batch.oids[row]!, where: address, reason, message: batch.messages?.[row] })
      })
    }
    return { objects: rows.size, rows: rows.size, refused, superseded: 0 }
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

/** What the message of a row holds beside its ids. */
function createContents({ levels }: Taxonomy) {
  const [product, ...others] = levels
  const topPlace = 1 + others.findIndex(({ branch }) => branch === null)
  const childPlaces = levels.map((_, place) => place).filter((place) => place > 0 && place !== topPlace)
  const featuresOf = createEcho()
  const width = product!.classes.length

  return (batch: ClassifiedBatch, row: number): Omit<OutputMessage, 'oid' | 'candid'> => {
    const level = (place: number): MessageLevel => {
      const { classes } = levels[place]!
      return { classes, values: batch.probabilities[place]!, start: row * classes.length }
    }
    return {
      features: featuresOf(batch.echo, row),
      probabilities: level(0),
      className: product!.classes[firstMaximum(batch.probabilities[0]!, row * width, width)]!,
      top: topPlace > 0 ? level(topPlace) : undefined,
      children: childPlaces.map((place) => ({ branch: levels[place]!.branch!, level: level(place) })),
    }
  }
}

/** The output features of a row, in memory that the next call overwrites; without an echo all are missing. */
function createEcho() {
  const features = new Float64Array(outputFeatures.length)
  // worked out once, since batches share their names
  let known: readonly string[] = []
  let places = outputFeatures.map(() => -1)

  return (echo: MessageFeatures | undefined, row: number): Float64Array => {
    if (!echo) return features.fill(NaN)
    if (echo.names !== known) {
      known = echo.names
      places = outputFeatures.map(({ name }) => known.indexOf(name))
    }
    const start = row * echo.names.length
    for (let f = 0; f < features.length; f++) {
      const place = places[f]!
      features[f] = place < 0 ? NaN : echo.values[start + place]!
    }
    return features
  }
}
