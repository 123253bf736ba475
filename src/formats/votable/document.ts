// A walk through the XML of a VOTable, as its text comes: the table that is wanted, its fields, its cells.
import { SaxesParser, type SaxesTagPlain } from 'saxes'
import { DataError, LcclfError, messageOf } from '../../errors.ts'
import { firstLine, shownText } from '../shown-text.ts'
import { type FieldDeclaration, type VotableField, votableField } from './fields.ts'

/** in characters: of a tag, a text, a comment. Nothing in a table comes near */
const longestPiece = 16 * 1024 * 1024
const deepest = 200
const mostFields = 20_000
const longestReason = 200

/** The forms that the rows of a table may have. */
type Serialization = 'TABLEDATA' | 'BINARY' | 'BINARY2'

/** Is told of the cells of a table in TABLEDATA. */
export interface CellWatcher {
  /** @param cell its place in the row */
  readonly cell: (cell: number, text: string) => void
  readonly row: (cells: number) => void
}

export type VotableDocument = ReturnType<typeof createVotableDocument>

/**
 * @param wanted the table's name or ID, or its number (the first is 1); undefined: the first that has data
 */
export function createVotableDocument(inputName: string, wanted: string | undefined) {
  const parser = new SaxesParser({ xmlns: false })
  const path: string[] = []
  const notes: string[] = []
  const tables = createTableList(wanted, inputName)
  let watcher: CellWatcher | undefined
  let isInStream = false
  let text = ''
  let cell = -1
  let sinceEvent = 0
  let query: string | undefined

  const damaged = (why: string): DataError => new DataError(`${inputName} line ${parser.line}: ${why}`)

  function open(name: string, attributes: SaxesTagPlain['attributes']): void {
    const parent = path.at(-1)
    if (path.length === 0 && name !== 'VOTABLE') {
      throw new DataError(`${inputName} is no VOTable: its first element is ${shownText(name)}`)
    }
    if (path.push(name) > deepest) throw damaged('elements lie too deep in each other')
    text = ''
    if (name === 'TABLE') tables.open(attributes)
    else if (name === 'FIELD' && parent === 'TABLE') tables.addField(attributes, damaged)
    else if (name === 'VALUES' && parent === 'FIELD') tables.addNull(attributes['null'])
    else if (name === 'INFO') query = attributes['name'] === 'QUERY_STATUS' ? attributes['value'] : undefined
    else if (parent === 'DATA') tables.openData(name)
    else if (name === 'STREAM' && tables.isReading && (parent === 'BINARY' || parent === 'BINARY2')) {
      refuseStream(attributes, inputName)
      isInStream = true
    } else if (name === 'TR' || name === 'TD') openRow(name, parent)
  }

  /** What lies elsewhere than in a row would be counted as one of its cells. */
  function openRow(name: 'TR' | 'TD', parent: string | undefined): void {
    if (parent !== (name === 'TR' ? 'TABLEDATA' : 'TR')) throw damaged(`${name} in ${shownText(parent ?? 'nothing')}`)
    cell = name === 'TR' ? -1 : cell + 1
  }

  function close(name: string): void {
    path.pop()
    if (name === 'TD' && tables.isReading) watcher?.cell(cell, text)
    else if (name === 'TR' && tables.isReading) watcher?.row(cell + 1)
    else if (name === 'STREAM') isInStream = false
    else if (name === 'TABLE') tables.close()
    else if (name === 'INFO') note()
    text = ''
  }

  /** What a service says of the table that it sent. */
  function note(): void {
    if (query === 'OVERFLOW')
      notes.push(`${inputName}: the service cut the table off (QUERY_STATUS OVERFLOW); rows are missing`)
    if (query !== 'ERROR') return
    const why = text.trim() === '' ? '' : `: ${firstLine(text.trim().slice(0, longestReason))}`
    throw new DataError(`${inputName} is a service's error, not a table${why}`)
  }

  const seen = (): void => {
    sinceEvent = 0
  }
  parser.on('doctype', (doctype) => {
    if (doctype.includes('[')) throw damaged('it declares entities or a document type of its own, which is not read')
  })
  parser.on('opentag', ({ name, attributes }) => {
    seen()
    open(localName(name), attributes)
  })
  parser.on('closetag', ({ name }) => {
    seen()
    close(localName(name))
  })
  const addText = (more: string): void => {
    seen()
    if (isInStream && more.trim() !== '') throw damaged('the text of its STREAM is not plain')
    if (path.at(-1) === 'TD' || path.at(-1) === 'INFO') text += more
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('comment', seen)

  function guarded(work: () => void): void {
    try {
      work()
    } catch (cause) {
      if (cause instanceof LcclfError) throw cause
      const [, line, why] = /^(\d+):\d+: (.*)$/s.exec(messageOf(cause)) ?? []
      if (line === undefined) throw cause
      throw new DataError(`${inputName} line ${line}: ${firstLine(why!).replace(/\.$/, '')}`, { cause })
    }
  }

  return {
    tables,
    notes,
    /** whether the text that comes next is base64, and not for the parser */
    get isInStream(): boolean {
      return isInStream
    },
    watch(cells: CellWatcher): void {
      watcher = cells
    },
    /** @throws DataError for what is no XML or no VOTable */
    write(piece: string): void {
      sinceEvent += piece.length
      if (sinceEvent > longestPiece) throw damaged(`a tag or a text is longer than ${longestPiece} characters`)
      guarded(() => parser.write(piece))
    },
    /** @throws DataError for a document that is cut off */
    end(): void {
      const last = path.at(-1)
      if (last !== undefined) throw damaged(`the file is cut off in ${shownText(last)}`)
      guarded(() => parser.close())
    },
  }
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

function refuseStream({ href, encoding = 'base64' }: SaxesTagPlain['attributes'], inputName: string): void {
  if (href !== undefined) {
    throw new DataError(`${inputName}: its data lie elsewhere (${shownText(href)}), and are not fetched`, {
      hint: 'Save the table with its data in it.',
    })
  }
  if (encoding === 'base64') return
  throw new DataError(`${inputName}: its STREAM is encoded as ${shownText(encoding)}, not as base64`)
}

/** The tables of a document: which one is read, and what is known of it. */
function createTableList(wanted: string | undefined, inputName: string) {
  let count = 0
  let label = ''
  let isChosen = false
  let declared: (FieldDeclaration & { none: string | undefined })[] = []
  let chosen: { fields: VotableField[]; serialization: Serialization; rowsClaimed: number | undefined } | undefined
  let rowsClaimed: number | undefined
  let isReading = false
  let isRead = false
  const others: string[] = []

  return {
    /** of the chosen table, once its data begin */
    get chosen() {
      return chosen
    },
    get isReading() {
      return isReading
    },
    others,
    open({ name, ID, ref, nrows }: SaxesTagPlain['attributes']): void {
      count++
      label = name ?? ID ?? String(count)
      isChosen = !isRead && (wanted === undefined || [name, ID, String(count)].includes(wanted))
      declared = []
      rowsClaimed = nrows !== undefined && /^\d{1,15}$/.test(nrows) ? Number(nrows) : undefined
      if (isChosen && ref !== undefined) {
        throw new DataError(
          `${inputName}: the table ${shownText(label)} takes its fields from another, which is not read`,
        )
      }
    },
    addField({ name, ID, datatype = '', arraysize }: SaxesTagPlain['attributes'], damaged: (why: string) => DataError) {
      if (declared.length >= mostFields) throw damaged(`a table of more than ${mostFields} fields`)
      declared.push({ name: name ?? ID ?? '', datatype, arraysize, none: undefined })
    },
    addNull(none: string | undefined): void {
      const field = declared.at(-1)
      if (field) field.none = none
    },
    openData(name: string): void {
      if (!isChosen) {
        others.push(shownText(label))
        return
      }
      if (name !== 'TABLEDATA' && name !== 'BINARY' && name !== 'BINARY2') {
        throw new DataError(`${inputName}: the table ${shownText(label)} has its data as ${shownText(name)}`, {
          hint: 'Save it as TABLEDATA, BINARY or BINARY2.',
        })
      }
      isReading = isRead = true
      chosen = { fields: declared.map((field) => fieldOf(field, inputName)), serialization: name, rowsClaimed }
    },
    close(): void {
      isReading = isChosen = false
    },
    /** what is said where no table was found */
    absent(): DataError {
      if (wanted === undefined) return new DataError(`${inputName} has no table with data`)
      const known = others.length > 0 ? `; its tables are ${others.slice(0, 10).join(', ')}` : ''
      return new DataError(`${inputName} has no table ${shownText(wanted)}${known}`)
    },
  }
}

function fieldOf(declared: FieldDeclaration, inputName: string): VotableField {
  const field = votableField(declared)
  if (field) return field
  const { name, datatype, arraysize } = declared
  const type = shownText(arraysize === undefined ? datatype : `${datatype}[${arraysize}]`)
  throw new DataError(`${inputName}: the field ${shownText(name)} has the type ${type}, which VOTable does not have`)
}
