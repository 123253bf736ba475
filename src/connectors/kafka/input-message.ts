// One Kafka value → an alert's ids and features, whatever it is framed in.
import { isJsonRecord, jsonNumber, type JsonRecord, jsonScalar, parseJsonLine } from '../../formats/text-values.ts'
import {
  type AlertReader,
  type AlertSlots,
  beginAlert,
  compileAlertReader,
  mjdOf,
  newAlertSlots,
} from '../../formats/avro/alert-reader.ts'
import { type ContainerHeader, firstRecord, isContainer, readContainerHeader } from '../../formats/avro/container.ts'
import { AvroBytesError, AvroCursor } from '../../formats/avro/cursor.ts'
import { newest } from '../../formats/avro/detection-reader.ts'
import { type AvroRecord, AvroSchemaError, parseAvroRecord } from '../../formats/avro/schema.ts'
import { featuresField } from '../columns/alert-schema.ts'

/** What the names in a message mean, after renaming. */
export interface MessageNames {
  readonly oid: string
  readonly candid: string
  /** undefined: nobody wants to know when an object was last seen */
  readonly mjd?: string | undefined
  /** of the list of detections; undefined: they are passed over */
  readonly detections?: string | undefined
  /** input name → slot; the model's features have the slots from 0 to `required - 1`, features only to be echoed the rest */
  readonly slotOf: ReadonlyMap<string, number>
  readonly slotCount: number
  readonly required: number
}

/** What one value says. */
export type MessageReading = AlertMessage | BadMessage | UnknownSchema

/** An alert; its features were put into the caller's array, NaN for null and for what is absent. */
export interface AlertMessage {
  readonly kind: 'alert'
  /** text or integer as the message has it; undefined if there is none */
  readonly oid: unknown
  /** integer, text or a list of them; undefined if there is none */
  readonly candid: unknown
  /** MJD of the newest detection; NaN where the message does not say, or nobody asked */
  readonly mjd: number
  /** those that are not forced; 0 where nobody asked */
  readonly detections: number
  /** false where the message has no features at all, or null for them */
  readonly hasFeatures: boolean
  /** slots of required features whose key is absent */
  readonly absent: readonly number[]
  /** slot of a required feature that is not a number; −1 if all are */
  readonly unreadable: number
  /** a container's records after the first, which are not read (the original did not read them either) */
  readonly further: number
  /** nothing but its bytes says that it is of the schema it was read by */
  readonly isBare: boolean
}

/** What values without any framing are: the record that they are data of, and what its names mean. */
interface BareSchema {
  readonly record: AvroRecord
  readonly names: MessageNames
}

/** A value that is not an alert; `reason` is one of a few texts, because messages are counted by it. */
export type BadMessage = { readonly kind: 'bad'; readonly reason: string; readonly detail?: string }

/** A value by a schema of a registry: `addSchema`, then read it again. */
export interface UnknownSchema {
  readonly kind: 'unknown schema'
  readonly id: number
  /** what it is where there is no registry, though values without framing are expected */
  readonly otherwise?: BadMessage
}

/** What a registry says of an id: an Avro schema, that the values are JSON, or why there is none. */
export type RegisteredSchema = { readonly avro: string } | { readonly json: true } | { readonly reason: string }

type KnownContainer = { readonly header: ContainerHeader; readonly reader: AlertReader | BadMessage }

/** more schemas than any topic has; further ones push out the one unused for longest */
const keptSchemas = 64
/** a hundred times what real headers have: what is compiled from them takes far more */
const keptHeaderBytes = 2 * 1024 * 1024
/** ids of a registry; broken messages hold any number of different ones */
const keptRegistered = 1000
/** of a registry's frame: 0, and the id of a schema */
const frameLength = 5

export type MessageReader = ReturnType<typeof createMessageReader>

/**
 * Reads values one after the other. Keeps one compiled reader for each distinct schema text.
 *
 * @param bare what a value is that is framed in nothing; undefined: there are no such values
 */
