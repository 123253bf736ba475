// What FITS files and VOTables of other programs say, and of those that nobody should have written.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openTypedTable } from '../../../src/connectors/files/typed-source.ts'
import { expandInputs } from '../../../src/connectors/inputs.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import { LcclfError } from '../../../src/errors.ts'
import type { ReadOptions } from '../../../src/pipeline/source.ts'
import { fileSpec, fixture, readOnce, readOptions } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { fits, fitsHeader, fitsPrimary, fitsTable, votable, votableInBinary, votableInText } from './typed-seeds.ts'

let folder: string

beforeAll(() => {
  folder = temporaryFolder()
})

const seed = {
  names: ['a', 'b'],
  rows: Array.from({ length: 500 }, (_, i) => ({ oid: `ZTF${i}`, candid: BigInt(i), values: [i, i / 3] })),
}
const options: Partial<ReadOptions> = { features: ['a', 'b'] }

async function read(bytes: string | Uint8Array, format: 'fits' | 'votable', changes: Partial<ReadOptions> = {}) {
  const path = join(folder, 'strange')
  await writeFile(path, bytes)
  const source = await openSource(fileSpec(path, format, 'strange'), readOptions({ ...options, ...changes }))
  const rows = await readOnce(source)
  return { ...rows, notes: source.notes?.() ?? [] }
}

/** What is said of bytes that are no good; whatever is said is one line with the file's name and where in it. */
async function saidOf(bytes: string | Uint8Array, format: 'fits' | 'votable'): Promise<string> {
  const error: unknown = await read(bytes, format).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(LcclfError)
  const { message, exitCode } = error as LcclfError
  expect(message).toMatch(/^strange[ :][^\n]+$/)
  expect(exitCode).toBe(3)
  return message
}

type Cells = Record<string, Record<string, (string | boolean | null)[]>>

describe('a column of each type, as astropy itself reads the file back', () => {
  const truth = JSON.parse(readFileSync(fixture('kinds.json'), 'utf8')) as Cells

  it.each(Object.entries(truth))('%s', async (file, columns) => {
    const format = file.endsWith('.fits') ? 'fits' : 'votable'
    const table = await openTypedTable({ format }, chunksOf(readFileSync(fixture(file))), file)
    const names = Object.keys(columns)
    const wanted = names.map((name) => {
      const place = table.columns.findIndex((column) => column.name === name)
      const { holds } = table.columns[place]!
      return { place, as: holds === 'real' || holds === 'logical' ? ('number' as const) : ('id' as const) }
    })
    const found: unknown[][] = names.map(() => [])
    for await (const { cells, notNumbers } of table.rows(wanted)) {
      expect(notNumbers).toEqual([])
      cells.forEach((column, i) => found[i]!.push(...[...column].map((cell) => plain(cell, columns[names[i]!]!))))
    }
    expect(Object.fromEntries(names.map((name, i) => [name, found[i]]))).toEqual(columns)
    expect(table.columns.find(({ name }) => name === 'many')).toMatchObject({ holds: undefined })
  })

  async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
    // pieces of an odd size: rows and tags lie across their borders
    for (let at = 0; at < bytes.length; at += 97) yield await Promise.resolve(bytes.subarray(at, at + 97))
  }

  function plain(cell: number | string | bigint | null, column: readonly (string | boolean | null)[]) {
    if (typeof cell === 'bigint') return cell.toString()
    if (typeof cell !== 'number') return cell
    if (typeof column[0] === 'boolean') return cell === 1
    if (Number.isNaN(cell)) return null
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(cell)
    return bytes.toString('hex')
  }
})

