// Arrow IPC files and streams as a source, one record batch at a time.
import type { DataType, RecordBatch, Vector } from 'apache-arrow'
import { type ColumnChunk, createBatchAssembler } from '../../pipeline/batch-assembler.ts'
import type { OidType } from '../../pipeline/batch.ts'
import { DataError, LcclfError, messageOf } from '../../errors.ts'
import { type ArrowLibrary, loadArrow, openArrowReader } from '../../formats/arrow/reader.ts'
import {
  arrowCandidReading,
  arrowFeatureReading,
  arrowOidReading,
  type FeatureReading,
  type IdReading,
  isComplete,
} from './arrow-columns.ts'
import { openArrowInput } from './arrow-input.ts'
import { addNotNumber, ColumnError, type NotNumbers } from '../columns/column-error.ts'
import { deliverColumns } from '../deliver.ts'
import { type ColumnMatch, matchColumns } from '../columns/match-columns.ts'
import { createRestartable } from './peek.ts'
import { settleNames } from '../columns/settle-names.ts'
import { firstLine, shownText } from '../../formats/shown-text.ts'
import type { FileSourceSpec } from './file-formats.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'

/** Rows handed on at a time: a record batch may hold all rows of a file. */
const rowsAChunk = 4096

type Reader = Awaited<ReturnType<typeof openArrowReader>>['reader']

/** Where the needed columns are and how to read them. */
interface Plan {
  readonly options: ReadOptions
  readonly match: ColumnMatch
  readonly oid: IdReading
  readonly oidType: OidType
  readonly candid: IdReading | undefined
  readonly features: readonly FeatureReading[]
}

/**
 * Opens an Arrow IPC file or stream.
 *
 * @throws DataError for what is no Arrow, lacks columns, or has columns that hold no numbers
 */
export async function openArrowSource(spec: FileSourceSpec, options: ReadOptions): Promise<Source> {
  const input = await openArrowInput(spec)
  const arrow = loadArrow()
  const readers = createRestartable(() => openArrowReader(input.messages()), {
    replayable: input.replayable,
    dispose: (opened) => opened.close(),
  })
  const plan = await readers
    .peek(({ reader }) => planOf(arrow, reader, options, input.name))
    .catch((error: unknown) => {
      throw damaged(input.name, error)
    })
  const hasCandid = plan.match.candid !== undefined
  return {
    identity: input.identity,
    schema: { oidType: plan.oidType, hasCandid },
    replayable: input.replayable,
    ...input.progress,
    async *deliveries(signal) {
      const assembler = createBatchAssembler({ ...plan.options, oidType: plan.oidType, hasCandid })
      const stop = (): void => input.stop()
      signal.addEventListener('abort', stop)
      const { reader, close } = await readers.take()
      try {
        yield* deliverColumns(chunksOf(arrow, reader, plan, plan.options, input.name), assembler, signal)
        await input.checkUnchanged()
      } catch (error) {
        if (!signal.aborted) throw damaged(input.name, error)
      } finally {
        signal.removeEventListener('abort', stop)
        await close()
      }
    },
    async close() {
      input.stop()
      await readers.close()
    },
  }
}

function planOf(arrow: ArrowLibrary, reader: Reader, options: ReadOptions, inputName: string): Plan {
  const { fields } = reader.schema
  const names = fields.map(({ name }) => name)
  const settled = settleNames(options, names)
  const match = matchColumns(names, settled, inputName)
  const typeAt = (place: number): DataType => fields[place]!.type as DataType
  const what = (place: number): string => `${inputName}: column ${shownText(names[place]!)}`
  const read = <T>(reading: (arrow: ArrowLibrary, type: DataType, what: string) => T, place: number): T => {
    try {
      return reading(arrow, typeAt(place), what(place))
    } catch (error) {
      throw error instanceof DataError ? new ColumnError(names[place]!, error.message, withHint(error)) : error
    }
  }
  const oid = read(arrowOidReading, match.oid)
  return {
    options: settled,
    match,
    oid: oid.read,
    oidType: oid.oidType,
    candid: match.candid === undefined ? undefined : read(arrowCandidReading, match.candid),
    features: match.features.map((place) => read(arrowFeatureReading, place)),
  }
}

function withHint({ hint }: DataError): { hint?: string } {
  return hint === undefined ? {} : { hint }
}

async function* chunksOf(
  arrow: ArrowLibrary,
  reader: Reader,
  plan: Plan,
  options: ReadOptions,
  inputName: string,
): AsyncGenerator<ColumnChunk, void, undefined> {
  let rowsBefore = 0
  for await (const batch of reader) {
    const columns = neededColumns(arrow, batch, plan, inputName)
    for (let start = 0; start < batch.numRows; start += rowsAChunk) {
      const end = Math.min(start + rowsAChunk, batch.numRows)
      yield columnChunk(columns, plan, options, { start, end, firstRow: rowsBefore + start + 1, inputName })
    }
    rowsBefore += batch.numRows
  }
}

/** The needed columns of a batch. */
interface Columns {
  readonly oid: Vector
  readonly candid: Vector | undefined
  readonly features: readonly Vector[]
}

function neededColumns(arrow: ArrowLibrary, batch: RecordBatch, { match }: Plan, inputName: string): Columns {
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
  { features, tellsAll }: ReadOptions,
  { start, end, firstRow, inputName }: { start: number; end: number; firstRow: number; inputName: string },
): ColumnChunk {
  const unreadable = new Map<number, NotNumbers>()
  return {
    rowCount: end - start,
    oid: (row) => plan.oid(oid, start + row),
    candid: (row) => (candid && plan.candid ? plan.candid(candid, start + row) : null),
    where: (row) => `${inputName} row ${firstRow + row}`,
    columns: plan.features.map((read, f) =>
      read(vectors[f]!, start, end, (row, value) => {
        const known = unreadable.get(row - start)
        unreadable.set(row - start, addNotNumber(known, { feature: features[f]!, value, tellsAll }))
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
