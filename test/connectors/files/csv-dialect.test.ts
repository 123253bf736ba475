// CSV as the world writes it: other delimiters, decimal commas, other encodings. Never a silent wrong guess.
import fc from 'fast-check'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { gzipSync } from 'node:zlib'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { ReadOptions } from '../../../src/pipeline/source.ts'
import { bitsOf, fileSpec, readAll, readOptions, type Rows } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const folder = temporaryFolder()

async function read(content: string | Uint8Array, changes: Partial<ReadOptions> = {}, format: 'csv' | 'tsv' = 'csv') {
  const path = join(folder, `x.${format}`)
  writeFileSync(path, content)
  const source = await openSource(fileSpec(path, format, 'x.csv'), readOptions({ features: ['a', 'b'], ...changes }))
  try {
    const rows: Rows = await readAll(source.deliveries(new AbortController().signal))
    return { ...rows, notes: source.notes?.() ?? [] }
  } finally {
    await source.close()
  }
}

describe('the delimiter', () => {
  it.each([';', '\t', '|'])('is recognised by the header, and said: %j', async (d) => {
    const { bits, notes } = await read(['oid', 'a', 'b'].join(d) + '\n' + ['"x,y"', '1.5', '2'].join(d) + '\n')
    expect(bits).toEqual([bitsOf([1.5, 2])])
    expect(notes).toEqual([expect.stringMatching(/^CSV: fields are divided by \S+ \(recognised; --delimiter/)])
  })

  it('is not said where it is the comma, or was asked for', async () => {
    expect((await read('oid,a,b\nx,1,2\n')).notes).toEqual([])
    expect((await read('oid;a;b\nx;1;2\n', { delimiter: ';' })).notes).toEqual([])
    expect((await read('oid:a:b\nx:1:2\n', { delimiter: ':' })).bits).toEqual([bitsOf([1, 2])])
    expect((await read('oid\ta\tb\nx\t1\t2\n', {}, 'tsv')).notes).toEqual([])
  })

  it('is the one under which the header has the model’s columns, whatever else the header holds', async () => {
    const content = 'oid,"a","b",note;with;many;semicolons|and|more\nx,1,2,;;;|||\n'
    expect((await read(content)).bits).toEqual([bitsOf([1, 2])])
    const features = ['a,1', 'b,2']
    expect((await read('oid;a,1;"b,2"\nx;3;4\n', { features })).bits).toEqual([bitsOf([3, 4])])
    expect((await read('"oid";"a\n1";"b"\nx;3;4\n', { features: ['a\n1', 'b'] })).bits).toEqual([bitsOf([3, 4])])
  })

  it('is an error where two would do, and nothing is guessed', async () => {
    await expect(read('x;oid;a;y,oid,a,z\n', { features: ['a'] })).rejects.toThrow('divided by "," and ";"')
  })

  it('of a header that lacks columns is the likeliest: the message names what is really missing', async () => {
    await expect(read('oid;a;c\nx;1;2\n')).rejects.toThrow('lacks a column the model needs: b')
    await expect(read('oid;A;B\nx;1;2\n', { rename: new Map([['A', 'a']]) })).rejects.toThrow(/lacks a column.*: b/)
    await expect(read('oid;a;b\nx;1;2\n', { delimiter: ',' })).rejects.toThrow('lacks 3 columns')
  })
})

describe('decimal commas', () => {
  it('are recognised beside semicolons, and read exactly', async () => {
    const { bits, rejected, notes } = await read('oid;a;b\nx;0,1;-1,5e-3\ny;;NA\nz;7;inf\n')
    expect(bits.slice(0, 2)).toEqual([bitsOf([0.1, -0.0015]), bitsOf([NaN, NaN])])
    expect(rejected.map(({ oid }) => oid)).toEqual([])
    expect(notes[0]).toContain('semicolons, decimals stand after a comma')
  })

  it('make a point a reject, and several commas', async () => {
    const { oids, rejected } = await read('oid;a;b\nx;0,1;1\ny;1,234,567;1\n', { decimal: ',' })
    expect([oids, rejected.map(({ oid, reason }) => [oid, reason])]).toEqual([['x'], [['y', 'a is not a number']]])
    const point = await read('oid;a;b\ny;1.5;1\n', { decimal: ',' })
    expect(point.rejected).toMatchObject([{ oid: 'y', reason: 'a is not a number', value: '1.5' }])
  })

  it('are rejects where the file has points as well, or divides its fields by commas', async () => {
    const mixed = await read('oid;a;b\nx;0,1;1.5\ny;2;1.5\n')
    expect([mixed.oids, mixed.rejected.map(({ oid }) => oid)]).toEqual([['y'], ['x']])
    const plain = 'oid,a,b\nx,"0,1",1\n'
    expect((await read(plain)).rejected).toMatchObject([{ reason: 'a is not a number', value: '0,1' }])
    expect((await read(plain, { decimal: ',' })).bits).toEqual([bitsOf([0.1, 1])])
  })
})

describe('encodings', () => {
  const text = 'oid;a;b\nnaïve ☄;0,5;1\n'
  const little = Buffer.from(`\ufeff${text}`, 'utf16le')

  it('UTF-16 with a byte order mark is read, compressed or not', async () => {
    for (const bytes of [little, Buffer.from(little).swap16(), gzipSync(little)]) {
      const { oids, bits } = await read(bytes)
      expect([oids, bits]).toEqual([['naïve ☄'], [bitsOf([0.5, 1])]])
    }
  })

  it('others are named, with what to do', async () => {
    await expect(read(Buffer.from('oid,a,b\nx,1,2\n', 'utf16le'))).rejects.toThrow(
      'as text in UTF-16 without a byte order',
    )
    await expect(read(Buffer.from('oid,a,b,été\nx,1,2,3\n', 'latin1'))).rejects.toThrow('the header is not UTF-8')
    const { rejected } = await read(Buffer.from('oid,a,b\nété,1,2\n', 'latin1'))
    expect(rejected).toMatchObject([{ reason: 'oid is not UTF-8' }])
  })
})

it('whatever the delimiter, decimal and quoting, values come back in every bit', async () => {
  // text has no negative zero
  const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }).map((one) => one + 0)
  const row = fc.tuple(fc.stringMatching(/^[A-Za-z0-9;,| ]{1,9}[a-z]$/), number, number)
  const dialect = fc.constantFrom([',', '.'], [';', '.'], [';', ','], ['\t', ','], ['|', ','], ['\t', '.'])
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), dialect, async (rows, [delimiter, decimal]) => {
      const quoted = (cell: string) => (/[;,|\t]/.test(cell) ? `"${cell}"` : cell)
      const lines = rows.map(([oid, ...numbers]) =>
        [oid, ...numbers.map((one) => String(one).replace('.', decimal!))].map(quoted).join(delimiter),
      )
      const { bits, oids, rejected } = await read(`${['oid', 'a', 'b'].join(delimiter)}\n${lines.join('\n')}\n`)
      // integers alone say nothing of decimals
      expect([oids, rejected]).toEqual([rows.map(([oid]) => oid), []])
      expect(bits).toEqual(rows.map(([, a, b]) => bitsOf([a, b])))
    }),
    { numRuns: 60 },
  )
})
