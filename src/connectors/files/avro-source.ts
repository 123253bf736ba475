// Avro object containers as a source: the pipeline's own messages kept as files, all records of each.
import { DataError } from '../../errors.ts'
import { type AlertReader, type AlertSlots, compileAlertReader } from '../../formats/avro/alert-reader.ts'
import { type AvroBlock, readAvroBlock, readAvroFileHeader } from '../../formats/avro/container.ts'
import { AvroBytesError, AvroCursor } from '../../formats/avro/cursor.ts'
import { type AvroRecord, AvroSchemaError, type AvroType, parseAvroSchema } from '../../formats/avro/schema.ts'
import { createByteReader } from '../../formats/chunks.ts'
import type { BatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { OidType } from '../../pipeline/batch.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { ColumnError, missingColumns, refuseAbsentRenames } from '../columns/match-columns.ts'
import { furtherNames, recordKeys, settleNames } from '../columns/settle-names.ts'
import { deliverRows } from '../deliver.ts'
import { byteSource, openByteInput } from './byte-input.ts'

const featuresField = 'features'

/**
 * Opens an Avro object container.
 *
 * @throws DataError for what is no container or has no such fields
 */
export async function openAvroSource(spec: FileSourceSpec, given: ReadOptions): Promise<Source> {
  const input = await openByteInput(spec)
  const { schema, options } = await input.peek(async (chunks) => {
    const { container } = await readAvroFileHeader(createByteReader(chunks), input.name)
    return checkAvroSchema(container.schema, given, input.name)
  })
  return byteSource(input, schema, options, async function* (assembler, signal) {
    const bytes = createByteReader(input.chunks())
    try {
      const header = await readAvroFileHeader(bytes, input.name)
      const slots = newSlots(options.features.length)
      const read = compileAlertReader(header.container.schema, alertNames(options))
      const blocks = async function* (): AsyncGenerator<Iterable<number>, void, undefined> {
        for (let before = 0; ;) {
          const block = await readAvroBlock(bytes, header, `${input.name} after record ${before}`)
          if (!block) return
          yield recordsOfBlock(block, read, slots, before, input.name)
          before += block.count
        }
      }
      yield* deliverRows(blocks(), assembler, rowReader(assembler, slots, options, input.name), signal)
    } finally {
      await bytes.close()
    }
  })
}

function alertNames(options: ReadOptions): Parameters<typeof compileAlertReader>[1] {
  const keys = recordKeys(options)
  const slotOf = new Map<string, number>()
  keys.features.forEach((key, slot) => {
    if (key !== undefined) slotOf.set(key, slot)
  })
  for (const [name, slot] of furtherNames(options)) if (!slotOf.has(name)) slotOf.set(name, slot)
  // a name that a rename took away is no field's name
  return { oid: keys.oid ?? '', candid: keys.candid ?? '', features: featuresField, slotOf }
}

function newSlots(width: number): AlertSlots {
  const numbers = { values: new Float64Array(width), start: 0, seen: new Uint32Array(width), record: 0, unreadable: -1 }
  return { oid: undefined, candid: undefined, hasFeatures: false, ...numbers }
}

/** The records' numbers, each with the slots filled when it is asked for. */
function* recordsOfBlock(block: AvroBlock, read: AlertReader, slots: AlertSlots, before: number, inputName: string) {
  const cursor = new AvroCursor()
  cursor.reset(block.bytes, block.start, block.end)
  for (let i = 1; i <= block.count; i++) {
    try {
      begin(slots)
      read(cursor, slots)
      if (i === block.count && cursor.remaining > 0) throw new AvroBytesError('it is longer than its schema')
    } catch (cause) {
      // a record that contains itself can be nested deeper than the stack
      if (!(cause instanceof AvroBytesError) && !(cause instanceof RangeError)) throw cause
      throw new DataError(`${inputName} record ${before + i} cannot be read: ${cause.message}`, { cause })
    }
    yield before + i
  }
}

function begin(slots: AlertSlots): void {
  slots.oid = undefined
  slots.candid = undefined
  slots.hasFeatures = false
  slots.unreadable = -1
  slots.record = (slots.record + 1) >>> 0
  if (slots.record > 0) return
  slots.seen.fill(0)
  slots.record = 1
}

/** The function that takes the record that the slots hold. */
function rowReader(assembler: BatchAssembler, slots: AlertSlots, { features }: ReadOptions, inputName: string) {
  return (record: number): void => {
    const { oid, candid } = slots
    if (!assembler.admit(oid)) return
    const where = `${inputName} record ${record}`
    const absent = absentSlots(slots)
    if (absent.length > 0) {
      const more = absent.length === 1 ? {} : { value: `and ${absent.length - 1} more` }
      assembler.reject(oid, { where, reason: `${features[absent[0]!]} is absent`, ...more })
    } else if (slots.unreadable >= 0) {
      assembler.reject(oid, { where, reason: `${features[slots.unreadable]} is not a number` })
    } else {
      assembler.accept({ oid, candid, where }, slots.values)
    }
  }
}

function absentSlots({ seen, record }: AlertSlots): number[] {
  const absent: number[] = []
  for (let slot = 0; slot < seen.length; slot++) if (seen[slot] !== record) absent.push(slot)
  return absent
}

// What a schema says of its records before the first is read.

/**
 * Checks that a schema's records can have what is needed.
 *
 * @throws DataError naming every missing field; a map may have any key, so that its keys are the rows' matter
 */
function checkAvroSchema(text: string, given: ReadOptions, inputName: string) {
  const { fields } = parsed(text, inputName)
  const typeOf = (name: string | undefined): AvroType | undefined => fields.find((field) => field.name === name)?.type
  const features = typeOf(featuresField)
  if (!features) throw new DataError(`${inputName}: its records have no field ${featuresField}`)
  const featureNames = fieldsOf(features)
  const names = [...fields.map(({ name }) => name), ...(featureNames ?? [])]
  const options = featureNames ? settleNames(given, names) : given
  const keys = recordKeys(options)
  const oid = typeOf(keys.oid)
  const candid = typeOf(keys.candid)
  const missing = [
    ...(oid ? [] : [options.idColumn]),
    ...(candid || options.candidColumn === 'candid' ? [] : [options.candidColumn]),
    ...options.features.filter((_, f) => featureNames && !featureNames.includes(keys.features[f] ?? '')),
  ]
  if (featureNames) refuseAbsentRenames(names, options.rename, inputName)
  if (missing.length > 0) {
    const others = names.filter((name) => name !== featuresField && !options.features.includes(name))
    throw missingColumns(missing, others, options, inputName)
  }
  if (candid) refuseOtherIds(candid, options.candidColumn, inputName, true)
  refuseOtherIds(oid!, options.idColumn, inputName, false)
  return { schema: { oidType: oidTypeOf(oid!), hasCandid: candid !== undefined }, options }
}

function parsed(text: string, inputName: string): AvroRecord {
  try {
    const schema = parseAvroSchema(text)
    if (schema.kind === 'record') return schema
    throw new AvroSchemaError('the schema is no record')
  } catch (cause) {
    if (!(cause instanceof AvroSchemaError) && !(cause instanceof RangeError)) throw cause
    throw new DataError(`${inputName}: its schema cannot be read: ${cause.message}`, { cause })
  }
}

/** The fields that every record of features has; undefined where they are not known before the records. */
function fieldsOf(features: AvroType): readonly string[] | undefined {
  const [only, ...others] = branchesOf(features)
  return only?.kind === 'record' && others.length === 0 ? only.fields.map(({ name }) => name) : undefined
}

/** The types that a value may have, null apart. */
function branchesOf(type: AvroType): readonly AvroType[] {
  if (type.kind === 'union') return type.branches.flatMap(branchesOf)
  return type.kind === 'null' ? [] : [type]
}

function oidTypeOf(type: AvroType): OidType {
  const branches = branchesOf(type)
  return branches.length > 0 && branches.every(({ kind }) => kind === 'integer') ? 'int64' : 'string'
}

function refuseOtherIds(type: AvroType, column: string, inputName: string, mayBeList: boolean): void {
  for (const branch of branchesOf(type)) {
    if (branch.kind === 'integer' || branch.kind === 'text') continue
    if (branch.kind === 'array' && mayBeList) {
      refuseOtherIds(branch.items, column, inputName, false)
      continue
    }
    const what = `${inputName}: field ${column} holds ${branch.kind}`
    if (branch.kind !== 'float' && branch.kind !== 'double') throw new ColumnError(column, `${what}, not ids`)
    throw new ColumnError(column, `${what}: the ids are already broken`, { hint: 'Write it as long or string.' })
  }
}