export function createMessageReader(names: MessageNames, bare?: BareSchema) {
  const cursor = new AvroCursor()
  const slots = newAlertSlots(names.slotCount)
  const containers: KnownContainer[] = []
  const registered = new Map<number, AlertReader | BadMessage | 'json'>()
  const bareReader = bare && compileAlertReader(bare.record, { ...bare.names, features: featuresField, isStrict: true })

  /** Nothing is read of the value. */
  function again(): void {
    slots.values.fill(NaN, slots.start, slots.start + names.slotCount)
    beginAlert(slots)
  }

  function alert(further: number, isBare = false): AlertMessage {
    const { oid, candid, detections, hasFeatures, seen, record } = slots
    const unreadable = slots.unreadable < names.required ? slots.unreadable : -1
    const absent: number[] = []
    for (let slot = 0; slot < names.required; slot++) if (seen[slot] !== record) absent.push(slot)
    const mjd = mjdOf(slots)
    return { kind: 'alert', oid, candid, mjd, detections, hasFeatures, absent, unreadable, further, isBare }
  }

  function containerOf(value: Uint8Array): KnownContainer {
    if (containers.length > 0 && beginsWith(value, containers[0]!)) return containers[0]!
    const place = containers.findIndex((known) => beginsWith(value, known))
    if (place > 0) containers.unshift(...containers.splice(place, 1))
    else {
      const header = readContainerHeader(value)
      containers.unshift({ header, reader: compiled(header.schema) })
    }
    while (containers.length > 1 && (containers.length > keptSchemas || headerBytes() > keptHeaderBytes))
      containers.pop()
    return containers[0]!
  }

  const headerBytes = (): number => containers.reduce((sum, { header }) => sum + header.bytes.length, 0)

  function compiled(schema: string): AlertReader | BadMessage {
    try {
      return compileAlertReader(parseAvroRecord(schema), { ...names, features: featuresField })
    } catch (error) {
      if (!(error instanceof AvroSchemaError) && !(error instanceof RangeError)) throw error
      return { kind: 'bad', reason: 'the Avro schema cannot be used', detail: error.message }
    }
  }

  function readContainer(value: Uint8Array): MessageReading {
    const { header, reader } = containerOf(value)
    if (typeof reader !== 'function') return reader
    const record = firstRecord(value, header, cursor)
    cursor.reset(record.bytes, record.start, record.end)
    reader(cursor, slots)
    if (record.inBlock === 1 && cursor.remaining > 0) throw new AvroBytesError('the record is longer than its schema')
    return alert(record.further)
  }

  function readRegistered(value: Uint8Array): MessageReading {
    if (value.length < frameLength) return { kind: 'bad', reason: unknownFrame }
    const id = new DataView(value.buffer, value.byteOffset).getInt32(1)
    const reader = registered.get(id)
    if (reader === undefined) return { kind: 'unknown schema', id }
    if (reader === 'json') return readJson(value.subarray(frameLength))
    if (typeof reader !== 'function') return reader
    cursor.reset(value, frameLength, value.length)
    reader(cursor, slots)
    if (cursor.remaining > 0) throw new AvroBytesError('the record is longer than its schema')
    return alert(0)
  }

  function readJson(value: Uint8Array): MessageReading {
    const text = Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8')
    // a byte order mark is not part of the text
    const record = parseJsonLine(text.replace(/^\ufeff/, ''))
    if (!record) return { kind: 'bad', reason: 'the value is not a JSON object' }
    slots.oid = jsonId(record, names.oid)
    slots.candid = jsonId(record, names.candid)
    fillFromJson(record, names, slots)
    tellTimes(record, names, slots)
    return alert(0)
  }

  /** A datum that fits, to its last byte. */
  function readBare(value: Uint8Array): MessageReading {
    cursor.reset(value, 0, value.length)
    try {
      bareReader!(cursor, slots)
      if (cursor.remaining > 0) throw new AvroBytesError(`${cursor.remaining} bytes are left after its end`)
      return alert(0, true)
    } catch (error) {
      return { kind: 'bad', reason: 'the value does not fit the schema', detail: detailOf(error) }
    }
  }

  /** By its first bytes; undefined for a value that is framed in nothing. */
  function readFramed(value: Uint8Array): MessageReading | undefined {
    try {
      if (isContainer(value)) return readContainer(value)
      if (value[0] === 0) return readRegistered(value)
      return beginsAsJson(value) ? readJson(value) : undefined
    } catch (error) {
      return { kind: 'bad', reason: 'the Avro data is broken', detail: detailOf(error) }
    }
  }

  /**
   * The framing has the first say, the datum the second: a container and JSON are hardly ever both by chance, and neither
   * begins like a text, which an oid is. A registry's frame is five bytes that may be any, so there the datum is first; with
   * the oid in its first field it cannot begin with 0, which is an empty text.
   */
  function readFramedOrBare(value: Uint8Array): MessageReading {
    if (value[0] === 0) {
      const datum = readBare(value)
      if (datum.kind === 'alert' || value.length < frameLength) return datum
      again()
      const framed = readFramed(value)!
      return framed.kind === 'unknown schema' && datum.kind === 'bad' ? { ...framed, otherwise: datum } : framed
    }
    const framed = readFramed(value)
    if (framed?.kind === 'alert') return framed
    if (framed) again()
    const datum = readBare(value)
    return datum.kind === 'alert' ? datum : (framed ?? datum)
  }

  return {
    /** Puts a number for each slot into `into` from `start` on. Never throws for what a value holds. */
    read(value: Uint8Array | null, into: Float64Array, start: number): MessageReading {
      slots.values = into
      slots.start = start
      again()
      if (value === null || value.length === 0) return { kind: 'bad', reason: 'the value is empty' }
      if (bareReader) return readFramedOrBare(value)
      return readFramed(value) ?? { kind: 'bad', reason: unknownFrame }
    },
    addSchema(id: number, schema: RegisteredSchema): void {
      if (registered.size >= keptRegistered) registered.delete(registered.keys().next().value!)
      if ('avro' in schema) registered.set(id, compiled(schema.avro))
      else if ('json' in schema) registered.set(id, 'json')
      else registered.set(id, { kind: 'bad', reason: 'the schema registry has no such schema', detail: schema.reason })
    },
  }
}