describe('a FITS file', () => {
  it('may have images before its table; other tables are named, and read where they are asked for', async () => {
    const path = fixture('astropy.fits')
    const reading = readOptions({ features: ['W1-W2'] })
    const first = await openSource(fileSpec(path, 'fits'), reading)
    expect((await readOnce(first)).read).toBe(20)
    expect(first.notes?.()).toEqual(['read HDU 2 (BINTABLE OBJECTS); ?hdu=N reads another table: 3 (BINTABLE FLAGS)'])
    const [byName] = await expandInputs([`${path}?hdu=objects`])
    expect(byName).toMatchObject({ relativeName: 'astropy.objects' })
    expect((await readOnce(await openSource(byName!.spec, reading))).read).toBe(20)
    const open = async (hdu: string) => openSource((await expandInputs([`${path}?hdu=${hdu}`]))[0]!.spec, reading)
    await expect(open('3')).rejects.toThrow('lacks 2 columns the model needs: oid, W1-W2')
    await expect(open('1')).rejects.toThrow('HDU 1 (IMAGE SKY) is no table')
    await expect(open('9')).rejects.toThrow(
      'has no HDU 9; its HDUs are 0 (primary), 1 (IMAGE SKY), 2 (BINTABLE OBJECTS), 3 (BINTABLE FLAGS)',
    )
    await expect(expandInputs(['night.csv?hdu=2'])).rejects.toThrow('?hdu= names a table of FITS')
  })

  it('may be an ASCII table', async () => {
    const source = await openSource(fileSpec(fixture('ascii.fits'), 'fits'), readOptions({ features: ['x'] }))
    const { oids, candids } = await readOnce(source)
    expect(oids.slice(3, 7)).toEqual([
      'ZTF21aaadbc',
      'ZTF22aaaebc',
      'with, "comma" and quotes',
      '?n?? a longer name than others',
    ])
    expect(candids.slice(0, 4)).toEqual([2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 7n])
  })

  it('knows no case in names, unless two would be one', async () => {
    const header = (names: readonly string[]) =>
      Buffer.concat([
        fitsPrimary,
        fitsTable(
          names.map((name) => [name, name.toLowerCase() === 'oid' ? '2A' : 'B']),
          [Buffer.from([0x41, 0x42, ...names.slice(1).map((_, i) => i)])],
        ),
      ])
    expect((await read(header(['OID', 'B', 'A']), 'fits')).bits).toEqual(
      (await read(header(['oid', 'b', 'a']), 'fits')).bits,
    )
    const renamed = await read(header(['OID', 'OLD', 'B']), 'fits', { rename: new Map([['old', 'a']]) })
    expect(renamed.oids).toEqual(['AB'])
    await expect(read(header(['OID', 'A', 'B', 'a', 'b']), 'fits')).resolves.toMatchObject({ oids: ['AB'] })
    await expect(read(header(['OID', 'A', 'B', 'A']), 'fits')).rejects.toThrow('lacks a column the model needs: a')
  })

  it('has signed bytes, moved integers and fractions of them', async () => {
    const row = Buffer.from([0x80, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 5])
    const columns = [
      ['a', 'B', ['TZERO', -128]],
      ['oid', 'K', ['TZERO', 9223372036854775808n]],
      ['b', 'I', ['TSCAL', '0.5']],
    ] as const
    const quoted = fitsTable(columns as never, [row])
      .toString('latin1')
      .replace("'0.5     '", '0.5       ')
    const found = await read(Buffer.concat([fitsPrimary, Buffer.from(quoted, 'latin1')]), 'fits')
    expect(found.oids).toEqual(['0'])
    expect(new Float32Array(Uint32Array.from(found.bits[0]!).buffer)).toEqual(Float32Array.of(0, 2.5))
  })

  it.each([
    ['is empty', '', 'is no FITS file: it does not begin with SIMPLE'],
    ['is text', 'oid,a,b\n1,2,3\n', 'is no FITS file'],
    ['has a primary HDU alone', fitsPrimary, 'has no table; its HDUs are 0 (primary)'],
    ['has no TFIELDS', table({ TFIELDS: -1 }), 'strange HDU 1: TFIELDS is -1, less than 0'],
    ['has a thousand million columns', table({ TFIELDS: 1_000_000_000 }), 'and a FITS table has 999 columns at most'],
    ['has negative rows', table({ NAXIS2: -5 }), 'NAXIS2 is -5, less than 0'],
    ['has rows of another length', table({ NAXIS1: 7 }), 'its columns take 22 bytes a row, and NAXIS1 says 7'],
    ['has more rows than it has', table({ NAXIS2: 9 ** 15 }), 'the file is cut off in row 131 of 205891132094649'],
    ['has nonsense for a number', table({ NAXIS1: 'many' }), 'NAXIS1 is many, which is no integer'],
    ['has nonsense for a form', table({ TFORM2: '7' }), 'which is no form of a column'],
    ['has a column beyond any memory', table({ TFORM2: '999999999999999D' }), 'its columns take'],
    ['has arrays', table({ TFORM2: '4E', NAXIS1: 36 }), 'column a holds 4E, not numbers'],
    ['has arrays of any length', table({ TFORM2: '1PE(3)', NAXIS1: 28 }), 'column a holds 1PE(3), not numbers'],
    ['has ids in floats', table({ TFORM1: '2D', TFORM2: 'I', TFORM3: 'J' }), 'column oid holds 2D, not object ids'],
    ['claims an image larger than any disk', image({ NAXIS1: 9 ** 12, NAXIS2: 9 ** 12 }), 'bytes of data'],
    ['ends in an image', image({ NAXIS1: 4000, NAXIS2: 4000 }), 'strange HDU 1: the file is cut off in its data'],
    [
      'has no END',
      Buffer.concat([fitsPrimary.subarray(0, 240), Buffer.alloc(2880 * 3, 'HISTORY ')]),
      'cut off in its header',
    ],
  ])('that %s is refused, with the place', async (_, bytes, message) => {
    expect(await saidOf(bytes, 'fits')).toContain(message)
  })

  it('that is cut off anywhere gives the rows before it, and says where', async () => {
    const whole = fits(seed)
    for (let at = 0; at < whole.length - 2880; at += 1440) {
      expect(await saidOf(whole.subarray(0, at), 'fits')).toMatch(/cut off|no FITS|no table/)
    }
    const path = join(folder, 'cut.fits')
    await writeFile(path, whole.subarray(0, 2880 * 3))
    const source = await openSource(fileSpec(path, 'fits', 'cut.fits'), readOptions({ ...options, batchSize: 10 }))
    let count = 0
    const reading = async () => {
      for await (const { read } of source.deliveries(new AbortController().signal)) count += read
    }
    await expect(reading()).rejects.toThrow(`cut.fits HDU 1: the file is cut off in row 97 of 500`)
    expect(count).toBe(96)
  })
})

