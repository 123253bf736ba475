import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { detachedText, linesOf } from '../../src/formats/chunks.ts'

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function lines(text: string | Buffer, size: number, maxLength = 1000): Promise<[number, string, boolean][]> {
  const all: [number, string, boolean][] = []
  for await (const group of linesOf(inChunks(Buffer.from(text), size), maxLength)) {
    group.lines.forEach((line, i) => all.push([group.firstNumber + i, line, group.overlong.has(i)]))
  }
  return all
}

describe('lines of text', () => {
  it('are split at line feeds alone, however the bytes come', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', '\r', '\u2028', 'é', '⚡', '😀') })
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (body, size) => {
        const expected = body.split('\n')
        if (expected.at(-1) === '') expected.pop()
        expect(await lines(body, size)).toEqual(expected.map((line, i) => [i + 1, line, false]))
      }),
    )
  })

  it('lose a byte order mark at the start, and only there', async () => {
    expect(await lines('\ufeffa\n\ufeffb', 2)).toEqual([
      [1, 'a', false],
      [2, '\ufeffb', false],
    ])
  })

  it('are skipped to their end when they are too long', async () => {
    const found = await lines(`a\n${'x'.repeat(5000)}\nb\n${'y'.repeat(5000)}`, 700)
    expect(found.map(([number, line, isOverlong]) => [number, line.slice(0, 2), isOverlong])).toEqual([
      [1, 'a', false],
      [2, 'xx', true],
      [3, 'b', false],
      [4, 'yy', true],
    ])
    expect(found.every(([, line]) => line.length <= 200)).toBe(true)
  })

  it('mark bytes that are no UTF-8', async () => {
    expect(await lines(Buffer.from([0x61, 0xff, 0x0a, 0xc3]), 1)).toEqual([
      [1, 'a\ufffd', false],
      [2, '\ufffd', false],
    ])
  })
})

describe('a detached text', () => {
  it('is the same text', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => detachedText(text) === text))
  })
})
