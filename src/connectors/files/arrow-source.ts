// Arrow IPC files and streams as a source, one record batch at a time.
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { DataType } from 'apache-arrow'
import { DataError, LcclfError, messageOf } from '../../errors.ts'
import { type ArrowLibrary, loadArrow } from '../../formats/arrow/library.ts'
import {
  type ArrowBatch,
  arrowFileMagic,
  arrowFileMessages,
  type ArrowMessages,
  type ArrowReader,
  arrowStreamMessages,
  openArrowReader,
} from '../../formats/arrow/reader.ts'
import { firstLine, shownText } from '../../formats/shown-text.ts'
import type { ColumnChunk } from '../../pipeline/batch-assembler.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { addNotNumber, ColumnError, matchColumns, type NotNumbers } from '../columns/match-columns.ts'
import { numberColumns, settleNames } from '../columns/settle-names.ts'
import { deliverColumns } from '../deliver.ts'
import { arrowCandidReading, arrowFeatureReading, arrowOidReading } from './arrow-columns.ts'
import { byteSource, type InputFile, openByteInput, readEnds, unreadable } from './byte-input.ts'

/** The system gives no more than 2 GiB at once. */
const longestRead = 2 ** 30
/** Rows handed on at a time: a record batch may hold all rows of a file. */
const rowsAChunk = 4096

/**
 * Opens an Arrow IPC file or stream.
 *
 * @throws DataError for what is no Arrow, lacks columns, or has columns that hold no numbers
 */
export async function openArrowSource(spec: FileSourceSpec, options: ReadOptions): Promise<Source> {
  return sourceOf(await openArrowInput(spec), options, 0)
}

/**
 * Opens an IPC stream that is in memory as a whole.
 *
 * @param part `name`: what errors and rejects call the table; `rowsBefore`: rows of it that came in other streams
 * @throws DataError as openArrowSource
 */
export function openArrowBytes(
  bytes: Buffer,
  { name, rowsBefore }: { readonly name: string; readonly rowsBefore: number },
  options: ReadOptions,
): Promise<Source> {
  const messages = (): ArrowMessages => arrowStreamMessages(Readable.from([bytes]), name)
  const nothing = (): Promise<void> => Promise.resolve()
  const input = {
    ...{ name, identity: { address: name }, replayable: true, messages, progress: {} },
    peek: <T>(look: (messages: ArrowMessages) => Promise<T>) => look(messages()),
    stop: () => undefined,
    ...{ close: nothing, checkUnchanged: nothing },
  }
  return sourceOf(input, options, rowsBefore)
}

type ArrowInput = Awaited<ReturnType<typeof openArrowInput>>