function table(changes: Readonly<Record<string, string | number>>): Buffer {
  const columns = [
    ['oid', '16A'],
    ['a', 'I'],
    ['b', 'J'],
  ] as const
  const text = fitsTable(columns, [Buffer.alloc(22, 'A')], changes).toString('latin1')
  return Buffer.concat([fitsPrimary, Buffer.from(text.replace("'many    '", 'many      '), 'latin1')])
}

function image(changes: Readonly<Record<string, number>>): Buffer {
  const cards = { XTENSION: 'IMAGE', BITPIX: 16, NAXIS: 2, NAXIS1: 1, NAXIS2: 1, PCOUNT: 0, GCOUNT: 1, ...changes }
  return Buffer.concat([fitsPrimary, fitsHeader(Object.entries(cards)), Buffer.alloc(5760)])
}

const fields = '<FIELD name="oid" datatype="long"/><FIELD name="a" datatype="short"/><FIELD name="b" datatype="float"/>'
const rows = (...cells: readonly string[][]): string =>
  `<TABLEDATA>${cells.map((row) => `<TR>${row.map((cell) => `<TD>${cell}</TD>`).join('')}</TR>`).join('')}</TABLEDATA>`
const stream = (text: string, attributes = ''): string => `<BINARY><STREAM ${attributes}>${text}</STREAM></BINARY>`

