// Archives, pickles and compressed frames, right but for their counts, their nesting and their order.
import { gzipSync } from 'node:zlib'
import { Header } from 'tar'
import { loadZstd } from '../../../src/formats/compression.ts'
import { type Dice, hostileInteger } from './dice.ts'

/** A tar of some entries, of which any size, type, name and sum may lie; long names, PAX headers; gzip around it, or around that. */
export function tarAttack(dice: Dice): Buffer {
  const good = dice.times(20, (i) => `${i}.pkl`)
  const bad = ['../x.pkl', '/x.pkl', 'x'.repeat(120), '.', `${'a/'.repeat(50)}b.pkl`, 'm/forest.arrow', 'manifest.json']
  const types = [
    'ExtendedHeader',
    'GlobalExtendedHeader',
    'NextFileHasLongPath',
    'Directory',
    'OldFile',
    'SymbolicLink',
    'Link',
    'FIFO',
  ] as const
  const pax = (): Buffer => {
    const key = dice.pick(['size', 'path', 'linkpath', 'mtime', 'SCHILY.xattr.x', '__proto__'])
    const value = dice.pick(['1', '-1', '9'.repeat(dice.size(10_000)), '../../x', 'NaN', '\0'])
    const record = ` ${key}=${value}\n`
    return Buffer.from(
      `${dice.chance(0.2) ? hostileInteger(dice, record.length) : record.length + 2}${record}`.repeat(dice.size(500)),
    )
  }
  const block = (): Buffer[] => {
    const type = dice.chance(0.8) ? 'File' : dice.pick(types)
    const isHeader = type === 'ExtendedHeader' || type === 'GlobalExtendedHeader'
    const bytes = isHeader ? pax() : Buffer.alloc(dice.size(100_000), dice.below(256))
    const size = Math.max(0, dice.chance(0.05) ? hostileInteger(dice, bytes.length) : bytes.length)
    const path = dice.pick(dice.chance(0.1) ? bad : good)
    const isLink = type === 'SymbolicLink' || type === 'Link'
    const header = new Header({ path, type, size, mode: 0o644, ...(isLink ? { linkpath: dice.pick(bad) } : {}) })
    const head = Buffer.alloc(512)
    header.encode(head)
    if (dice.chance(0.02)) head[dice.below(512)] = dice.below(256)
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  }
  const tar = Buffer.concat([...dice.times(1 + dice.size(30), block).flat(), Buffer.alloc(dice.size(4096))])
  const packed = gzipSync(tar, { level: 1 })
  return dice.chance(0.1) ? gzipSync(packed) : packed
}