const unknownFrame = 'the value is neither an Avro container nor JSON'

/** @throws what is not about the bytes; a record that contains itself can be nested deeper than the stack */
function detailOf(error: unknown): string {
  if (error instanceof AvroBytesError || error instanceof RangeError) return error.message
  throw error
}

function beginsWith(value: Uint8Array, { header: { bytes } }: KnownContainer): boolean {
  return value.length >= bytes.length && bytes.compare(value, 0, bytes.length) === 0
}

/** White space or a byte order mark may stand before the brace. */
function beginsAsJson(value: Uint8Array): boolean {
  const start = value[0] === 0xef && value[1] === 0xbb && value[2] === 0xbf ? 3 : 0
  for (let i = start; i < value.length; i++) {
    const byte = value[i]!
    if (byte === 0x7b) return true
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false
  }
  return false
}

function jsonId(record: JsonRecord, name: string): unknown {
  if (!Object.hasOwn(record, name)) return undefined
  const value = jsonScalar(record[name])
  return Array.isArray(value) ? value.map(jsonScalar) : value
}

/** Features in an object of their own, or beside the ids. */
function fillFromJson(record: JsonRecord, names: MessageNames, slots: AlertSlots): void {
  const nested = Object.hasOwn(record, 'features') ? record['features'] : record
  if (!isJsonRecord(nested)) return
  slots.hasFeatures = true
  for (const [name, slot] of names.slotOf) {
    if (!Object.hasOwn(nested, name)) continue
    const number = jsonNumber(nested[name])
    slots.seen[slot] = slots.record
    slots.values[slots.start + slot] = number ?? NaN
    if (number === undefined && (slots.unreadable < 0 || slot < slots.unreadable)) slots.unreadable = slot
  }
}

/** When the object was last seen, and how many of its detections are not forced, as far as anybody asks. */
function tellTimes(record: JsonRecord, { mjd, detections }: MessageNames, slots: AlertSlots): void {
  if (mjd !== undefined && Object.hasOwn(record, mjd)) slots.mjd = jsonNumber(record[mjd]) ?? NaN
  const all = detections !== undefined && Object.hasOwn(record, detections) ? record[detections] : undefined
  for (const detection of Array.isArray(all) ? (all as unknown[]) : []) {
    if (!isJsonRecord(detection)) continue
    if (detection['forced'] !== true) slots.detections++
    slots.lastMjd = newest(slots.lastMjd, jsonNumber(detection['mjd']) ?? NaN)
  }
}
