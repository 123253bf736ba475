// Writes Avro for tests: values by hand-made steps, containers with any header and codec.
import { crc32, deflateRawSync } from 'node:zlib'

/** Bytes of one value. */
export const write = {
  long(value: bigint | number): Buffer {
    const wide = BigInt(value)
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n))
    const bytes: number[] = []
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
    return Buffer.from([...bytes, Number(rest)])
  },
  text(value: string): Buffer {
    const bytes = Buffer.from(value)
    return Buffer.concat([write.long(bytes.length), bytes])
  },
  float(value: number): Buffer {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    return bytes
  },
  double(value: number): Buffer {
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleLE(value)
    return bytes
  },
  /** items in one block */
  items(items: readonly Buffer[]): Buffer {
    if (items.length === 0) return write.long(0)
    return Buffer.concat([write.long(items.length), ...items, write.long(0)])
  },
  /** items in blocks that say their size, two at a time */
  sizedItems(items: readonly Buffer[]): Buffer {
    const blocks: Buffer[] = []
    for (let i = 0; i < items.length; i += 2) {
      const block = items.slice(i, i + 2)
      const bytes = Buffer.concat(block)
      blocks.push(write.long(-block.length), write.long(bytes.length), bytes)
    }
    return Buffer.concat([...blocks, write.long(0)])
  },
}

/** A container as any writer may make it. */
export interface ContainerOptions {
  readonly codec?: string
  /** records to a block */
  readonly perBlock?: number
  readonly metadata?: Readonly<Record<string, string>>
}

const sync = Buffer.from('0123456789abcdef')

/** An object container with these records. */
export function container(schema: unknown, records: readonly Buffer[], options: ContainerOptions = {}): Buffer {
  const { codec, perBlock = records.length, metadata = {} } = options
  const words = { 'avro.schema': typeof schema === 'string' ? schema : JSON.stringify(schema), ...metadata }
  const header = Object.entries(codec === undefined ? words : { ...words, 'avro.codec': codec })
  const parts = [
    Buffer.from('Obj\x01', 'latin1'),
    write.items(header.map(([key, value]) => Buffer.concat([write.text(key), write.text(value)]))),
    sync,
  ]
  for (let i = 0; i < records.length; i += Math.max(perBlock, 1)) {
    const block = records.slice(i, i + perBlock)
    const packed = pack(Buffer.concat(block), codec)
    parts.push(write.long(block.length), write.long(packed.length), packed, sync)
  }
  return Buffer.concat(parts)
}

function pack(bytes: Buffer, codec: string | undefined): Buffer {
  if (codec === 'deflate') return deflateRawSync(bytes)
  return codec === 'snappy' ? snappy(bytes) : bytes
}

/** Snappy without any repetition found, and the checksum that Avro adds. */
function snappy(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  const length: number[] = []
  let rest = bytes.length
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) length.push((rest % 128) | 0x80)
  parts.push(Buffer.from([...length, rest]))
  for (let at = 0; at < bytes.length; at += 60) {
    const literal = bytes.subarray(at, at + 60)
    parts.push(Buffer.from([(literal.length - 1) << 2]), literal)
  }
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(bytes))
  return Buffer.concat([...parts, checksum])
}
