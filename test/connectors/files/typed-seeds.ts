// Writes rows as FITS and as VOTable in its three forms, by other code than the code under test.
import type { Seed } from './seed-files.ts'

/** No candid of the tests is this one. */
const none = -777n

const card = (keyword: string, value: string | number | bigint): string =>
  (typeof value === 'string' ? `${keyword.padEnd(8)}= '${value.padEnd(8)}'` : `${keyword.padEnd(8)}= ${value}`).padEnd(
    80,
  )

const block = (bytes: Buffer, fill: string): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((2880 - (bytes.length % 2880)) % 2880, fill)])

/** A FITS header; its values may be anything. */
export function fitsHeader(cards: readonly (readonly [string, string | number | bigint])[]): Buffer {
  return block(Buffer.from([...cards.map(([k, v]) => card(k, v)), 'END'.padEnd(80)].join('')), ' ')
}

/** What stands before the first extension. */
export const fitsPrimary = block(
  Buffer.from(
    ['SIMPLE  =                    T', 'BITPIX  = 8', 'NAXIS   = 0', 'END'].map((one) => one.padEnd(80)).join(''),
  ),
  ' ',
)

export function fitsTable(
  columns: readonly (readonly [name: string, form: string, ...more: (readonly [string, string | number | bigint])[]])[],
  rows: readonly Buffer[],
  changes: Readonly<Record<string, string | number | bigint>> = {},
): Buffer {
  const cards: [string, string | number | bigint][] = [
    ['XTENSION', 'BINTABLE'],
    ['BITPIX', 8],
    ['NAXIS', 2],
    ['NAXIS1', rows[0]?.length ?? 0],
    ['NAXIS2', rows.length],
    ['PCOUNT', 0],
    ['GCOUNT', 1],
    ['TFIELDS', columns.length],
    ...columns.flatMap(([name, form, ...more], i): [string, string | number | bigint][] => [
      [`TTYPE${i + 1}`, name],
      [`TFORM${i + 1}`, form],
      ...more.map(([keyword, value]): [string, string | number | bigint] => [`${keyword}${i + 1}`, value]),
    ]),
  ]
  const changed = cards.map(([keyword, value]) => [keyword, changes[keyword] ?? value] as const)
  return Buffer.concat([fitsHeader(changed), block(Buffer.concat(rows), '\0')])
}

const long = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const double = (value: number | null): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value ?? NaN)
  return bytes
}

export function fits({ names, rows, hasCandid = true }: Seed): Buffer {
  const width = Math.max(1, ...rows.map(({ oid }) => oid?.length ?? 0))
  const table = rows.map(({ oid, candid, values }) =>
    Buffer.concat([
      Buffer.from((oid ?? '').padEnd(width, '\0')),
      ...(hasCandid ? [long(candid ?? none)] : []),
      ...values.map(double),
    ]),
  )
  const candid = hasCandid ? [['candid', 'K', ['TNULL', none]] as const] : []
  const columns = [['oid', `${width}A`] as const, ...candid, ...names.map((name) => [name, 'D'] as const)]
  const empty = { NAXIS1: width + 8 * (columns.length - 1) }
  return Buffer.concat([fitsPrimary, fitsTable(columns, table, rows.length === 0 ? empty : {})])
}

const xml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/** A VOTable around some fields and the element with the data. */
export function votable(fields: string, data: string): string {
  const start = '<?xml version="1.0"?>\n<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
  return `${start}<RESOURCE><TABLE>\n${fields}<DATA>${data}</DATA></TABLE></RESOURCE></VOTABLE>\n`
}

function fieldsOf({ names, hasCandid = true }: Seed, hasNone: boolean): string {
  const candid = `<FIELD name="candid" datatype="long">${hasNone ? `<VALUES null="${none}"/>` : ''}</FIELD>\n`
  const numbers = names.map((name) => `<FIELD name="${xml(name)}" datatype="double"/>\n`).join('')
  return `<FIELD name="oid" datatype="char" arraysize="*"/>\n${hasCandid ? candid : ''}${numbers}`
}

export function votableInText(seed: Seed): string {
  const rows = seed.rows.map(({ oid, candid, values }) => {
    const ids = [oid ?? '', ...(seed.hasCandid === false ? [] : [candid?.toString() ?? ''])]
    const numbers = values.map((value) => (value === null ? '' : Object.is(value, -0) ? '-0.0' : String(value)))
    return `<TR>${[...ids, ...numbers].map((cell) => `<TD>${xml(cell)}</TD>`).join('')}</TR>\n`
  })
  return votable(fieldsOf(seed, false), `<TABLEDATA>\n${rows.join('')}</TABLEDATA>`)
}

export function votableInBinary(seed: Seed, form: 'BINARY' | 'BINARY2'): string {
  const { hasCandid = true } = seed
  const rows = seed.rows.map(({ oid, candid, values }) => {
    const text = Buffer.from(oid ?? '')
    const length = Buffer.alloc(4)
    length.writeInt32BE(text.length)
    const isNull = [oid === null, ...(hasCandid ? [candid === null] : []), ...values.map((value) => value === null)]
    const mask = Buffer.alloc(Math.ceil(isNull.length / 8))
    isNull.forEach((is, i) => (mask[i >> 3]! |= is ? 0x80 >> (i & 7) : 0))
    // what is null has any value there
    const number = (value: number | null): Buffer =>
      form === 'BINARY2' && value === null ? double(4.5) : double(value)
    const cells = [length, text, ...(hasCandid ? [long(candid ?? none)] : []), ...values.map(number)]
    return Buffer.concat(form === 'BINARY2' ? [mask, ...cells] : cells)
  })
  const lines = Buffer.concat(rows).toString('base64').replace(/.{76}/g, '$&\n')
  return votable(
    fieldsOf(seed, form === 'BINARY'),
    `<${form}><STREAM encoding="base64">\n${lines}\n</STREAM></${form}>`,
  )
}
