// Real Parquet files with another footer: any number, list or name of it may be something else.
import { type Dice, hostileInteger } from './dice.ts'

/** A value of Thrift's compact protocol: a struct's fields, a list's items, an integer, or bytes. */
type Thrift =
  | { readonly type: number; readonly fields: { readonly id: number; value: Thrift }[] }
  | { readonly type: number; readonly itemType: number; items: Thrift[]; count?: number }
  | { readonly type: number; integer: bigint }
  | { readonly type: number; bytes: Buffer; length?: number }

const [bool1, bool2, byte, double, binary, list, struct] = [1, 2, 3, 7, 8, 9, 12] as const

function reader(bytes: Buffer) {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const next = bytes[at++]!
      value |= BigInt(next & 0x7f) << shift
      if (next < 0x80) return value
    }
  }
  function read(type: number): Thrift {
    switch (type) {
      case bool1:
      case bool2:
        return { type, bytes: Buffer.alloc(0) }
      case byte:
        return { type, bytes: bytes.subarray(at, ++at) }
      case double:
        return { type, bytes: bytes.subarray(at, (at += 8)) }
      case binary: {
        const length = Number(varint())
        return { type, bytes: bytes.subarray(at, (at += length)) }
      }
      case list: {
        const head = bytes[at++]!
        const count = head >> 4 === 15 ? Number(varint()) : head >> 4
        const itemType = head & 15
        return { type, itemType, items: Array.from({ length: count }, () => read(itemType)) }
      }
      case struct: {
        const fields: { id: number; value: Thrift }[] = []
        for (let id = 0; ;) {
          const head = bytes[at++]!
          if (head === 0) return { type, fields }
          id = head >> 4 === 0 ? Number(unzigzag(varint())) : id + (head >> 4)
          fields.push({ id, value: read(head & 15) })
        }
      }
      default:
        return { type, integer: unzigzag(varint()) }
    }
  }
  return read
}

const unzigzag = (value: bigint): bigint => (value >> 1n) ^ -(value & 1n)

function varintOf(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

function written(value: Thrift): Buffer {
  if ('integer' in value) return varintOf((value.integer << 1n) ^ (value.integer >> 63n))
  if ('bytes' in value) {
    return value.type === binary
      ? Buffer.concat([varintOf(BigInt(value.length ?? value.bytes.length)), value.bytes])
      : value.bytes
  }
  if ('items' in value) {
    const head = Buffer.concat([Buffer.of(0xf0 | value.itemType), varintOf(BigInt(value.count ?? value.items.length))])
    return Buffer.concat([head, ...value.items.map(written)])
  }
  const fields = value.fields.flatMap(({ id, value: inner }) => {
    return [Buffer.of(inner.type), varintOf(BigInt(id) << 1n), written(inner)]
  })
  return Buffer.concat([...fields, Buffer.of(0)])
}

function leavesOf(value: Thrift): Thrift[] {
  if ('fields' in value) return value.fields.flatMap(({ value: inner }) => leavesOf(inner))
  if ('items' in value) return [value, ...value.items.flatMap(leavesOf)]
  return [value]
}

export function parquetAttack(dice: Dice, file: Buffer): Buffer {
  const length = file.readInt32LE(file.length - 8)
  const footer = reader(file.subarray(file.length - 8 - length, file.length - 8))(struct)
  const leaves = leavesOf(footer)
  for (let i = 1 + dice.size(3); i > 0; i--) change(dice, dice.pick(leaves))
  const bytes = written(footer)
  const end = Buffer.alloc(8, 'PAR1')
  end.writeInt32LE(dice.chance(0.02) ? hostileInteger(dice, bytes.length) | 0 : bytes.length, 0)
  end.write('PAR1', 4)
  return Buffer.concat([file.subarray(0, file.length - 8 - length), bytes, end])
}

function change(dice: Dice, leaf: Thrift): void {
  if ('integer' in leaf) leaf.integer = BigInt(hostileInteger(dice, Number(leaf.integer)))
  else if ('items' in leaf) {
    const first = leaf.items[0]
    const kinds = ['repeat', 'empty', 'count', 'reverse'] as const
    const kind = dice.pick(kinds)
    if (kind === 'repeat' && first)
      leaf.items = [...leaf.items, ...dice.times(dice.size(2000), () => dice.pick(leaf.items))]
    else if (kind === 'empty') leaf.items = []
    else if (kind === 'count') leaf.count = Math.abs(hostileInteger(dice, leaf.items.length))
    else leaf.items.reverse()
  } else if ('bytes' in leaf && leaf.type === binary) {
    if (dice.chance(0.5)) leaf.bytes = Buffer.alloc(dice.size(100_000), dice.pick(['a', '\0', '"', 'ä', 'oid']))
    else leaf.length = Math.abs(hostileInteger(dice, leaf.bytes.length))
  }
}
