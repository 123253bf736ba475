// VOTable 1.4: results as one table in BINARY2, which holds every number as it is, and has nulls of its own.
import { UsageError } from '../../errors.ts'
import { shownText } from '../../formats/shown-text.ts'
import { type ColumnValues, type EncoderOptions, listsOf, type OutputField, type TableEncoder } from './table-sink.ts'

/** what XML cannot hold, not even escaped */
const noXml = /[\0-\x08\v\f\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u

/** @throws UsageError for names of columns that XML cannot hold */
export function createVotableEncoder({ fields, facts, write }: EncoderOptions): TableEncoder {
  const columns = fields.map((field) => columnOf(field))
  let header = documentStart(fields, columns, facts)
  let rest: Buffer = Buffer.alloc(0)

  /** base64 goes by three bytes; what is left of them waits */
  async function put(bytes: Buffer, isLast: boolean): Promise<void> {
    const all = Buffer.concat([rest, bytes])
    const whole = isLast ? all.length : all.length - (all.length % 3)
    rest = all.subarray(whole)
    const text = `${header}${whole === 0 ? '' : `${all.toString('base64', 0, whole)}\n`}${isLast ? documentEnd : ''}`
    header = ''
    if (text !== '') await write(Buffer.from(text))
  }

  return {
    whyNot: (oid) => (oid.includes('\0') ? 'oid holds a character that VOTable cannot hold' : undefined),
    add: (table) => put(rowsOf(table.columns, columns, table.rowCount), false),
    end: () => put(Buffer.alloc(0), true),
  }
}

const documentEnd = `</STREAM>
</BINARY2>
</DATA>
</TABLE>
</RESOURCE>
</VOTABLE>
`

function documentStart(
  fields: readonly OutputField[],
  columns: readonly VotableColumn[],
  facts: EncoderOptions['facts'],
): string {
  const infos = [...facts].map(([name, value]) => `<INFO name="${escaped(name)}" value="${escaped(value)}"/>`)
  const names = fields.map(({ path }) => path.join('.'))
  const ids = idsOf(names)
  const elements = names.map((name, i) => {
    const { datatype, isText } = columns[i]!
    const size = isText ? ' arraysize="*"' : ''
    return `<FIELD ID="${ids[i]!}" name="${escaped(name)}" datatype="${datatype}"${size}${ucdOf(name, datatype)}/>`
  })
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">',
    '<RESOURCE type="results">',
    ...infos,
    '<TABLE name="results">',
    ...elements,
    '<DATA>',
    '<BINARY2>',
    '<STREAM encoding="base64">',
  ]
  return `${lines.join('\n')}\n`
}

/** What XML allows for an ID, and each once: astropy names columns by it. */
function idsOf(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    const plain = name.replace(/[^\w.-]/g, '_').replace(/^(?![A-Za-z_])/, '_')
    let id = plain
    for (let n = 2; taken.has(id); n++) id = `${plain}_${n}`
    taken.add(id)
    return id
  })
}

/** What a column means, in the words of the IVOA. */
function ucdOf(name: string, datatype: string): string {
  if (name === 'oid') return ' ucd="meta.id;meta.main"'
  if (name === 'candid') return ' ucd="meta.id"'
  return datatype === 'double' && !name.startsWith('margin/') ? ' ucd="stat.probability"' : ''
}

function escaped(text: string): string {
  if (noXml.test(text))
    throw new UsageError(`XML cannot hold the name ${shownText(text)}`, { hint: 'Write Parquet or CSV.' })
  return text.replace(/[&<>"\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`)
}

interface VotableColumn {
  readonly datatype: string
  readonly isText: boolean
  readonly cellsOf: (values: ColumnValues) => Cells
}

/** The cells of some rows. */
interface Cells {
  readonly lengthOf: (row: number) => number
  readonly write: (target: Buffer, at: number, row: number) => void
  readonly nulls?: ReadonlySet<number> | undefined
}

function columnOf({ type }: OutputField): VotableColumn {
  switch (type) {
    case 'float64':
      return numberColumn('double', 8, (target, at, value) => target.writeDoubleBE(value as number, at))
    case 'int32':
      return numberColumn('int', 4, (target, at, value) => target.writeInt32BE(value as number, at))
    case 'uint32':
    case 'int64':
      return numberColumn('long', 8, (target, at, value) => target.writeBigInt64BE(BigInt(value), at))
    // no type of VOTable has all of them: their digits are kept
    case 'uint64':
      return textColumn('char')
    case 'string':
    case 'label':
    case 'labels':
      return textColumn('unicodeChar')
  }
}

function numberColumn(
  datatype: string,
  width: number,
  write: (target: Buffer, at: number, value: number | bigint) => void,
): VotableColumn {
  return {
    datatype,
    isText: false,
    cellsOf(column) {
      const { values } = column as Extract<ColumnValues, { type: 'int64' | 'float64' }>
      const nulls = column.type === 'int64' ? column.nulls : undefined
      return { lengthOf: () => width, write: (target, at, row) => write(target, at, values[row]!), nulls }
    },
  }
}

/** The number of characters, then the text. */
function textColumn(datatype: 'char' | 'unicodeChar'): VotableColumn {
  const perCharacter = datatype === 'char' ? 1 : 2
  const encoded = (text: string): Buffer => {
    const bytes = Buffer.alloc(4 + perCharacter * text.length)
    bytes.writeInt32BE(text.length)
    if (datatype === 'char') bytes.write(text, 4, 'latin1')
    else Buffer.from(text, 'utf16le').swap16().copy(bytes, 4)
    return bytes
  }
  return {
    datatype,
    isText: true,
    cellsOf(column) {
      const cells = textsOf(column, encoded)
      const cellOf = (row: number): Buffer => cells.distinct[cells.codes?.[row] ?? row]!
      return {
        lengthOf: (row) => cellOf(row).length,
        write: (target, at, row) => {
          cellOf(row).copy(target, at)
        },
      }
    },
  }
}

/** Each distinct text encoded once; without codes there is one a row. */
function textsOf(column: ColumnValues, encoded: (text: string) => Buffer) {
  switch (column.type) {
    case 'string':
      return { distinct: column.values.map(encoded), codes: undefined }
    case 'uint64':
      return { distinct: Array.from(column.values, (value) => encoded(String(value))), codes: undefined }
    case 'label':
      return { distinct: column.labels.map(encoded), codes: column.codes }
    case 'labels':
      return { distinct: listsOf(column).map((labels) => encoded(labels.join('|'))), codes: undefined }
    case 'float64':
    case 'int32':
    case 'uint32':
    case 'int64':
      return { distinct: [], codes: undefined }
  }
}

/** Rows as BINARY2 has them: a bit a column for null, then the cells. */
function rowsOf(values: readonly ColumnValues[], columns: readonly VotableColumn[], rowCount: number): Buffer {
  const cells = columns.map(({ cellsOf }, i) => cellsOf(values[i]!))
  const maskLength = Math.ceil(columns.length / 8)
  let length = rowCount * maskLength
  for (const { lengthOf } of cells) for (let row = 0; row < rowCount; row++) length += lengthOf(row)
  const bytes = Buffer.alloc(length)
  let at = 0
  for (let row = 0; row < rowCount; row++) {
    cells.forEach(({ nulls }, i) => {
      if (nulls?.has(row)) bytes[at + (i >> 3)]! |= 0x80 >> (i & 7)
    })
    at += maskLength
    for (const cell of cells) {
      cell.write(bytes, at, row)
      at += cell.lengthOf(row)
    }
  }
  return bytes
}
