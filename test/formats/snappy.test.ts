import { describe, expect, it } from 'vitest'
import { unpackSnappy } from '../../src/formats/compression.ts'

/** A length as a block begins with it. */
function claimed(length: number): number[] {
  const bytes: number[] = []
  let rest = length
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return [...bytes, rest]
}

describe('a snappy block', () => {
  it('may be what a byte repeated makes of it: 64 bytes of three', () => {
    const copies = Array.from({ length: 1000 }, () => [0xfe, 1, 0]).flat()
    const block = Uint8Array.from([...claimed(64_001), 0, 7, ...copies])
    expect(unpackSnappy(block)).toEqual(new Uint8Array(64_001).fill(7))
  })

  it('is given no memory for more than it can hold', () => {
    expect(() => unpackSnappy(Uint8Array.from([...claimed(60_000_000), 0, 7]))).toThrow('the snappy block is broken')
  })
})
