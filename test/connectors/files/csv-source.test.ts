import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { DataError } from '../../../src/errors.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { InputFormat } from '../../../src/connectors/address.ts'
import type { ReadOptions, Source } from '../../../src/pipeline/source.ts'
import { bitsOf, fileSpec, fixture, readAll, readOnce, readOptions, type Rows } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let folder: string

beforeAll(async () => {
  folder = temporaryFolder()
})

async function open(bytes: Uint8Array | string, changes: Partial<ReadOptions> = {}, name = 'x.csv'): Promise<Source> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  const format: InputFormat = name.includes('.tsv') ? 'tsv' : 'csv'
  return openSource(fileSpec(path, format, name), readOptions({ features: ['a', 'b'], ...changes }))
}

async function read(bytes: Uint8Array | string, changes: Partial<ReadOptions> = {}, name = 'x.csv'): Promise<Rows> {
  return readOnce(await open(bytes, changes, name))
}

describe('CSV', () => {
  it('knows the words for null and infinity, and numbers in every usual form', async () => {
    const cells = [
      '',
      'NaN',
      'nan',
      'NA',
      'null',
      'None',
      'inf',
      '-Infinity',
      '1e3',
      '-.5',
      '+7.',
      ' 2 ',
      '"3"',
      '1E-2',
    ]
    const seen = [NaN, NaN, NaN, NaN, NaN, NaN, Infinity, -Infinity, 1000, -0.5, 7, 2, 3, 0.01]
    const rows = await read(`oid,a,b\n${cells.map((cell, i) => `o${i},${cell},1`).join('\n')}\n`)
    expect(rows.rejected).toEqual([])
    expect(rows.bits).toEqual(seen.map((value) => bitsOf([value, 1])))
  })

  it('reads as null what pandas reads so, and what COPY of PostgreSQL writes', async () => {
    // the default na_values of pandas.read_csv, and \\N
    const words =
      '#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null|\\N|'.split(
        '|',
      )
    const rows = await read(`oid,candid,a,b\n${words.map((word, i) => `o${i},${word},${word},1`).join('\n')}\n`)
    expect(rows.rejected).toEqual([])
    expect(rows.bits).toEqual(words.map(() => bitsOf([NaN, 1])))
    expect(rows.candids).toEqual(words.map(() => null))
  })

  it('may have what it likes above columns that nobody needs', async () => {
    const rows = await read(',oid,x,a,x,,b,\n0,o1,1,2,3,4,5,6\n')
    expect(rows.bits).toEqual([bitsOf([2, 5])])
  })

  it('reads cells that are as long as a line may be once, whatever is in them', async () => {
    // a pattern that goes back took 3 s for 60,000 digits, and hours for as many as these
    const cells = [`${'1'.repeat(2e6)}x`, `1.${'1'.repeat(2e6)}x`, `1e${'1'.repeat(2e6)}x`, ' '.repeat(9e5)]
    const rows = await read(
      `oid,candid,a,b\n${cells.map((cell, i) => `o${i},1,${cell},2`).join('\n')}\no4,${'1'.repeat(2e6)},1,2\n`,
    )
    expect(rows.oids).toEqual(['o3'])
    expect(rows.rejected.map(({ oid, reason }) => [oid, reason])).toEqual([
      ...['o0', 'o1', 'o2'].map((oid) => [oid, 'a is not a number']),
      ['o4', 'candid is not an int64'],
    ])
  })

  it('may have a million columns', async () => {
    const others = Array.from({ length: 5e5 }, (_, i) => `c${i % 250_000}`).join(',')
    await expect(open(`oid,${others}\n`)).rejects.toThrow('x.csv lacks 2 columns the model needs: a, b')
    const rows = await read(`oid,a,b,${others}\no1,1,2${',3'.repeat(5e5)}\n`)
    expect(rows.bits).toEqual([bitsOf([1, 2])])
  })

  it.each(['0x10', '1,5', '1_000', '12abc', '--1', 'e5', '1e', 'N.A.', 'Inf1', '٣', '1\0', 'true'])(
    'rejects %s, with its line and its id',
    async (cell) => {
      const rows = await read(`oid,a,b\ngood,1,2\nbad,"${cell}",2\nalso good,1,2\n`)
      expect(rows.oids).toEqual(['good', 'also good'])
      expect(rows.rejected).toEqual([{ oid: 'bad', where: 'x.csv line 3', reason: 'a is not a number', value: cell }])
    },
  )

  it('rejects a row with too few or too many fields, and reads the next', async () => {
    const rows = await read('oid,a,b\no1,1\no2,1,2,3\no3,1,2\no4\n')
    expect(rows.oids).toEqual(['o3'])
    expect(rows.rejected).toEqual([
      { oid: 'o1', where: 'x.csv line 2', reason: 'wrong number of fields' },
      { oid: 'o2', where: 'x.csv line 3', reason: 'wrong number of fields' },
      { oid: 'o4', where: 'x.csv line 5', reason: 'wrong number of fields' },
    ])
  })

  it('loses one row to a quote that is never closed', async () => {
    const good = Array.from({ length: 500 }, (_, i) => `g${i},1,2`)
    const rows = await read(['oid,a,b', 'o1,1,2', '"o2,1,2', ...good].join('\n'))
    expect(rows.oids).toHaveLength(501)
    expect(rows.rejected).toEqual([{ oid: '"o2', where: 'x.csv line 3', reason: 'a quote is not closed' }])
  })

  it('loses one row each to two open quotes that look like one long field', async () => {
    const rows = await read('oid,a,b\no1,1,"2\no2,1,2\no3,1,2"\no4,1,2\n')
    expect(rows.oids).toEqual(['o2', 'o4'])
    expect(rows.rejected).toMatchObject([
      { oid: 'o1', where: 'x.csv line 2', reason: 'a quote is not closed' },
      { oid: 'o3', where: 'x.csv line 4', reason: 'b is not a number', value: '2"' },
    ])
  })

  it('reads quoted ids with delimiters, quotes and line ends in them', async () => {
    const rows = await read('oid,a,b\r\n"a, ""b""\n c",1,2\r\n"",3,4\r\n"x" ,3,4\r\n')
    expect(rows.oids).toEqual(['a, "b"\n c'])
    expect(rows.rejected).toEqual([
      { oid: null, where: 'x.csv line 4', reason: 'oid is missing' },
      { oid: '"x" ', where: 'x.csv line 5', reason: 'text after a closing quote' },
    ])
  })

  it('passes over blank lines and needs no line end at the end', async () => {
    const rows = await read('\n\r\noid,a,b\n\no1,1,2\r\n\r\n\no2,1,2')
    expect(rows).toMatchObject({ oids: ['o1', 'o2'], rejected: [] })
  })

  it('rejects ids and values that are not UTF-8', async () => {
    const rows = await read(Buffer.from('oid,a,b\n\u00ff,1,2\no2,\u00e9,2\no3,1,2\n', 'latin1'))
    expect(rows.oids).toEqual(['o3'])
    expect(rows.rejected).toMatchObject([{ reason: 'oid is not UTF-8' }, { oid: 'o2', reason: 'a is not a number' }])
  })

  it('skips a line beyond all measure', async () => {
    const rows = await read(`oid,a,b\no1,1,2\n${'x'.repeat(9e6)}\no3,1,2\n${'1,'.repeat(5e6)}`)
    expect(rows.oids).toEqual(['o1', 'o3'])
    expect(rows.rejected).toMatchObject([
      { where: 'x.csv line 3', reason: 'the line is too long' },
      { where: 'x.csv line 5', reason: 'the line is too long' },
    ])
  })

  it('takes candids as int64 digits, and rejects others', async () => {
    const rows = await read(
      'oid,candid,a,b\n1,9007199254740993,1,2\n2,,1,2\n3,1e18,1,2\n4,12.0,1,2\n5,9223372036854775808,1,2\n6,-5,1,2\n7,nan,1,2\n',
    )
    expect(rows.candids).toEqual([9007199254740993n, null, -5n, null])
    expect(rows.rejected).toMatchObject([
      { oid: '3', reason: 'candid is a float: its last digits are lost', value: '1e18' },
      { oid: '4', reason: 'candid is not an int64', value: '12.0' },
      { oid: '5', reason: 'candid is not an int64' },
    ])
  })

  it.each([
    ['', 'x.csv is empty: it needs a header row'],
    ['\ufeff\n\n', 'x.csv is empty: it needs a header row'],
    ['oid,a,b,a\n', 'x.csv has the column a 2 times'],
    ['oid,a,oid,b,oid\n', 'x.csv has the column oid 3 times'],
    ['o1,1,2\n', 'x.csv lacks 3 columns the model needs: oid, a, b'],
    ['"oid,a,b\n', 'x.csv: the header row cannot be read: a quote is not closed'],
    ['OID,A,b\n', 'x.csv lacks 2 columns the model needs: oid (nearest: OID), a (nearest: A)'],
  ])('refuses %j', async (text, message) => {
    const opened = open(text)
    await expect(opened).rejects.toBeInstanceOf(DataError)
    await expect(opened).rejects.toThrow(message)
  })

  it.each([
    [Buffer.from('PAR1....'), 'x.csv is a Parquet file, not CSV'],
    [Buffer.from('fffe00006f000000', 'hex'), 'x.csv is text in UTF-32, not UTF-8, not CSV'],
    [gzipSync(Buffer.from('ARROW1\0\0....')), 'x.csv is an Arrow file, not CSV'],
  ])('says what a file is that is none: %s', async (bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message)
  })

  it('may have a column of any name', async () => {
    const features = ['__proto__', 'constructor', 'a\nb', '']
    const rows = await read('oid,__proto__,constructor,"a\nb",\no,1,2,3,4\n', { features })
    expect(rows.bits).toEqual([bitsOf([1, 2, 3, 4])])
  })

  it('is recognised as gzip by its bytes, members one after the other', async () => {
    const bytes = Buffer.concat([gzipSync('oid,a,b\no1,1,2\n'), gzipSync('o2,1,2\n')])
    expect((await read(bytes)).oids).toEqual(['o1', 'o2'])
  })

  it('delivers what comes before damage in the gzip data, then fails', async () => {
    const whole = gzipSync(`oid,a,b\n${Array.from({ length: 90_000 }, (_, i) => `o${i},${i},${i / 7}\n`).join('')}`)
    const source = await open(whole.subarray(0, whole.length / 2), {}, 'cut.csv.gz')
    let count = 0
    await expect(async () => {
      for await (const { read: rows } of source.deliveries(new AbortController().signal)) count += rows
    }).rejects.toThrow('cut.csv.gz: the gzip data is cut off')
    expect(count).toBeGreaterThan(10_000)
    await source.close()
  })

  it('notices that the file changed while it was read', async () => {
    const source = await open('oid,a,b\no1,1,2\n', {}, 'changing.csv')
    await utimes(join(folder, 'changing.csv'), new Date(), new Date(1e12))
    const reading = readAll(source.deliveries(new AbortController().signal))
    await expect(reading).rejects.toThrow('changing.csv changed while it was read')
  })

  it('refuses a file that is not there or is a folder', async () => {
    const missing = openSource(fileSpec(join(folder, 'absent.csv'), 'csv', 'absent.csv'), readOptions())
    await expect(missing).rejects.toThrow('absent.csv: there is no such file')
    await expect(openSource(fileSpec(folder, 'csv', 'folder'), readOptions())).rejects.toThrow('is a folder')
  })

  it('reads TSV by tabs', async () => {
    expect((await read('oid\ta\tb\n"a\tb"\t1\t2\n', {}, 'x.tsv')).oids).toEqual(['a\tb'])
    const rows = await readOnce(await openSource(fileSpec(fixture('objects.tsv'), 'tsv'), readOptions()))
    expect(rows.read).toBe(20)
  })
})
