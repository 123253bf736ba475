import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { ReadOptions, Source } from '../../../src/pipeline/source.ts'
import { bitsOf, fileSpec, readOnce, readOptions, type Rows } from '../../support/objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let folder: string

beforeAll(async () => {
  folder = temporaryFolder()
})

async function open(text: string | Buffer, changes: Partial<ReadOptions> = {}): Promise<Source> {
  const path = join(folder, 'x.ndjson')
  await writeFile(path, text)
  return openSource(fileSpec(path, 'ndjson', 'x.ndjson'), readOptions({ features: ['a', 'b'], ...changes }))
}

async function read(text: string | Buffer, changes: Partial<ReadOptions> = {}): Promise<Rows> {
  return readOnce(await open(text, changes))
}

describe('NDJSON', () => {
  it('reads numbers as JSON, and the words that Python writes', async () => {
    const cells = ['1e3', '-0.0', 'null', 'NaN', 'Infinity', '-Infinity', '1e400', '5e-324', '0.1']
    const exact = '1.000000059604644775390625000000001'
    const long = '123456789012345678901234567890123'
    const rows = await read([...cells, exact, long].map((cell, i) => `{"oid":"o${i}","a": ${cell},"b":1}`).join('\n'))
    const seen = [1000, -0, NaN, NaN, Infinity, -Infinity, Infinity, 5e-324, 0.1, 1.000000059604644775390625]
    expect(rows.rejected).toEqual([])
    expect(rows.bits).toEqual([...seen, 1.2345678901234568e32].map((value) => bitsOf([value, 1])))
  })

  it.each([
    ['"1.5"', '1.5'],
    ['true', 'true'],
    ['[1]', 'a list'],
    ['{"x":1}', 'an object'],
    ['"NaN"', 'NaN'],
  ])('rejects %s as a feature', async (cell, value) => {
    const rows = await read(`{"oid":"o1","a":1,"b":2}\n{"oid":"o2","a":1,"b":${cell}}\n{"oid":"o3","a":1,"b":2}\n`)
    expect(rows.oids).toEqual(['o1', 'o3'])
    expect(rows.rejected).toEqual([{ oid: 'o2', where: 'x.ndjson line 2', reason: 'b is not a number', value }])
  })

  it.each([
    '',
    'nonsense',
    '[1,2]',
    '"text"',
    '12',
    'null',
    '{"oid":"x",}',
    '{"oid":"x"',
    '{oid:1}',
    '{"a":01}',
    '{"a":+1}',
  ])('rejects the line %j, if it is one', async (line) => {
    const rows = await read(`{"oid":"o1","a":1,"b":2}\n${line}\n{"oid":"o3","a":1,"b":2}\n`)
    expect(rows.oids).toEqual(['o1', 'o3'])
    expect(rows.rejected.map(({ reason, where }) => [reason, where])).toEqual(
      line === '' ? [] : [['not a JSON object', 'x.ndjson line 2']],
    )
  })

  it('tells a key that is absent from a null', async () => {
    const rows = await read(
      '{"oid":"o1","a":null,"b":null}\n{"oid":"o2","b":1}\n{"oid":"o3"}\n{"oid":"o4","features":null}\n{"oid":"o5","features":{"b":2}}\n{"oid":"o6","a":1,"b":2,"features":[]}\n',
    )
    expect(rows.oids).toEqual(['o1'])
    expect(rows.rejected).toEqual([
      { oid: 'o2', where: 'x.ndjson line 2', reason: 'a is absent' },
      { oid: 'o3', where: 'x.ndjson line 3', reason: 'a is absent', value: 'and 1 more' },
      { oid: 'o4', where: 'x.ndjson line 4', reason: 'a is absent', value: 'and 1 more' },
      { oid: 'o5', where: 'x.ndjson line 5', reason: 'a is absent' },
      { oid: 'o6', where: 'x.ndjson line 6', reason: 'features is not an object' },
    ])
  })

  it('takes absent keys for null where it is told to, but not all of them', async () => {
    const absentAsNull = { absentAsNull: true }
    const rows = await read('{"oid":"o1","b":1}\n{"oid":"o2","features":{"a":2}}\n{"oid":"o3","a":"x"}\n', absentAsNull)
    expect(rows.bits).toEqual([bitsOf([NaN, 1]), bitsOf([2, NaN])])
    expect(rows.rejected).toMatchObject([{ oid: 'o3', reason: 'a is not a number' }])
    await expect(open('{"oid":"o1","x":1}\n', absentAsNull)).rejects.toThrow('lacks 2 columns the model needs: a, b')
  })

  it('takes no id for another that the data makes up', async () => {
    const rows = await read(
      [
        String.raw`{"oid":"\u0000123","candid":1,"a":1,"b":2}`,
        String.raw`{"oid":"\u0000x1","candid":1,"a":1,"b":2}`,
        String.raw`{"oid":"\u0000","candid":"\u00001234567890123456789","a":1,"b":2}`,
        String.raw`{"oid":"o4","candid":1234567890123456789,"a":"\u00001234567890123456789","b":NaN}`,
      ].join('\n'),
    )
    expect(rows.oids).toEqual(['\u0000123', '\u0000x1'])
    expect(rows.rejected).toMatchObject([
      { oid: '\u0000', reason: 'candid is not an int64' },
      { oid: 'o4', reason: 'a is not a number' },
    ])
  })

  it('reads a line once, however long its strings and numbers are', async () => {
    // a pattern took 3 s for 60,000 escapes, and the stack ended at some millions of characters
    const text = (unit: string): string => `"x":"${unit.repeat(12e6 / unit.length)}"`
    const rows = await read(
      [
        `{"oid":"o1","candid":1,"a":NaN,${text('long: NaN, ')},"b":1}`,
        `{"oid":"o2","a":NaN,${text('\\"')},"b":2}`,
        `{"oid":"${'\\"'.repeat(6e6)}`,
        `{"oid":"o4","a":${'1'.repeat(6e6)},"b":${'1'.repeat(6e6)}`,
        `{"oid":"o5","candid":${'1'.repeat(6e6)},"a":1,"b":${'1'.repeat(6e6)}}`,
        `{"oid":"o6","a":1${' '.repeat(6e6)},"b":NaN${' '.repeat(6e6)}}`,
      ].join('\n'),
    )
    expect(rows.oids).toEqual(['o1', 'o2', 'o6'])
    expect(rows.rejected.map(({ oid, reason }) => [oid, reason])).toEqual([
      [null, 'not a JSON object'],
      [null, 'not a JSON object'],
      ['o5', 'candid is not an int64'],
    ])
  })

  it('may have keys that objects have by themselves, and no others are taken from there', async () => {
    const features = ['__proto__', 'constructor', 'toString']
    const rows = await read(
      '{"oid":"o1","__proto__":1,"constructor":2,"toString":3}\n{"oid":"o2","features":{"__proto__":4,"constructor":5,"toString":6}}\n{"oid":"o3"}\n',
      { features },
    )
    expect(rows.bits).toEqual([bitsOf([1, 2, 3]), bitsOf([4, 5, 6])])
    expect(rows.rejected).toMatchObject([{ oid: 'o3', reason: '__proto__ is absent', value: 'and 2 more' }])
  })

  it('keeps every digit of candids and integer ids', async () => {
    const rows = await read(
      '{"oid":9007199254740993,"candid":9223372036854775807,"a":1,"b":2}\n{"oid":2,"candid":"9007199254740993","a":1,"b":2}\n{"oid":3,"candid":[1,9007199254740993,"5"],"a":1,"b":2}\n{"oid":4,"candid":[],"a":1,"b":2}\n{"oid":5,"a":1,"b":2}\n',
    )
    expect(rows.oids).toEqual(['9007199254740993', '2', '3', '4', '5'])
    expect(rows.candids).toEqual([2n ** 63n - 1n, 2n ** 53n + 1n, 2n ** 53n + 1n, null, null])
  })

  it.each([
    ['1.5', 'is not an int64'],
    ['1e300', 'is a float: its last digits are lost'],
    ['9223372036854775808', 'is not an int64'],
    ['9007199254740993.0', 'is a float: its last digits are lost'],
    ['true', 'is not an int64'],
    ['"x"', 'is not an int64'],
    ['{"a":1}', 'is not an int64'],
    ['[[1]]', 'is not an int64'],
    ['{"toString":1}', 'is not an int64'],
  ])('rejects %s as a candid: it %s', async (candid, reason) => {
    const rows = await read(`{"oid":"o1","candid":1,"a":1,"b":2}\n{"oid":"o2","candid":${candid},"a":1,"b":2}\n`)
    expect(rows.rejected).toMatchObject([{ oid: 'o2', reason: `candid ${reason}` }])
  })

  it('knows the type of ids from the first rows', async () => {
    const types = async (...ids: string[]): Promise<string> => {
      const source = await open(ids.map((oid) => `{"oid":${oid},"a":1,"b":2}\n`).join(''))
      await source.close()
      return source.schema.oidType
    }
    expect(await types('"a"')).toBe('string')
    expect(await types('1', '-2')).toBe('int64')
    expect(await types('18446744073709551615')).toBe('uint64')
    expect(await types('1', '"a"')).toBe('string')
    expect(await types('18446744073709551616')).toBe('string')
  })

  it('rejects, much later, ids of another type and candids where there were none', async () => {
    const usual = Array.from({ length: 1100 }, (_, i) => `{"oid":${i},"a":1,"b":2}\n`).join('')
    const rows = await read(
      `${usual}{"oid":"x","a":1,"b":2}\n{"oid":99999999999999999999,"a":1,"b":2}\n{"oid":5,"candid":7,"a":1,"b":2}\n{"oid":6,"candid":null,"a":1,"b":2}\n{"oid":"99999999999999999999","a":1,"b":2}\n`,
    )
    expect(rows.read).toBe(1105)
    expect(rows.rejected).toEqual([
      { oid: 'x', where: 'x.ndjson line 1101', reason: 'oid is not an integer as the others' },
      { oid: '99999999999999999999', where: 'x.ndjson line 1102', reason: 'oid is too large an integer' },
      { oid: '5', where: 'x.ndjson line 1103', reason: 'candid appears here but not in the first rows' },
      { oid: '99999999999999999999', where: 'x.ndjson line 1105', reason: 'oid is too large an integer' },
    ])
  })

  it('leaves alone what is inside strings', async () => {
    const oids = ['a: NaN, b', '[Infinity]', ':1234567890123456789,', '\u2028 \u2029', 'say "NaN"', '\\', '\\"']
    const rows = await read(
      oids.map((oid) => `{"oid":${JSON.stringify(oid)},"a":NaN,"b":1234567890123456789}\n`).join(''),
    )
    expect(rows.oids).toEqual(oids)
    expect(rows.bits).toEqual(oids.map(() => bitsOf([NaN, 1234567890123456789])))
  })

  it('rejects ids that are not UTF-8, and lines beyond all measure', async () => {
    const rows = await read(
      Buffer.concat([
        Buffer.from('{"oid":"\u00ff","a":1,"b":2}\n', 'latin1'),
        Buffer.from(`{"oid":"${'x'.repeat(17e6)}","a":1,"b":2}\n{"oid":"o3","a":1,"b":2}`),
      ]),
    )
    expect(rows.oids).toEqual(['o3'])
    expect(rows.rejected).toMatchObject([{ reason: 'oid is not UTF-8' }, { oid: null, reason: 'the line is too long' }])
    expect(rows.rejected[1]!.value!.length).toBeLessThan(100)
  })

  it('rejects lines nested beyond all measure', async () => {
    const rows = await read(
      `{"oid":"o1","candid":${'['.repeat(1e5)}${']'.repeat(1e5)},"a":1,"b":2}\n${'['.repeat(2e5)}\n`,
    )
    expect(rows.read).toBe(2)
    expect(rows.rejected).toHaveLength(2)
  })

  it('refuses to be read without ids', async () => {
    await expect(open('{"objectId":"o1","a":1,"b":2}\n', { idColumn: 'object_id' })).rejects.toThrow(
      'x.ndjson lacks a column the model needs: object_id (nearest: objectId)',
    )
  })
})
