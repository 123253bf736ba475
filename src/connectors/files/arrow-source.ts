// Arrow IPC files and streams as a source, one record batch at a time.
import { open } from 'node:fs/promises'
import type { DataType, RecordBatch, Vector } from 'apache-arrow'
import { DataError, LcclfError, messageOf } from '../../errors.ts'
import {
  arrowFileMagic,
  arrowFileMessages,
  type ArrowLibrary,
  arrowStreamMessages,
  loadArrow,
  openArrowReader,
  type ArrowReader,
} from '../../formats/arrow/reader.ts'
import { firstLine, shownText } from '../../formats/shown-text.ts'
import type { ColumnChunk } from '../../pipeline/batch-assembler.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { addNotNumber, ColumnError, matchColumns, type NotNumbers } from '../columns/match-columns.ts'
import { settleNames } from '../columns/settle-names.ts'
import { deliverColumns } from '../deliver.ts'
import { arrowCandidReading, arrowFeatureReading, arrowOidReading, isComplete } from './arrow-columns.ts'
import { byteSource, type InputFile, openByteInput, readEnds, unreadable } from './byte-input.ts'

type Messages = AsyncGenerator<Uint8Array, void, undefined>

/** Rows handed on at a time: a record batch may hold all rows of a file. */
const rowsAChunk = 4096

/**
 * Opens an Arrow IPC file or stream.
 *
 * @throws DataError for what is no Arrow, lacks columns, or has columns that hold no numbers
 */
export async function openArrowSource(spec: FileSourceSpec, options: ReadOptions): Promise<Source> {
  const input = await openArrowInput(spec)
  const arrow = loadArrow()
  const plan = await input
    .peek(async (messages) => {
      const { reader, close } = await openArrowReader(messages)
      try {
        return planOf(arrow, reader, options, input.name)
      } finally {
        await close()
      }
    })
    .catch((error: unknown) => {
      throw damaged(input.name, error)
    })
  const schema = { oidType: plan.oid.oidType, hasCandid: plan.candid !== undefined }
  return byteSource(input, schema, plan.options, async function* (assembler, signal) {
    try {
      const { reader, close } = await openArrowReader(input.messages())
      try {
        yield* deliverColumns(chunksOf(arrow, reader, plan, input.name), assembler, signal)
      } finally {
        await close()
      }
    } catch (error) {
      throw damaged(input.name, error)
    }
  })
}

/**
 * The messages of a file by its footer, of a stream as they come.
 *
 * @throws DataError for a file that is not there or cannot be read
 */
export async function openArrowInput(spec: FileSourceSpec) {
  const { peek, chunks, ...input } = await openByteInput(spec)
  const { file, name } = input
  const head = file?.isRegular === true ? (await readEnds(file, arrowFileMagic.length)).head : undefined
  if (!file || head?.toString('latin1') !== arrowFileMagic) {
    return {
      ...input,
      messages: () => arrowStreamMessages(chunks(), name),
      peek: <T>(look: (messages: Messages) => Promise<T>) => peek((first) => look(arrowStreamMessages(first, name))),
    }
  }
  let bytesRead = 0
  const messages = (): Messages => {
    bytesRead = 0
    return fileMessages(file, (count) => (bytesRead += count))
  }
  return {
    ...input,
    messages,
    peek: <T>(look: (messages: Messages) => Promise<T>) => look(messages()),
    progress: { fractionRead: () => Math.min(1, bytesRead / file.size) },
  }
}

async function* fileMessages(file: InputFile, onRead: (bytes: number) => void): Messages {
  const handle = await open(file.path).catch((cause: unknown) => {
    throw unreadable(file.name, cause)
  })
  try {
    const read = async (position: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, file.size - position)))
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, position)
      onRead(bytesRead)
      return bytes.subarray(0, bytesRead)
    }
    yield* arrowFileMessages({ size: file.size, read }, file.name)
  } finally {
    await handle.close()
  }
}

type Plan = ReturnType<typeof planOf>

function planOf(arrow: ArrowLibrary, reader: ArrowReader, given: ReadOptions, inputName: string) {
  const { fields } = reader.schema
  const names = fields.map(({ name }) => name)
  const options = settleNames(given, names)
  const match = matchColumns(names, options, inputName)
  const read = <T>(reading: (arrow: ArrowLibrary, type: DataType, what: string) => T, place: number): T => {
    const name = names[place]!
    try {
      return reading(arrow, fields[place]!.type as DataType, `${inputName}: column ${shownText(name)}`)
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      throw new ColumnError(name, error.message, error.hint === undefined ? {} : { hint: error.hint })
    }
  }
  return {
    options,
    match,
    oid: read(arrowOidReading, match.oid),
    candid: match.candid === undefined ? undefined : read(arrowCandidReading, match.candid),
    features: match.features.map((place) => read(arrowFeatureReading, place)),
  }
}

async function* chunksOf(arrow: ArrowLibrary, reader: ArrowReader, plan: Plan, inputName: string) {
  let rowsBefore = 0
  for await (const batch of reader) {
    const columns = neededColumns(arrow, batch, plan, inputName)
    for (let start = 0; start < batch.numRows; start += rowsAChunk) {
      const end = Math.min(start + rowsAChunk, batch.numRows)
      const firstRow = rowsBefore + start + 1
      yield columnChunk(columns, plan, start, end, (row) => `${inputName} row ${firstRow + row}`)
    }
    rowsBefore += batch.numRows
  }
}

type Columns = ReturnType<typeof neededColumns>

function neededColumns(arrow: ArrowLibrary, batch: RecordBatch, { match }: Plan, inputName: string) {
  const column = (place: number): Vector => {
    const found = batch.getChildAt(place)
    const data = batch.data.children[place]
    if (!found || !isComplete(arrow, data, batch.numRows)) throw new DataError(`${inputName} is damaged`)
    return found
  }
  return {
    oid: column(match.oid),
    candid: match.candid === undefined ? undefined : column(match.candid),
    features: match.features.map(column),
  }
}

function columnChunk(
  { oid, candid, features: vectors }: Columns,
  plan: Plan,
  start: number,
  end: number,
  where: (row: number) => string,
): ColumnChunk {
  const { features, tellsAll } = plan.options
  const unreadable = new Map<number, NotNumbers>()
  return {
    rowCount: end - start,
    oid: (row) => plan.oid.read(oid, start + row),
    candid: (row) => (candid && plan.candid ? plan.candid(candid, start + row) : null),
    where,
    columns: plan.features.map((read, f) =>
      read(vectors[f]!, start, end, (row, value) => {
        unreadable.set(row - start, addNotNumber(unreadable.get(row - start), features[f]!, value, tellsAll))
      }),
    ),
    unreadable,
  }
}

function damaged(inputName: string, cause: unknown): LcclfError {
  if (cause instanceof LcclfError) return cause
  // the library stumbles over damage in many ways; only what it says itself says something
  const isStumbling = cause instanceof TypeError || cause instanceof RangeError
  return new DataError(`${inputName} is damaged${isStumbling ? '' : `: ${firstLine(messageOf(cause))}`}`, { cause })
}
