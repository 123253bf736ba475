// Damage to files, for tests of what reads them.
import fc from 'fast-check'

/** One damage to a file; `at` and `size` are shares of it, so that they fit any. */
export interface Mutation {
  readonly kind: 'flip' | 'set' | 'number' | 'cut' | 'remove' | 'repeat' | 'insert'
  readonly at: number
  readonly size: number
  readonly value: number
}

// without bias, which would put most of the damage into the first byte
const share = fc.noBias(fc.nat(999_999)).map((value) => value / 1_000_000)
const kinds = 'flip flip flip flip set set set number number cut remove repeat insert'.split(' ') as Mutation['kind'][]
export const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(...kinds),
  // half of the damage near the beginning, where the structure is
  at: fc.oneof(
    share,
    share.map((value) => value ** 4),
  ),
  size: share.map((value) => value ** 8),
  value: fc.nat(0xffff_ffff),
})

export function mutate(bytes: Buffer, { kind, at, size, value }: Mutation): Buffer {
  const start = Math.floor(at * bytes.length)
  const end = Math.min(bytes.length, start + 1 + Math.floor(size * bytes.length))
  const copy = Buffer.from(bytes)
  switch (kind) {
    case 'flip':
      copy[start]! ^= 1 << (value & 7)
      return copy
    case 'set':
      copy[start] = value & 0xff
      return copy
    case 'number':
      for (let i = 0; i < 4 && start + i < copy.length; i++) copy[start + i] = (value >>> (8 * i)) & 0xff
      return copy
    case 'cut':
      return copy.subarray(0, start)
    case 'remove':
      return Buffer.concat([copy.subarray(0, start), copy.subarray(end)])
    case 'repeat':
      return Buffer.concat([copy.subarray(0, end), copy.subarray(start)])
    case 'insert':
      return Buffer.concat([
        copy.subarray(0, start),
        Buffer.of(value & 0xff, (value >> 8) & 0xff),
        copy.subarray(start),
      ])
  }
}
