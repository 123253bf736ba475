// Every opcode of protocols 1 to 5 builds what Python builds; protocol 0 is refused.
import { describe, expect, it } from 'vitest'
import { PyDict, PyList, PyObject, PySet, PyTuple } from '../../../../src/model/sklearn/pickle/values.ts'
import type { PyValue } from '../../../../src/model/sklearn/pickle/values.ts'
import { unpickle } from '../../../../src/model/sklearn/pickle/unpickle.ts'
import { readFixture } from '../../../support/fixture-folders.ts'

/** Lists and tuples as arrays, for comparing. */
function plain(value: PyValue): unknown {
  if (value instanceof PyList || value instanceof PyTuple) return value.items.map(plain)
  return value instanceof Uint8Array ? [...value] : value
}

const read = (opcodes: string) => plain(unpickle(Buffer.from(opcodes, 'latin1'), 'x.pkl'))

describe('text opcodes of protocol 1', () => {
  it.each([
    ['I42\n.', 42],
    ['I-7\n.', -7],
    ['I01\n.', true],
    ['I00\n.', false],
    ['L123L\n.', 123],
    ['L-170141183460469231731687303715884105728L\n.', -(2n ** 127n)],
  ])('%j', (opcodes, expected) => {
    expect(read(opcodes)).toEqual(expected)
  })

  it('keep lists and dicts that are collected from a mark', () => {
    expect(read('(I1\nI2\nl.')).toEqual([1, 2])
    const value = unpickle(Buffer.from('(U\x01k(I1\nI2\ntd.'), 'x.pkl')
    expect(value instanceof PyDict && plain(value.get('k')!)).toEqual([1, 2])
  })
})

describe('protocol 0', () => {
  const forests = ['0.20/balanced', '0.23/weighted', '0.24/balanced', '1.7/balanced']
  const lists = Object.entries(
    JSON.parse(readFixture('pickles/1.7/features.json.gz').toString()) as Record<string, string>,
  ).filter(([form]) => form.endsWith('protocol 0'))

  it.each<readonly [string, Buffer]>([
    ['a float', Buffer.from('F1.5\n.')],
    ['a string', Buffer.from("S'a'\n.")],
    ['a text', Buffer.from('Va\n.')],
    ['the memo', Buffer.from('(lp0\ng0\n.')],
    ...forests.map((name) => [name, readFixture(`pickles/${name}-protocol0.pkl.gz`)] as const),
    ...lists.map(([form, base64]) => [form, Buffer.from(base64, 'base64')] as const),
  ])('is refused by name, and the hint says what to do: %s', (_, bytes) => {
    expect(() => unpickle(bytes, 'x.pkl')).toThrow(
      expect.objectContaining({
        exitCode: 4,
        message: expect.stringContaining('x.pkl: is of pickle protocol 0') as string,
        hint: expect.stringContaining('protocol=2)') as string,
      }),
    )
  })
})

it('protocol 0 with a name that may not be called is refused by that name, without a word on opening it in Python', () => {
  expect(() => unpickle(Buffer.from("cposix\nsystem\n(S'id'\ntR."), 'x.pkl')).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('refused: needs posix.system') as string,
      hint: expect.not.stringContaining('pickle.load') as string,
    }),
  )
})

describe('binary opcodes', () => {
  it.each([
    ['\x80\x02N.', null],
    ['\x80\x02\x88.', true],
    ['\x80\x02\x89.', false],
    ['\x80\x02K\xff.', 255],
    ['\x80\x02M\x01\x02.', 513],
    ['\x80\x02J\xff\xff\xff\xff.', -1],
    ['\x80\x02\x8a\x00.', 0],
    ['\x80\x02\x8a\x01\x80.', -128],
    ['\x80\x02\x8a\x02\xff\x00.', 255],
    ['\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.', 2n ** 63n],
    ['\x80\x02\x8b\x02\x00\x00\x00\x00\x01.', 256],
    ['G?\xf8\x00\x00\x00\x00\x00\x00.', 1.5],
    ['\x80\x02U\x02a\xe9.', 'a\xe9'],
    ['\x80\x02T\x02\x00\x00\x00hi.', 'hi'],
    ['\x80\x02X\x03\x00\x00\x00a\xc3\xa9.', 'aé'],
    ['\x80\x04\x8c\x02hi.', 'hi'],
    ['\x80\x04\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi.', 'hi'],
    ['\x80\x03C\x02\x00\xff.', [0, 255]],
    ['\x80\x03B\x01\x00\x00\x00\x07.', [7]],
    ['\x80\x04\x8e\x01\x00\x00\x00\x00\x00\x00\x00\x07.', [7]],
    ['\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00\x07.', [7]],
    ['\x80\x02).', []],
    ['\x80\x02K\x01\x85.', [1]],
    ['\x80\x02K\x01K\x02\x86.', [1, 2]],
    ['\x80\x02K\x01K\x02K\x03\x87.', [1, 2, 3]],
    ['\x80\x02(K\x01K\x02t.', [1, 2]],
    ['\x80\x02](K\x01K\x02e.', [1, 2]],
    ['\x80\x02]K\x01a.', [1]],
    ['\x80\x02K\x01K\x020.', 1],
    ['\x80\x02K\x01(K\x02K\x031.', 1],
    ['\x80\x02K\x01(0.', 1],
    ['\x80\x02K\x012\x86.', [1, 1]],
    ['\x80\x02K\x05q\x07h\x07\x86.', [5, 5]],
    ['\x80\x02K\x05r\x03\x00\x00\x00j\x03\x00\x00\x00\x86.', [5, 5]],
    ['\x80\x04K\x05\x94h\x00\x86.', [5, 5]],
    ['\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x05.', 5],
  ])('%j', (opcodes, expected) => {
    expect(read(opcodes)).toEqual(expected)
  })

  it('decode the bytes that protocol 2 hides in a text', () => {
    expect(read('\x80\x02c_codecs\nencode\nX\x03\x00\x00\x00a\xc3\xa9X\x06\x00\x00\x00latin1\x86R.')).toEqual([97, 233])
    expect(read('\x80\x02c__builtin__\nbytes\n)R.')).toEqual([])
  })

  it('keep sets, ordered dicts and unknown list classes as what they are, without running anything', () => {
    expect(unpickle(Buffer.from('\x80\x04\x8f(K\x01\x90.', 'latin1'), 'x')).toBeInstanceOf(PySet)
    expect(unpickle(Buffer.from('\x80\x04(K\x01\x91.', 'latin1'), 'x')).toBeInstanceOf(PySet)
    const ordered = unpickle(
      Buffer.from('\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00kK\x01s.', 'latin1'),
      'x',
    )
    expect(ordered instanceof PyDict && ordered.get('k')).toBe(1)
    const frozen = unpickle(Buffer.from('\x80\x02cpandas.core.indexes.frozen\nFrozenList\n)\x81K\x01a.', 'latin1'), 'x')
    expect(frozen instanceof PyObject && frozen.type.name).toBe('FrozenList')
  })

  it('keep a key called __proto__ as a key', () => {
    const value = unpickle(Buffer.from('\x80\x02}X\x09\x00\x00\x00__proto__}X\x01\x00\x00\x00aK\x01ss.', 'latin1'), 'x')
    expect(value instanceof PyDict && value.get('__proto__')).toBeInstanceOf(PyDict)
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
  })

  it('share what Python shares', () => {
    const value = unpickle(Buffer.from('\x80\x04]\x94h\x00\x86.', 'latin1'), 'x')
    expect(value instanceof PyTuple && value.items[0] === value.items[1]).toBe(true)
  })
})
