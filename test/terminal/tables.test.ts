// One table, three renderers: text for a terminal, CSV, and HTML.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cellTable, matrixTable, type Table } from '../../src/formats/table.ts'
import { tableOf } from '../../src/report/page.ts'
import { checkTableFolder, writeCsvRows, writeCsvTables } from '../../src/terminal/csv-tables.ts'
import { captionedTable, textTable } from '../../src/terminal/text-table.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Row {
  readonly name: string
  readonly objects: number
  readonly share: number | null
}

const table: Table<Row> = {
  caption: 'Shares',
  rows: [
    { name: 'RRL\u001b[31m, "old"', objects: 12345, share: 0.123456789 },
    { name: 'E', objects: 7, share: null },
  ],
  columns: [
    { key: 'class_name', heading: 'class', cell: ({ name }) => name, isText: true },
    { key: 'objects', heading: 'objects', cell: ({ objects }) => objects },
    { key: 'share', heading: 'percent', cell: ({ share }) => share, isShare: true },
    { heading: 'share', cell: ({ share }) => share, decimals: 4 },
    { key: 'version', cell: () => 'v1' },
  ],
}

const folder = temporaryFolder

describe('a table', () => {
  it('is aligned text without control characters, and shows no column that has no heading', () => {
    expect(textTable(table)).toEqual([
      'class       objects  percent   share',
      'RRL, "old"   12,345  12.35 %  0.1235',
      'E                 7        –       –',
    ])
    expect(captionedTable(table)[0]).toBe('Shares')
    expect(captionedTable({ ...table, rows: [] })).toEqual([])
  })

  it('goes on below where a terminal is too narrow, and has whole headings where it is wide enough', () => {
    const matrix = matrixTable({
      ...{ title: 'Classes', corner: 'label', rows: ['RRL', 'E'] },
      ...{
        columns: ['Periodic-Other', 'RRL'],
        counts: [
          [1, 20],
          [3, 4],
        ],
      },
    })
    expect(textTable(matrix, 26)).toEqual([
      'label  Periodic-Other  RRL',
      'RRL                 1   20',
      'E                   3    4',
    ])
    expect(textTable(matrix, 25)).toEqual(['label  Period…  RRL', 'RRL          1   20', 'E            3    4'])
    expect(textTable(matrix, 18)).toEqual([
      ...['label  Period…', 'RRL          1', 'E            3'],
      '',
      ...['label  RRL', 'RRL     20', 'E        4'],
    ])
  })

  it('is CSV in full precision, and holds no column that has no key', async () => {
    const out = folder()
    await writeCsvTables(join(out, 'tables'), { shares: table, pair: cellTable(['a', 'b'], [['x', null]]) })
    expect(readdirSync(join(out, 'tables')).sort()).toEqual(['pair.csv', 'shares.csv'])
    expect(readFileSync(join(out, 'tables/pair.csv'), 'utf8')).toBe('a,b\nx,\n')
    expect(readFileSync(join(out, 'tables/shares.csv'), 'utf8')).toBe(
      'class_name,objects,share,version\n"RRL\u001b[31m, ""old""",12345,0.123456789,v1\nE,7,,v1\n',
    )
  })

  it('is HTML with escaped text, numbers that sort, and empty cells where nothing is defined', () => {
    const { markup } = tableOf(table)
    expect(markup).toContain('<th scope="col" class="t">class</th><th scope="col">objects</th>')
    expect(markup).toContain('&quot;old&quot;<td>12345<td>12.35 %<td>0.123457\n')
    expect(markup).toContain('<th scope="row" class="t">E<td>7<td><td>\n')
    expect(markup).not.toContain('v1')
  })

  it('of counts has short headings on a terminal only', () => {
    const matrix = { title: 'Both', corner: 'A ↓ B →', rows: ['RRL'], columns: ['Periodic-Other'], counts: [[3]] }
    expect(textTable(matrixTable(matrix))).toEqual(['A ↓ B →  Period…', 'RRL            3'])
    expect(tableOf(matrixTable(matrix)).markup).toContain('Periodic-Other')
  })
})

describe('a CSV file of many rows', () => {
  it('is there whole or not at all', async () => {
    const out = folder()
    async function* chunks() {
      yield [['a', 1]]
      await Promise.resolve()
      throw new Error('the source failed')
    }
    await expect(writeCsvRows(join(out, 'rows.csv'), { header: ['x', 'y'], chunks: chunks() })).rejects.toThrow(
      'the source failed',
    )
    expect(readdirSync(out)).toEqual([])
  })
})

describe('a folder for tables', () => {
  it('is refused where it holds something, unless it may be overwritten', () => {
    const out = folder()
    checkTableFolder(out, false)
    writeFileSync(join(out, 'mine.txt'), '')
    expect(() => checkTableFolder(out, false)).toThrow('is not empty')
    checkTableFolder(out, true)
  })
})
