// Feature and class names in every form that Python keeps them.
import { describe, expect, it } from 'vitest'
import { readNames } from '../../../src/model/sklearn/pickle/names.ts'
import { unpickle } from '../../../src/model/sklearn/pickle/unpickle.ts'
import { readFixture, smallFeatures } from '../../support/fixture-folders.ts'
import { array, bytesOf, dtype, global, integer, list, none, pickleOf, reduce, text, truth } from './pickle/assemble.ts'

const namesOf = (...pieces: Buffer[]) => readNames(unpickle(pickleOf(...pieces), 'x.pkl'), 'x.pkl')

describe.each(['0.20', '1.1', '1.4', '1.7'])('the feature lists beside scikit-learn %s', (version) => {
  const lists = JSON.parse(readFixture(`pickles/${version}/features.json.gz`).toString()) as Record<string, string>
  it.each(Object.entries(lists).filter(([form]) => !form.endsWith('protocol 0')))('%s', (_, base64) => {
    expect(readNames(unpickle(Buffer.from(base64, 'base64'), 'x.pkl'), 'x.pkl')).toEqual(smallFeatures)
  })
})

describe('names', () => {
  it('may be bytes, numbers or truth values, as labels are', () => {
    expect(namesOf(array(dtype('S2'), [2], bytesOf(Buffer.from('a\0bc'))))).toEqual(['a', 'bc'])
    expect(namesOf(array(dtype('i8'), [2], bytesOf(Buffer.from(BigInt64Array.of(-1n, 7n).buffer))))).toEqual([
      '-1',
      '7',
    ])
    expect(namesOf(array(dtype('b1'), [2], bytesOf(Buffer.of(0, 1))))).toEqual(['False', 'True'])
    expect(namesOf(list(integer(3), truth(true), bytesOf(Buffer.from('x'))))).toEqual(['3', 'True', 'x'])
    const scalar = reduce(
      global('numpy._core.multiarray.scalar'),
      dtype('U2'),
      bytesOf(Buffer.from('a\0\0\0é\0\0\0', 'latin1')),
    )
    expect(namesOf(list(scalar))).toEqual(['aé'])
  })

  it.each([
    ['none', list()],
    ['one twice', list(text('a'), text('a'))],
    ['None', list(none)],
    ['floats', array(dtype('f8'), [1], bytesOf(Buffer.alloc(8)))],
    ['two dimensions', array(dtype('O8'), [1, 1], list(text('a')))],
    ['a text alone', text('abc')],
    ['a name', global('posix.system')],
    ['a code point beyond Unicode', array(dtype('U1'), [1], bytesOf(Buffer.of(0, 0, 0x11, 0)))],
    ['far too many', array(dtype('i4'), [40_000], bytesOf(Buffer.alloc(160_000)))],
  ])('are refused: %s', (_, piece) => {
    expect(() => namesOf(piece)).toThrow('x.pkl')
  })
})
