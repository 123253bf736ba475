// FITS and VOTable as sources: tables of typed columns, of which only the needed ones are read.
import { createByteReader } from '../../formats/chunks.ts'
import { openFits } from '../../formats/fits/reader.ts'
import { shownText } from '../../formats/shown-text.ts'
import type { IdCell, TypedColumn, TypedRows, TypedTable, WantedColumn } from '../../formats/typed-table.ts'
import { openVotable } from '../../formats/votable/reader.ts'
import type { ColumnChunk } from '../../pipeline/batch-assembler.ts'
import type { OidType } from '../../pipeline/batch.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { FileSourceSpec } from '../address.ts'
import { inNeededCase } from '../columns/case-blind.ts'
import { addNotNumber, ColumnError, matchColumns, type NotNumbers } from '../columns/match-columns.ts'
import { numberColumns, settleNames } from '../columns/settle-names.ts'
import { deliverColumns } from '../deliver.ts'
import { byteSource, openByteInput } from './byte-input.ts'

/** A file of either format, opened: its table up to the first row. */
export function openTypedTable(
  { format, table }: Pick<FileSourceSpec, 'format' | 'table'>,
  chunks: AsyncIterable<Buffer>,
  inputName: string,
): Promise<TypedTable> {
  return format === 'fits'
    ? openFits(createByteReader(chunks), inputName, table)
    : openVotable(chunks, inputName, table)
}

/**
 * Opens a FITS file or a VOTable, compressed or not.
 *
 * @throws DataError for what is neither, has no table, lacks columns, or has columns that hold no numbers
 */
export async function openTypedSource(spec: FileSourceSpec, options: ReadOptions): Promise<Source> {
  const input = await openByteInput(spec)
  const plan = await input.peek(async (chunks) => {
    const { columns } = await openTypedTable(spec, chunks, input.name)
    return planOf(columns, options, { inputName: input.name, isCaseBlind: spec.format === 'fits' })
  })
  const schema = { oidType: plan.oidType, hasCandid: plan.hasCandid, hasMjd: plan.hasMjd }
  let notes: () => readonly string[] = () => []
  const source = byteSource(input, schema, plan.options, async function* (assembler, signal) {
    const chunks = input.chunks()
    try {
      const table = await openTypedTable(spec, chunks, input.name)
      notes = () => table.notes()
      yield* deliverColumns(chunksOf(table, plan, input.name), assembler, signal)
    } finally {
      await chunks.return()
    }
  })
  return { ...source, notes: () => notes() }
}

type Plan = ReturnType<typeof planOf>

function planOf(
  columns: readonly TypedColumn[],
  given: ReadOptions,
  { inputName, isCaseBlind }: { readonly inputName: string; readonly isCaseBlind: boolean },
) {
  const own = columns.map(({ name }) => name)
  const names = isCaseBlind ? inNeededCase(own, given) : own
  const options = settleNames(given, names)
  const numbers = numberColumns(options, names)
  const match = matchColumns(names, { ...options, ...numbers }, inputName)
  const what = (place: number): string => {
    return `${inputName}: column ${shownText(own[place]!)} holds ${shownText(columns[place]!.typeName)}`
  }
  for (const place of match.features) {
    if (columns[place]!.holds === undefined) throw new ColumnError(names[place]!, `${what(place)}, not numbers`)
  }
  const idType = (place: number, role: string): OidType => {
    const { holds, integerType } = columns[place]!
    if (holds === 'text') return 'string'
    if (holds === 'integer' && integerType !== undefined) return integerType
    if (holds !== 'real') throw new ColumnError(names[place]!, `${what(place)}, not ${role}`)
    throw new ColumnError(names[place]!, `${what(place)}: the ids are already broken`, {
      hint: 'Export it again with 64-bit integers (K in FITS, long in VOTable) or text.',
    })
  }
  if (match.candid !== undefined) idType(match.candid, 'candids')
  return {
    options,
    features: numbers.features,
    hasMjd: numbers.hasMjd,
    hasCandid: match.candid !== undefined,
    oidType: idType(match.oid, 'object ids'),
    wanted: [
      { place: match.oid, as: 'id' },
      ...(match.candid === undefined ? [] : [{ place: match.candid, as: 'id' } as const]),
      ...match.features.map((place) => ({ place, as: 'number' }) as const),
    ] satisfies WantedColumn[],
  }
}

async function* chunksOf(table: TypedTable, plan: Plan, inputName: string): AsyncGenerator<ColumnChunk> {
  let before = 0
  for await (const rows of table.rows(plan.wanted)) {
    yield columnChunk(rows, plan, before, inputName)
    before += rows.rowCount
  }
}

function columnChunk(rows: TypedRows, plan: Plan, before: number, inputName: string): ColumnChunk {
  const { features, hasCandid, hasMjd, options } = plan
  const { tellsAll } = options
  const firstNumber = hasCandid ? 2 : 1
  const oids = rows.cells[0] as readonly IdCell[]
  const candids = hasCandid ? (rows.cells[1] as readonly IdCell[]) : undefined
  const columns = rows.cells.slice(firstNumber) as readonly Float64Array[]
  const unreadable = new Map<number, NotNumbers | { readonly reason: string }>()
  for (const { row, wanted, text } of rows.notNumbers) {
    const known = unreadable.get(row) as NotNumbers | undefined
    unreadable.set(row, addNotNumber(known, features[wanted - firstNumber]!, text, tellsAll))
  }
  for (const row of rows.uneven) unreadable.set(row, { reason: 'wrong number of fields' })
  for (let row = 0; row < rows.rowCount; row++) {
    const oid = oids[row]
    if (typeof oid === 'string' && oid.includes('\ufffd')) unreadable.set(row, { reason: 'oid is not UTF-8' })
  }
  return {
    rowCount: rows.rowCount,
    oid: (row) => oids[row],
    candid: (row) => candids?.[row] ?? null,
    ...(hasMjd ? { mjd: (row: number) => columns.at(-1)![row]! } : {}),
    where: (row) => `${inputName} row ${before + row + 1}`,
    columns,
    unreadable,
  }
}