/** Opcodes of pickle in an order that makes sense, mostly: long runs, deep nests, memos, counts, globals. */
export function pickleAttack(dice: Dice): Buffer {
  const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value >>> 0).buffer)
  const u64 = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt.asUintN(64, BigInt(value))).buffer)
  const op = (code: string, ...more: Buffer[]): Buffer => Buffer.concat([Buffer.from(code, 'latin1'), ...more])
  const sized = (right: number): number => (dice.chance(0.2) ? hostileInteger(dice, right) : right)
  const global = dice.pick([
    'numpy\nndarray',
    'numpy\ndtype',
    'copy_reg\n_reconstructor',
    'numpy.core.multiarray\n_reconstruct',
    'os\nsystem',
    'sklearn.ensemble._forest\nRandomForestClassifier',
  ])
  const one = (): Buffer => {
    switch (dice.below(16)) {
      case 0:
        return op('(').subarray(0, 1)
      case 1:
        return Buffer.alloc(
          dice.size(100_000),
          dice.pick(['(', ']', '}', ')', 'N', '2', '0', '1', 'a', 's', 't', 'l', 'd', '\x85', '\x86']),
          'latin1',
        )
      case 2:
        return op('X', u32(sized(3)), Buffer.from('abc'))
      case 3:
        return op('\x8d', u64(sized(3)), Buffer.from('abc'))
      case 4:
        return op('B', u32(sized(3)), Buffer.from('abc'))
      case 5:
        return op('\x8b', u32(sized(4)), Buffer.alloc(dice.size(5000), 0xff))
      case 6:
        return op('I', Buffer.from(`${'9'.repeat(dice.size(2000))}\n`))
      case 7:
        return op(`c${global}\n`)
      case 8:
        return op(dice.pick(['R', 'b', '\x81', '\x93', 'o', 'u', 'e', 't']))
      case 9:
        return op('r', u32(sized(1)))
      case 10:
        return op('j', u32(sized(1)))
      case 11:
        return op('\x94')
      case 12:
        return op('h', Buffer.of(dice.below(4)))
      case 13:
        return op('\x95', u64(sized(10)))
      case 14:
        return op('G', dice.bytes(8))
      default:
        return op(
          dice.pick([
            ']',
            '}',
            ')',
            'N',
            'K\x01',
            'J\xff\xff\xff\x7f',
            '2',
            '0',
            '\x8f',
            '(lp0\n',
            'V' + 'x'.repeat(100) + '\n',
          ]),
        )
    }
  }
  // a list in itself, again and again: memo, fetch twice, make a tuple of both
  const doubling = (): Buffer => Buffer.concat(dice.times(dice.size(3000), (i) => op('2\x86q', Buffer.of(i & 0xff))))
  // a value that can be read, of any depth
  let left = 2000
  const value = (depth: number): Buffer => {
    const items = (): Buffer => Buffer.concat(dice.times(dice.size(30), () => value(depth - 1)))
    if (depth === 0 || --left < 0 || dice.chance(0.4))
      return dice.pick([op('K\x01'), op('N'), op('X', u32(3), Buffer.from('abc')), op('}'), op(')')])
    return dice.pick([
      () => op('](', items(), Buffer.from('e')),
      () => op('(', items(), Buffer.from('t')),
      () => op(']', value(depth - 1), Buffer.from('a')),
    ])()
  }
  if (dice.chance(0.3))
    return Buffer.concat([Buffer.from('\x80\x04', 'latin1'), value(dice.size(40)), Buffer.from('.')])
  const body = dice.times(dice.size(200), () => (dice.chance(0.02) ? doubling() : one()))
  return Buffer.concat([Buffer.from('\x80\x04', 'latin1'), ...body, Buffer.from('.')])
}

/** A frame of zstd, LZ4 or snappy, and the size that somebody says it has. */
export async function frameAttack(
  dice: Dice,
): Promise<{ codec: 'zstd' | 'lz4' | 'snappy'; frame: Buffer; size: number }> {
  const plain = Buffer.alloc(dice.size(1_000_000), dice.below(256))
  const size = Math.max(0, Math.min(2 ** 28, dice.chance(0.3) ? hostileInteger(dice, plain.length) : plain.length))
  const codec = dice.pick(['zstd', 'lz4', 'snappy'] as const)
  if (codec === 'zstd') {
    const frame = Buffer.from((await loadZstd()).compress(plain, 1))
    if (dice.chance(0.5)) frame[4 + dice.below(Math.min(12, frame.length - 4))] = dice.below(256)
    return { codec, frame: dice.chance(0.1) ? Buffer.concat(dice.times(dice.size(50), () => frame)) : frame, size }
  }
  const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value >>> 0).buffer)
  if (codec === 'lz4') {
    const run = (length: number): Buffer =>
      Buffer.from([
        0x1f,
        dice.below(256),
        1,
        0,
        ...Array.from({ length }, () => 255),
        dice.below(255),
        0x50,
        1,
        2,
        3,
        4,
        5,
      ])
    const blocks = dice.times(dice.size(300), () => {
      const block = dice.chance(0.5) ? run(dice.size(4000)) : dice.bytes(dice.size(100))
      return Buffer.concat([
        u32(dice.chance(0.1) ? hostileInteger(dice, block.length) : block.length + (dice.chance(0.2) ? 2 ** 31 : 0)),
        block,
      ])
    })
    const head = Buffer.of(0x04, 0x22, 0x4d, 0x18, dice.pick([0x40, 0x60, 0x68, 0x70, 0x61]), 0x40, 0)
    return { codec, frame: Buffer.concat([head, ...blocks, u32(0)]), size }
  }
  const varint = Buffer.from([...[0, 1, 2, 3].map((i) => ((size >>> (7 * i)) & 0x7f) | 0x80), (size >>> 28) & 0x7f])
  const copies = Buffer.concat(
    dice.times(dice.size(5000), () =>
      Buffer.of(dice.pick([0xfe, 0xff, 0x01, 0x00, 0xf4]), dice.below(3), dice.below(2)),
    ),
  )
  return { codec, frame: Buffer.concat([varint, Buffer.from([0xf0, 3, 1, 2, 3, 4]), copies]), size }
}
