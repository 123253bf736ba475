// The recorded messages of the original, and a second opinion on what they hold.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import avro from 'avsc'

const folder = fileURLToPath(new URL('../fixtures/kafka', import.meta.url))

/** The 40 messages the original read, and the 40 it wrote. */
export function seedRun(kind: 'input' | 'output'): Buffer[] {
  return unpacked(`seed-run-${kind}`)
}

/** 30 messages of the pipeline since 2023: bare Avro data of `bareSchema`. */
export function bareRun(): Buffer[] {
  return unpacked('bhrf-input')
}

/** The schema of those, beside the file of the type that it names. */
export const bareSchema = `${folder}/feature_step/output.avsc`

function unpacked(name: string): Buffer[] {
  const packed = gunzipSync(readFileSync(`${folder}/${name}.bin.gz`))
  const messages: Buffer[] = []
  for (let at = 0; at < packed.length;) {
    const length = packed.readUInt32BE(at)
    messages.push(packed.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return messages
}

/** A container taken apart by hand: metadata in order, and the bytes of its one record. */
export interface TakenApart {
  readonly metadata: readonly (readonly [string, string])[]
  readonly record: Buffer
}

/** Takes apart a container of one record without a codec. */
export function takeApart(message: Buffer): TakenApart {
  let at = 4
  const integer = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value / 2
    }
  }
  const bytes = (): Buffer => {
    const length = integer()
    return message.subarray(at, (at += length))
  }
  const metadata = Array.from({ length: integer() }, () => [bytes().toString(), bytes().toString()] as const)
  if (integer() !== 0) throw new Error('the header has a second block')
  const sync = message.subarray(at, (at += 16))
  if (integer() !== 1) throw new Error('not one record')
  const record = bytes()
  if (!message.subarray(at).equals(sync)) throw new Error('the message does not end with its sync marker')
  return { metadata, record }
}

const bigints = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer(value: bigint) {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

/** What avsc makes of a record by a schema that it accepts; longs as bigint. */
export function avscType(schema: unknown): avro.Type {
  const typeHook = (part: unknown): avro.Type | undefined => (isLong(part) ? bigints : undefined)
  return avro.Type.forSchema(schema as avro.Schema, { registry: {}, typeHook: typeHook as never, wrapUnions: 'auto' })
}

function isLong(part: unknown): boolean {
  return part === 'long' || (typeof part === 'object' && part !== null && 'type' in part && part.type === 'long')
}

/** An alert as a test compares it. */
export interface PlainAlert {
  readonly oid: string
  readonly candid: bigint
  readonly features: Readonly<Record<string, number | null>>
}

/** An output as a test compares it. */
export interface PlainOutput extends PlainAlert {
  readonly lc_classification: {
    readonly probabilities: Readonly<Record<string, number>>
    readonly class: string
    readonly hierarchical: {
      readonly top: Readonly<Record<string, number>>
      readonly children: Readonly<Record<string, Readonly<Record<string, number>>>>
    }
  }
}

/** A recorded message as avsc reads it, through an equivalent schema whose names it accepts. */
export function plainAlert(message: Buffer): PlainAlert {
  const { type, names, record } = opened(message, (schema) => schema)
  return withNames(type.fromBuffer(record) as PlainAlert, names)
}

/** The same for an output message; the union of two maps is read as a record would be. */
export function plainOutput(message: Buffer): PlainOutput {
  const { type, names, record } = opened(message, (schema) => {
    const map = { type: 'map', values: 'float' }
    const flat = { type: 'record', name: 'flat', fields: [{ name: 'map', type: map }] }
    const nested = { type: 'record', name: 'nested', fields: [{ name: 'map', type: { type: 'map', values: map } }] }
    const { fields } = (schema as OutputSchemaJson).fields[3]!.type
    fields[2]!.type = { type: 'map', values: [flat, nested] }
    return schema
  })
  const read = type.fromBuffer(record) as ReadOutput
  const { probabilities, class: className, hierarchical } = read.lc_classification
  const branch = (name: string): unknown => Object.values(hierarchical[name]!)[0]!.map
  const top = branch('top') as PlainOutput['lc_classification']['hierarchical']['top']
  const children = branch('children') as PlainOutput['lc_classification']['hierarchical']['children']
  return withNames(
    { ...read, lc_classification: { probabilities, class: className, hierarchical: { top, children } } },
    names,
  )
}

interface Opened {
  readonly type: avro.Type
  readonly names: readonly string[]
}

const openedSchemas = new Map<string, Opened>()

type SchemaJson = { fields: { name: string; type: unknown }[] }

function opened(message: Buffer, adapt: (schema: SchemaJson) => SchemaJson): Opened & { readonly record: Buffer } {
  const { metadata, record } = takeApart(message)
  const text = new Map(metadata).get('avro.schema')!
  let known = openedSchemas.get(text)
  if (!known) {
    const schema = JSON.parse(text) as SchemaJson
    const names = renameFeatures(schema)
    known = { type: avscType(adapt(schema)), names }
    openedSchemas.set(text, known)
  }
  return { ...known, record }
}

interface OutputSchemaJson {
  fields: { name: string; type: { fields: { name: string; type: unknown }[] } }[]
}

interface ReadOutput extends PlainAlert {
  readonly lc_classification: {
    readonly probabilities: Readonly<Record<string, number>>
    readonly class: string
    readonly hierarchical: Readonly<Record<string, Readonly<Record<string, { readonly map: unknown }>>>>
  }
}

/** Puts legal names in place of the features' own; answers the own names in order. */
function renameFeatures(schema: { fields: { name: string; type: unknown }[] }): string[] {
  const { fields } = schema.fields[2]!.type as { fields: { name: string }[] }
  return fields.map((field, i) => {
    const { name } = field
    field.name = `f${i}`
    return name
  })
}

function withNames<Message extends PlainAlert>(message: Message, names: readonly string[]): Message {
  const features = Object.fromEntries(names.map((name, i) => [name, message.features[`f${i}`] ?? null]))
  return { ...message, features }
}
