// A VOTable as a stream: the document up to the data of the table that is wanted, then its rows.
import { createRowCollector, type TypedRows, type TypedTable, type WantedColumn } from '../typed-table.ts'
import { createBinaryRows } from './binary.ts'
import { createVotableDocument, type VotableDocument } from './document.ts'
import type { VotableField } from './fields.ts'
import { xmlText } from './text.ts'

/**
 * Opens the first table of a document that has data, or the one that is named.
 *
 * @param wanted its name or ID, or its number (the first is 1)
 * @throws DataError for what is no VOTable, has no such table, or is damaged before its rows
 */
export async function openVotable(
  chunks: AsyncIterable<Buffer>,
  inputName: string,
  wanted?: string,
): Promise<TypedTable> {
  const document = createVotableDocument(inputName, wanted)
  const text = xmlText(chunks, inputName)
  const pieces = createPieces(text)
  for (;;) {
    const piece = await pieces.next()
    if (piece === undefined) break
    // a tag at a time: behind that which begins the data the cells come, and nobody listens yet
    document.write(piece)
    const { chosen } = document.tables
    if (chosen && (chosen.serialization === 'TABLEDATA' || document.isInStream)) {
      return tableOf(document, pieces, chosen, inputName)
    }
  }
  document.end()
  throw document.tables.absent()
}

type Pieces = ReturnType<typeof createPieces>

/** Text, up to the next `>` or as much as there is. */
function createPieces(text: AsyncGenerator<string, void, undefined>) {
  let held = ''

  async function more(): Promise<boolean> {
    const next = await text.next()
    held = next.done === true ? '' : next.value
    return next.done !== true
  }

  return {
    /** @returns undefined at the end */
    async next(): Promise<string | undefined> {
      while (held === '') if (!(await more())) return undefined
      const end = held.indexOf('>') + 1 || held.length
      const piece = held.slice(0, end)
      held = held.slice(end)
      return piece
    },
    /** All that is left of a chunk. */
    async rest(): Promise<string | undefined> {
      while (held === '') if (!(await more())) return undefined
      const all = held
      held = ''
      return all
    },
    unread(piece: string): void {
      held = piece + held
    },
  }
}

type Chosen = NonNullable<VotableDocument['tables']['chosen']>

function tableOf(document: VotableDocument, pieces: Pieces, chosen: Chosen, inputName: string): TypedTable {
  const { fields, serialization, rowsClaimed } = chosen
  const notes: string[] = []
  return {
    columns: fields,
    async *rows(wanted) {
      const rowsOf = serialization === 'TABLEDATA' ? textRows : binaryRows
      let count = 0
      for await (const rows of rowsOf(document, pieces, { fields, wanted, serialization, inputName })) {
        count += rows.rowCount
        yield rows
      }
      if (rowsClaimed !== undefined && rowsClaimed !== count)
        notes.push(`${inputName}: the table says nrows="${rowsClaimed}", and has ${count}`)
      const others = document.tables.others.slice(0, 10)
      if (others.length > 0) notes.push(`read the first table; ?table=NAME reads another: ${others.join(', ')}`)
    },
    notes: () => [...notes, ...document.notes],
  }
}

interface RowPlan {
  readonly fields: readonly VotableField[]
  readonly wanted: readonly WantedColumn[]
  readonly serialization: Chosen['serialization']
  readonly inputName: string
}

type Rows = AsyncGenerator<TypedRows, void, undefined>

async function* textRows(document: VotableDocument, pieces: Pieces, { fields, wanted }: RowPlan): Rows {
  const collector = createRowCollector(wanted)
  const wantedOf = fields.map((_, place) => wanted.flatMap((one, i) => (one.place === place ? [i] : [])))
  document.watch({
    cell(cell, text) {
      for (const i of wantedOf[cell] ?? []) {
        const { as } = wanted[i]!
        // nothing between the tags is null, of every type but text
        const isNull = text === ''
        collector.put(i, isNull ? (as === 'number' ? NaN : null) : fields[cell]!.fromText[as](text))
      }
    },
    row: (cells) => collector.endRow(cells !== fields.length),
  })
  for (let piece = await pieces.rest(); piece !== undefined; piece = await pieces.rest()) {
    const text = piece
    yield* gathered(collector, () => document.write(text))
  }
  document.end()
}

/** What some work has put into a collector; where the work fails, the rows before are good. */
async function* gathered(collector: ReturnType<typeof createRowCollector>, work: () => void): Rows {
  let failure: { readonly error: unknown } | undefined
  try {
    work()
  } catch (error) {
    failure = { error }
  }
  if (collector.rowCount > 0) yield await Promise.resolve(collector.take())
  if (failure) throw failure.error
}

async function* binaryRows(document: VotableDocument, pieces: Pieces, plan: RowPlan): Rows {
  const { fields, wanted, serialization, inputName } = plan
  const collector = createRowCollector(wanted)
  const rows = createBinaryRows(fields, wanted, { collector, hasNullMask: serialization === 'BINARY2', inputName })
  for (let piece = await pieces.rest(); piece !== undefined; piece = await pieces.rest()) {
    if (!document.isInStream) {
      document.write(piece)
      continue
    }
    const text = piece
    const end = piece.indexOf('<')
    yield* gathered(collector, () => rows.add(end < 0 ? text : text.slice(0, end)))
    if (end < 0) continue
    rows.end()
    const [tag, rest] = await tagOf(pieces, piece.slice(end))
    document.write(tag)
    pieces.unread(rest)
  }
  document.end()
}

/** What is behind the base64: the parser gets it whole, so that nothing of it is taken for base64 again. */
async function tagOf(pieces: Pieces, begun: string): Promise<[tag: string, rest: string]> {
  let text = begun
  for (;;) {
    const end = text.indexOf('>') + 1
    if (end > 0) return [text.slice(0, end), text.slice(end)]
    const more = await pieces.rest()
    if (more === undefined || text.length > 1000) return [text, '']
    text += more
  }
}
