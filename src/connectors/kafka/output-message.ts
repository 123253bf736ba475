// One classified object → the output message of the pipeline, byte by byte as the original writes it.
import { randomBytes } from 'node:crypto'
import { outputFeatures, outputSchemaText, type OutputSchema } from './output-message-schema.ts'

/** One level of the answer: class → probability, in order. */
export interface MessageLevel {
  readonly classes: readonly string[]
  /** `classes.length` values from `start` on */
  readonly values: Float64Array
  readonly start: number
}

/** What a message says. */
export interface OutputMessage {
  readonly oid: string
  readonly candid: bigint
  /** a number for each of `outputFeatures` from `featuresStart` on: NaN and ±∞ are written as null */
  readonly features: Float64Array
  readonly featuresStart: number
  /** the product over all classes */
  readonly probabilities: MessageLevel
  readonly className: string
  /** undefined for a model of one level: its `top` and `children` are empty */
  readonly top: MessageLevel | undefined
  /** branch → its level, in order */
  readonly children: readonly { readonly branch: string; readonly level: MessageLevel }[]
}

/** Writes messages, each a whole Avro container of its own. */
export type OutputMessageEncoder = (message: OutputMessage) => Buffer

/** The space a message can need beside its schema; grown for longer names. */
const firstSpace = 16 * 1024

/**
 * Framing as the original's (seed: fastavro with its defaults): the codec `null` first, then the schema, one block with one
 * record. Probabilities are float32 here and float64 in the database.
 */
export function createOutputMessageEncoder(schema: OutputSchema): OutputMessageEncoder {
  const sync = randomBytes(16)
  const header = headerOf(outputSchemaText(schema), sync)
  const isOriginal = schema === 'original'
  let space = Buffer.allocUnsafe(firstSpace)
  let at = 0

  function need(length: number): void {
    if (at + length <= space.length) return
    const larger = Buffer.allocUnsafe(Math.max(space.length * 2, at + length))
    space.copy(larger, 0, 0, at)
    space = larger
  }

  function integer(value: number): void {
    need(10)
    at = writeInteger(space, at, value)
  }

  function long(value: bigint): void {
    need(10)
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest > 0x7fn) {
      space[at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    space[at++] = Number(rest)
  }

  function text(value: string): void {
    const length = Buffer.byteLength(value)
    integer(length)
    need(length)
    at += space.write(value, at, 'utf8')
  }

  function features(values: Float64Array, start: number): void {
    need(outputFeatures.length * 9)
    for (let f = 0; f < outputFeatures.length; f++) {
      const value = values[start + f]!
      const isDouble = outputFeatures[f]!.isDouble
      // what float32 cannot hold would become an infinity, and those are null
      if (!Number.isFinite(isDouble ? value : Math.fround(value))) {
        space[at++] = 2
        continue
      }
      space[at++] = 0
      at = isDouble ? space.writeDoubleLE(value, at) : space.writeFloatLE(value, at)
    }
  }

  /** @param tag the union's branch before each value; undefined where values are plain */
  function map({ classes, values, start }: MessageLevel, tag?: number): void {
    if (classes.length > 0) integer(classes.length)
    classes.forEach((name, i) => {
      text(name)
      need(5)
      if (tag !== undefined) space[at++] = tag * 2
      at = space.writeFloatLE(values[start + i]!, at)
    })
    integer(0)
  }

  function childMaps(children: OutputMessage['children']): void {
    if (children.length > 0) integer(children.length)
    for (const { branch, level } of children) {
      text(branch)
      map(level)
    }
    integer(0)
  }

  function hierarchical({ top, children }: OutputMessage): void {
    const level = top ?? noLevel
    if (!isOriginal) {
      map(level)
      childMaps(children)
      return
    }
    integer(2)
    text('top')
    integer(0)
    map(level)
    text('children')
    // the original takes the first branch that fits, and an empty map fits the first
    integer(children.length > 0 ? 1 : 0)
    childMaps(children)
    integer(0)
  }

  return (message) => {
    at = 0
    text(message.oid)
    long(message.candid)
    features(message.features, message.featuresStart)
    map(message.probabilities, isOriginal ? 0 : undefined)
    text(message.className)
    hierarchical(message)
    return framed(header, space, at, sync)
  }
}

const noLevel: MessageLevel = { classes: [], values: new Float64Array(0), start: 0 }

function framed(header: Buffer, record: Buffer, length: number, sync: Buffer): Buffer {
  // not from the shared pool: a small message must not keep eight kilobytes of others alive
  const message = Buffer.allocUnsafeSlow(header.length + 11 + length + sync.length)
  header.copy(message)
  let at = writeInteger(message, header.length, 1)
  at = writeInteger(message, at, length)
  at += record.copy(message, at, 0, length)
  at += sync.copy(message, at)
  return message.subarray(0, at)
}

function headerOf(schema: string, sync: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('Obj\x01', 'latin1'), integerBytes(2)]
  for (const word of ['avro.codec', 'null', 'avro.schema', schema]) {
    const bytes = Buffer.from(word)
    parts.push(integerBytes(bytes.length), bytes)
  }
  parts.push(integerBytes(0), sync)
  return Buffer.concat(parts)
}

function integerBytes(value: number): Buffer {
  const bytes = Buffer.alloc(10)
  return bytes.subarray(0, writeInteger(bytes, 0, value))
}

/** A non-negative int or long in Avro's zigzag varint; answers the place after it. */
function writeInteger(into: Buffer, at: number, value: number): number {
  let rest = value * 2
  while (rest > 0x7f) {
    into[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  into[at++] = rest
  return at
}