describe('a VOTable', () => {
  it('called .xml is read where it is named, and passed over in a folder, which is said', async () => {
    const inside = temporaryFolder()
    for (const name of ['a.vot', 'b.xml']) await writeFile(join(inside, name), votableInText(seed))
    const notes: string[] = []
    const names = async (address: string) => {
      const found = await expandInputs([address], { onNote: (line) => notes.push(line) })
      return found.map(({ relativePath }) => relativePath)
    }
    expect(await names(inside)).toEqual(['a.vot'])
    expect(notes).toEqual([
      expect.stringMatching(/1 file in .*: \.xml; a VOTable called \.xml is read where it is named$/),
    ])
    expect(await names(join(inside, 'b.xml'))).toEqual(['b.xml'])
  })

  it('may have prefixes, hexadecimal integers, nulls by VALUES, CDATA, and floats in 32 bits', async () => {
    const document = votable(
      `${fields.replace('datatype="short"/>', 'datatype="short"><VALUES null="0x10"/></FIELD>')}`,
      rows(
        ['9007199254740993', '16', '0.1'],
        ['0xff', '<![CDATA[ 7 ]]>', 'NaN'],
        ['-1', '&#49;2', '-Inf'],
        ['', '1', ''],
      ),
    ).replace(/<(\/?)(?=[A-Z])/g, '<$1vot:')
    const found = await read(document, 'votable')
    expect(found.oids).toEqual(['9007199254740993', '255', '-1'])
    expect(found.rejected).toMatchObject([{ oid: null, reason: 'oid is missing', where: 'strange row 4' }])
    const seen = new Float32Array(Uint32Array.from(found.bits.flat()).buffer)
    expect([...seen]).toEqual([-999, Math.fround(0.1), 7, -999, 12, -999])
  })

  it('rejects rows of another width and texts that are no numbers, and no others', async () => {
    const found = await read(
      votable(fields, rows(['1', '1', '1'], ['2', '1'], ['3', 'x', '1'], ['4', '1', '1', '1'], ['5', '1', '1'])),
      'votable',
    )
    expect(found.oids).toEqual(['1', '5'])
    expect(found.rejected.map(({ reason, where }) => [where, reason])).toEqual([
      ['strange row 2', 'wrong number of fields'],
      ['strange row 3', 'a is not a number'],
      ['strange row 4', 'wrong number of fields'],
    ])
  })

  it('may hold several tables, in latin-1 or UTF-16, and says what a service says', async () => {
    const one = votable(fields, rows(['1', '1', '1']))
    const two = one.replace(
      '</RESOURCE>',
      `<TABLE name="más"><FIELD name="x" datatype="int"/><DATA>${rows(['1'])}</DATA></TABLE><INFO name="QUERY_STATUS" value="OVERFLOW"/></RESOURCE>`,
    )
    const latin = Buffer.from(two.replace('?>', ' encoding="ISO-8859-1"?>'), 'latin1')
    expect((await read(latin, 'votable')).notes).toEqual([
      'read the first table; ?table=NAME reads another: más',
      'strange: the service cut the table off (QUERY_STATUS OVERFLOW); rows are missing',
    ])
    const wide = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(two, 'utf16le')])
    expect((await read(wide, 'votable')).oids).toEqual(['1'])
    const path = join(folder, 'two.vot')
    await writeFile(path, two)
    const [second] = await expandInputs([`${path}?table=más`])
    await expect(openSource(second!.spec, readOptions(options))).rejects.toThrow('lacks 3 columns the model needs')
  })

  const bomb = '<!DOCTYPE V [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
  const external = '<!DOCTYPE V [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
  const good = votable(fields, rows(['1', '1', '1']))
  it.each([
    ['is empty', '', 'line 1: document must contain a root element'],
    ['is no XML', 'oid,a\n1,2\n', 'text data outside of root node'],
    ['is other XML', '<?xml version="1.0"?><html/>', 'is no VOTable: its first element is html'],
    ['declares entities', good.replace('?>', `?>${bomb}`), 'declares entities'],
    ['declares entities that lie elsewhere', good.replace('?>', `?>${external}`), 'declares entities'],
    ['uses entities that nobody declared', good.replace('<TD>1', '<TD>&a;'), 'line 4: undefined entity'],
    ['is cut off', good.slice(0, -60), 'the file is cut off in'],
    ['closes what it did not open', good.replace('</TR>', '</TD>'), 'line 4:'],
    ['has its data elsewhere', votable(fields, stream('', 'href="http://127.0.0.1:9/x"')), 'and are not fetched'],
    ['is encoded otherwise', votable(fields, stream('', 'encoding="gzip"')), 'its STREAM is encoded as gzip'],
    ['has its data as FITS', votable(fields, '<FITS><STREAM/></FITS>'), 'has its data as FITS'],
    ['has no base64', votable(fields, stream('AAA!')), 'its STREAM is no base64'],
    ['has half a row', votable(fields, stream('AAAAAAAAAAA=')), 'strange row 1: the data is cut off in it'],
    ['has an element in its STREAM', votable(fields, stream('AAAA<b>c</b>')), 'strange'],
    ['has types that there are not', votable(fields.replace('short', 'quad'), rows()), 'the field a has the type quad'],
    ['has sizes that there are not', votable(fields.replace('"short"', '"short" arraysize="-3"'), rows()), 'short[-3]'],
    [
      'has ids in floats',
      votable(fields.replace('long', 'double'), rows()),
      'column oid holds double: the ids are already broken',
    ],
    [
      'has arrays',
      votable(fields.replace('"short"', '"short" arraysize="3"'), rows()),
      'column a holds short[3], not numbers',
    ],
    [
      'is an error of a service',
      '<VOTABLE><RESOURCE><INFO name="QUERY_STATUS" value="ERROR">no such\ntable</INFO></RESOURCE></VOTABLE>',
      "is a service's error, not a table: no such",
    ],
    ['lies too deep', `<VOTABLE>${'<A>'.repeat(5000)}`, 'elements lie too deep in each other'],
    ['has a cell without a row', good.replace('<TABLEDATA>', '<TABLEDATA><TD>1</TD>'), 'TD in TABLEDATA'],
    ['is in an unknown encoding', good.replace('"1.0"', '"1.0" encoding="EBCDIC"'), 'is in EBCDIC, which is not read'],
    ['is not in its encoding', Buffer.from(good.replace('"oid"', '"oíd"'), 'latin1'), 'holds bytes that are not UTF-8'],
  ])('that %s is refused, with the place', async (_, bytes, message) => {
    expect(await saidOf(bytes, 'votable')).toContain(message)
  })

  it('with a text that never ends is given up', { timeout: 20_000 }, async () => {
    const endless = votable(fields, `<TABLEDATA><TR><TD>${'1'.repeat(20_000_000)}`)
    expect(await saidOf(endless, 'votable')).toContain('a tag or a text is longer than')
    const row = Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xff]), Buffer.alloc(300)])
    const text = votable(fields.replace('"long"', '"char" arraysize="*"'), stream(row.toString('base64')))
    expect(await saidOf(text, 'votable')).toContain('strange row 1: it has more than')
  })

  it.each([
    ['TABLEDATA', votableInText(seed)],
    ['BINARY', votableInBinary(seed, 'BINARY')],
    ['BINARY2', votableInBinary(seed, 'BINARY2')],
  ])('in %s that is cut off anywhere is refused', async (_, whole) => {
    for (let at = 0; at < whole.length - 40; at += 997) {
      expect(await saidOf(whole.slice(0, at), 'votable')).toMatch(/cut off|no base64|no table|line \d+/)
    }
  })
})
