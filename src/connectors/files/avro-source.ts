// Avro object containers as a source: the pipeline's own messages kept as files, all records of each.
import { DataError } from '../../errors.ts'
import {
  type AlertNames,
  type AlertReader,
  type AlertSlots,
  beginAlert,
  compileAlertReader,
  mjdOf,
  newAlertSlots,
} from '../../formats/avro/alert-reader.ts'
import { type AvroBlock, readAvroBlock, readAvroFileHeader } from '../../formats/avro/container.ts'
import { AvroBytesError, AvroCursor } from '../../formats/avro/cursor.ts'
import { type AvroRecord, AvroSchemaError, parseAvroRecord } from '../../formats/avro/schema.ts'
import { createByteReader } from '../../formats/chunks.ts'
import type { BatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { checkAlertSchema, featuresField, tooFewDetections, wantedDetections } from '../columns/alert-schema.ts'
import { furtherNames, recordKeys } from '../columns/settle-names.ts'
import { deliverRows } from '../deliver.ts'
import { byteSource, openByteInput } from './byte-input.ts'

/**
 * Opens an Avro object container.
 *
 * @throws DataError for what is no container or has no such fields
 */
export async function openAvroSource(spec: FileSourceSpec, given: ReadOptions): Promise<Source> {
  const input = await openByteInput(spec)
  const { schema, options } = await input.peek(async (chunks) => {
    const { container } = await readAvroFileHeader(createByteReader(chunks), input.name)
    return checkAlertSchema(recordIn(container.schema, input.name), given, input.name)
  })
  return byteSource(input, schema, options, async function* (assembler, signal) {
    const bytes = createByteReader(input.chunks())
    try {
      const header = await readAvroFileHeader(bytes, input.name)
      const slots = newAlertSlots(options.features.length)
      const read = compileAlertReader(recordIn(header.container.schema, input.name), alertNames(options))
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

function recordIn(text: string, inputName: string): AvroRecord {
  try {
    return parseAvroRecord(text)
  } catch (cause) {
    if (!(cause instanceof AvroSchemaError) && !(cause instanceof RangeError)) throw cause
    throw new DataError(`${inputName}: its schema cannot be read: ${cause.message}`, { cause })
  }
}

function alertNames(options: ReadOptions): AlertNames {
  const keys = recordKeys(options)
  const slotOf = new Map<string, number>()
  keys.features.forEach((key, slot) => {
    if (key !== undefined) slotOf.set(key, slot)
  })
  for (const [name, slot] of furtherNames(options)) if (!slotOf.has(name)) slotOf.set(name, slot)
  // a name that a rename took away is no field's name
  const { oid = '', candid = '', mjd } = keys
  return { oid, candid, mjd, features: featuresField, detections: wantedDetections(options), slotOf }
}

/** The records' numbers, each with the slots filled when it is asked for. */
function* recordsOfBlock(block: AvroBlock, read: AlertReader, slots: AlertSlots, before: number, inputName: string) {
  const cursor = new AvroCursor()
  cursor.reset(block.bytes, block.start, block.end)
  for (let i = 1; i <= block.count; i++) {
    try {
      beginAlert(slots)
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

/** The function that takes the record that the slots hold. */
function rowReader(assembler: BatchAssembler, slots: AlertSlots, options: ReadOptions, inputName: string) {
  const { features, minDetections = 0 } = options
  return (record: number): void => {
    const { oid, candid, detections } = slots
    if (!assembler.admit(oid)) return
    const where = `${inputName} record ${record}`
    const absent = absentSlots(slots)
    if (detections < minDetections) {
      assembler.reject(oid, { where, reason: tooFewDetections(minDetections) })
    } else if (absent.length > 0) {
      const more = absent.length === 1 ? {} : { value: `and ${absent.length - 1} more` }
      assembler.reject(oid, { where, reason: `${features[absent[0]!]} is absent`, ...more })
    } else if (slots.unreadable >= 0) {
      assembler.reject(oid, { where, reason: `${features[slots.unreadable]} is not a number` })
    } else {
      assembler.accept({ oid, candid, mjd: mjdOf(slots), where }, slots.values)
    }
  }
}

function absentSlots({ seen, record }: AlertSlots): number[] {
  const absent: number[] = []
  for (let slot = 0; slot < seen.length; slot++) if (seen[slot] !== record) absent.push(slot)
  return absent
}
