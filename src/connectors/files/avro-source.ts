// Avro object containers as a source: the pipeline's own messages kept as files, all records of each.
import { type BatchAssembler, createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import { DataError } from '../../errors.ts'
import { type AvroBlock, type AvroFileHeader, readAvroBlock, readAvroFileHeader } from '../../formats/avro/file.ts'
import { type ByteReader, createByteReader } from '../../formats/byte-reader.ts'
import { type AlertReader, type AlertSlots, compileAlertReader } from '../../formats/avro/alert-reader.ts'
import { AvroBytesError, AvroCursor } from '../../formats/avro/cursor.ts'
import { checkAvroSchema, featuresField } from './avro-record-schema.ts'
import { openByteInput } from './byte-input.ts'
import { deliverRows } from '../deliver.ts'
import { furtherNames, recordKeys } from '../columns/settle-names.ts'
import { createRestartable } from './peek.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { SourceSpec } from '../spec.ts'

/** A file that was begun. */
interface Started {
  readonly bytes: ByteReader
  readonly header: AvroFileHeader
}

/**
 * Opens an Avro object container.
 *
 * @throws DataError for what is no container or has no such fields
 */
export async function openAvroSource(spec: Extract<SourceSpec, { kind: 'file' }>, given: ReadOptions): Promise<Source> {
  const input = await openByteInput(spec)
  const starts = createRestartable<Started>(
    async () => {
      const bytes = createByteReader(input.chunks())
      try {
        return { bytes, header: await readAvroFileHeader(bytes, input.name) }
      } catch (error) {
        await bytes.close()
        throw error
      }
    },
    { replayable: input.replayable, dispose: ({ bytes }) => bytes.close() },
  )
  const { schema, options } = await starts.peek(({ header }) =>
    checkAvroSchema(header.container.schema, given, input.name),
  )
  return {
    identity: input.identity,
    schema,
    replayable: input.replayable,
    ...input.progress,
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...options, ...schema })
      const stop = (): void => input.stop()
      signal.addEventListener('abort', stop)
      const { bytes, header } = await starts.take()
      try {
        const slots = newSlots(options.features.length)
        const read = compileAlertReader(header.container.schema, namesOf(options))
        const add = rowReader(assembler, slots, options, input.name)
        yield* deliverRows(recordsOf(bytes, header, read, slots, input.name), assembler, add, signal)
        if (!signal.aborted) await input.checkUnchanged()
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        signal.removeEventListener('abort', stop)
        await bytes.close()
      }
    },
    async close() {
      input.stop()
      await starts.close()
    },
  }
}

function namesOf(options: ReadOptions): Parameters<typeof compileAlertReader>[1] {
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
  return {
    oid: undefined,
    candid: undefined,
    hasFeatures: false,
    values: new Float64Array(width),
    start: 0,
    seen: new Uint32Array(width),
    record: 0,
    unreadable: -1,
  }
}

/** For each block its records' numbers, each with the slots filled when it is asked for. */
async function* recordsOf(
  bytes: ByteReader,
  header: AvroFileHeader,
  read: AlertReader,
  slots: AlertSlots,
  inputName: string,
): AsyncGenerator<Iterable<number>, void, undefined> {
  let before = 0
  for (;;) {
    const block = await readAvroBlock(bytes, header, `${inputName} after record ${before}`)
    if (!block) return
    yield recordsOfBlock(block, read, slots, before, inputName)
    before += block.count
  }
}

function* recordsOfBlock(
  block: AvroBlock,
  read: AlertReader,
  slots: AlertSlots,
  before: number,
  inputName: string,
): Generator<number, void, undefined> {
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
function rowReader(
  assembler: BatchAssembler,
  slots: AlertSlots,
  { features }: ReadOptions,
  inputName: string,
): (record: number) => void {
  return (record) => {
    const { oid, candid } = slots
    if (!assembler.admit(oid)) return
    const where = `${inputName} record ${record}`
    const absent = absentSlots(slots)
    if (absent.length > 0) {
      const others = absent.length - 1
      const more = others === 0 ? {} : { value: `and ${others} more` }
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