async function sourceOf(input: Omit<ArrowInput, 'file'>, options: ReadOptions, rowsBefore: number): Promise<Source> {
  const arrow = loadArrow()
  const plan = await input
    .peek(async (messages) => {
      const reader = await openArrowReader(messages, input.name)
      try {
        return planOf(arrow, reader, options, input.name)
      } finally {
        await reader.close()
      }
    })
    .catch((error: unknown) => {
      throw damaged(input.name, error)
    })
  const schema = { oidType: plan.oid.oidType, hasCandid: plan.candid !== undefined, hasMjd: plan.hasMjd }
  return byteSource(input, schema, plan.options, async function* (assembler, signal) {
    try {
      const reader = await openArrowReader(input.messages(), input.name)
      try {
        yield* deliverColumns(chunksOf(reader, plan, input.name, rowsBefore), assembler, signal)
      } finally {
        await reader.close()
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
      peek: <T>(look: (messages: ArrowMessages) => Promise<T>) =>
        peek((first) => look(arrowStreamMessages(first, name))),
    }
  }
  let bytesRead = 0
  const messages = (): ArrowMessages => {
    bytesRead = 0
    return fileMessages(file, (count) => (bytesRead += count))
  }
  return {
    ...input,
    messages,
    peek: <T>(look: (messages: ArrowMessages) => Promise<T>) => look(messages()),
    progress: { fractionRead: () => Math.min(1, bytesRead / file.size) },
  }
}

async function* fileMessages(file: InputFile, onRead: (bytes: number) => void): ArrowMessages {
  const handle = await open(file.path).catch((cause: unknown) => {
    throw unreadable(file.name, cause)
  })
  try {
    const read = async (position: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, file.size - position)))
      let filled = 0
      while (filled < bytes.length) {
        const wanted = Math.min(bytes.length - filled, longestRead)
        const { bytesRead } = await handle.read(bytes, filled, wanted, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      onRead(filled)
      return bytes.subarray(0, filled)
    }
    yield* arrowFileMessages({ size: file.size, read }, file.name)
  } finally {
    await handle.close()
  }
}

type Plan = ReturnType<typeof planOf>

function planOf(arrow: ArrowLibrary, { fields }: ArrowReader, given: ReadOptions, inputName: string) {
  const names = fields.map(({ name }) => name)
  const options = settleNames(given, names)
  const numbers = numberColumns(options, names)
  const match = matchColumns(names, { ...options, ...numbers }, inputName)
  const read = <T>(
    reading: (arrow: ArrowLibrary, type: DataType, what: string) => T,
    role: string,
    place: number,
  ): T => {
    const { name, type, typeName } = fields[place]!
    const what = `${inputName}: column ${shownText(name)}`
    try {
      if (!type) throw new DataError(`${what} holds ${typeName}, not ${role}`)
      return reading(arrow, type, what)
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      throw new ColumnError(name, error.message, error.hint === undefined ? {} : { hint: error.hint })
    }
  }
  return {
    options,
    hasMjd: numbers.hasMjd,
    names: numbers.features,
    match,
    oid: read(arrowOidReading, 'object ids', match.oid),
    candid: match.candid === undefined ? undefined : read(arrowCandidReading, 'candids', match.candid),
    numbers: match.features.map((place) => read(arrowFeatureReading, 'numbers', place)),
  }
}

async function* chunksOf(reader: ArrowReader, plan: Plan, inputName: string, rowsBefore: number) {
  const { oid, candid, features } = plan.match
  const places = [oid, ...features, ...(candid === undefined ? [] : [candid])]
  const wanted = places.map((place) => reader.fields[place]!)
  let before = rowsBefore
  for await (const batch of reader.batches(wanted)) {
    for (let start = 0; start < batch.rowCount; start += rowsAChunk) {
      const end = Math.min(start + rowsAChunk, batch.rowCount)
      const firstRow = before + start + 1
      yield columnChunk(batch, plan, start, end, (row) => `${inputName} row ${firstRow + row}`)
    }
    before += batch.rowCount
  }
}

function columnChunk(
  { columns: [oid, ...others] }: ArrowBatch,
  plan: Plan,
  start: number,
  end: number,
  where: (row: number) => string,
): ColumnChunk {
  const { names } = plan
  const { tellsAll } = plan.options
  const unreadable = new Map<number, NotNumbers>()
  const candid = others[names.length]
  const columns = plan.numbers.map((read, n) =>
    read(others[n]!, start, end, (row, value) => {
      unreadable.set(row - start, addNotNumber(unreadable.get(row - start), names[n]!, value, tellsAll))
    }),
  )
  return {
    rowCount: end - start,
    oid: (row) => plan.oid.read(oid!, start + row),
    candid: (row) => (candid && plan.candid ? plan.candid(candid, start + row) : null),
    ...(plan.hasMjd ? { mjd: (row: number) => columns.at(-1)![row]! } : {}),
    where,
    columns,
    unreadable,
  }
}

function damaged(inputName: string, cause: unknown): LcclfError {
  if (cause instanceof LcclfError) return cause
  // the library stumbles over damage in many ways; only what it says itself says something
  const isStumbling = cause instanceof TypeError || cause instanceof RangeError
  return new DataError(`${inputName} is damaged${isStumbling ? '' : `: ${firstLine(messageOf(cause))}`}`, { cause })
}
