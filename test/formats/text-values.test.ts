import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonNumber, jsonScalar, parseJsonLine } from '../../src/formats/text-values.ts'

describe('a line of JSON', () => {
  it('is what JSON.parse makes of it, integers apart that it would round', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.double(), fc.string(), fc.boolean(), fc.constant(null))),
        (record) => {
          const line = JSON.stringify(record)
          const parsed = parseJsonLine(line)!
          const expected = JSON.parse(line) as Record<string, unknown>
          expect(Object.keys(parsed)).toEqual(Object.keys(expected))
          for (const [key, value] of Object.entries(expected)) {
            const found = jsonScalar(parsed[key])
            expect(typeof found === 'bigint' ? Number(found) : found).toEqual(value)
          }
        },
      ),
    )
  })

  it('keeps integers of any length, and the words of Python, beside any string', () => {
    const token = fc.oneof(
      fc.bigInt().map((value): [string, unknown] => [String(value), value]),
      fc.constantFrom<[string, unknown]>(['NaN', NaN], ['Infinity', Infinity], ['-Infinity', -Infinity]),
    )
    const text = fc.string({
      unit: fc.constantFrom('"', '\\', ':', ',', ' NaN', 'Infinity', '12345678901234567890', '[', 'x'),
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, token), { maxLength: 6 }), (pairs) => {
        const line = `{${pairs.map(([string, [word]], i) => `"k${i}": ${word} , "s${i}":${JSON.stringify(string)}`).join(',')}}`
        const parsed = parseJsonLine(line)!
        pairs.forEach(([string, [, value]], i) => {
          const found = jsonScalar(parsed[`k${i}`])
          expect(typeof found === 'number' && typeof value === 'bigint' ? BigInt(found) : found).toEqual(value)
          expect(parsed[`s${i}`]).toBe(string)
        })
      }),
    )
  })

  it('is undefined for anything else', () => {
    for (const line of ['', 'NaN', '[1]', '1', '{"a":NaN1}', '{"a":-NaN}', '{NaN:1}', '{"a":nan}', '{"a":1}{']) {
      expect(parseJsonLine(line)).toBeUndefined()
    }
  })

  it('gives numbers as float64', () => {
    const parsed = parseJsonLine('{"a":1.5,"b":null,"c":NaN,"d":9007199254740993123,"e":"1","f":true}')!
    const numbers = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => jsonNumber(parsed[key]))
    expect(numbers).toEqual([1.5, NaN, NaN, 9007199254740993123, undefined, undefined])
  })
})
