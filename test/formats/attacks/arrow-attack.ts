// Arrow files and streams whose parts are as they should be, but for some: counts, places, nesting, tables that are shared.
import { loadZstd } from '../../../src/formats/compression.ts'
import { type Dice, hostileInteger } from './dice.ts'

const magic = 'ARROW1'

/** A FlatBuffer's table, vector, text or struct before it is written; one that is named twice is written once. */
type Node =
  | { readonly kind: 'table'; readonly slots: readonly Slot[] }
  | { readonly kind: 'tables'; readonly items: readonly Node[]; readonly count: number }
  | { readonly kind: 'structs'; readonly bytes: Buffer; readonly count: number }
  | { readonly kind: 'text'; readonly text: string }
type Slot = undefined | Buffer | Node

const table = (...slots: Slot[]): Node => ({ kind: 'table', slots })
const tables = (items: readonly Node[], count = items.length): Node => ({ kind: 'tables', items, count })
const text = (value: string): Node => ({ kind: 'text', text: value })
const u8 = (value: number) => Buffer.of(value & 0xff)
const i16 = (value: number) => Buffer.of(value & 0xff, (value >> 8) & 0xff)
const i32 = (value: number) => Buffer.from(Int32Array.of(value | 0).buffer)
const i64 = (value: number) => Buffer.from(BigInt64Array.of(BigInt(Math.trunc(value))).buffer)

/** Breadth first, so that what is pointed to lies behind what points to it; a shared node lies behind its last user. */
function flatBuffer(root: Node): Buffer {
  const chunks: Buffer[] = [Buffer.alloc(8)]
  let size = 8
  const places = new Map<Node, number>()
  const patches: { at: number; node: Node }[] = [{ at: 0, node: root }]
  const add = (bytes: Buffer): number => {
    const at = size
    const padded = Buffer.alloc(Math.ceil(bytes.length / 8) * 8)
    bytes.copy(padded)
    chunks.push(padded)
    size += padded.length
    return at
  }
  const write = (node: Node): void => {
    if (node.kind === 'text') {
      const bytes = Buffer.from(node.text)
      places.set(node, add(Buffer.concat([i32(bytes.length), bytes, Buffer.of(0)])))
    } else if (node.kind === 'structs') {
      // structs of 16 bytes begin at a multiple of eight, so that the count stands before one
      places.set(node, add(Buffer.concat([i32(0), i32(node.count), node.bytes])) + 4)
    } else if (node.kind === 'tables') {
      const at = add(Buffer.concat([i32(node.count), Buffer.alloc(4 * node.items.length)]))
      places.set(node, at)
      node.items.forEach((item, i) => patches.push({ at: at + 4 + 4 * i, node: item }))
    } else {
      const { slots } = node
      const vtableSize = 4 + 2 * slots.length
      const head = Math.ceil(vtableSize / 8) * 8
      const bytes = Buffer.alloc(head + 8 + 8 * slots.length)
      bytes.writeUInt16LE(vtableSize, 0)
      bytes.writeUInt16LE(8 + 8 * slots.length, 2)
      bytes.writeInt32LE(head, head)
      slots.forEach((slot, i) => {
        if (slot === undefined) return
        bytes.writeUInt16LE(8 + 8 * i, 4 + 2 * i)
        if (Buffer.isBuffer(slot)) slot.copy(bytes, head + 8 + 8 * i)
      })
      const at = add(bytes) + head
      places.set(node, at)
      slots.forEach((slot, i) => {
        if (slot !== undefined && !Buffer.isBuffer(slot)) patches.push({ at: at + 8 + 8 * i, node: slot })
      })
    }
  }
  for (let i = 0; i < patches.length; i++) if (!places.has(patches[i]!.node)) write(patches[i]!.node)
  const whole = Buffer.concat(chunks)
  for (const { at, node } of patches) whole.writeUInt32LE((places.get(node)! - at) >>> 0, at)
  return whole
}

/** Columns that a random schema may have: the number of the type, its table, and the parts of a column of `n` rows. */
interface ColumnKind {
  readonly type: number
  readonly parameters: Node
  readonly children: readonly ColumnKind[]
  readonly nodes: (n: number) => [number, number][]
  readonly buffers: (n: number, dice: Dice) => Buffer[]
  readonly views: number
}

const validity = (n: number, dice: Dice): Buffer =>
  dice.chance(0.5) ? Buffer.alloc(0) : Buffer.alloc(Math.ceil(n / 8), 0xff)
const offsets = (n: number, step: number, isLarge: boolean): Buffer =>
  Buffer.concat(Array.from({ length: n + 1 }, (_, i) => (isLarge ? i64(i * step) : i32(i * step))))

function fixedKind(type: number, parameters: Node, bytesARow: number): ColumnKind {
  const buffers = (n: number, dice: Dice) => [
    validity(n, dice),
    Buffer.alloc(Math.ceil(n * bytesARow), dice.below(256)),
  ]
  return { type, parameters, children: [], nodes: (n) => [[n, 0]], buffers, views: 0 }
}

function textKind(type: number, isLarge: boolean): ColumnKind {
  const buffers = (n: number, dice: Dice) => [validity(n, dice), offsets(n, 2, isLarge), Buffer.alloc(2 * n, '12')]
  return { type, parameters: table(), children: [], nodes: (n) => [[n, 0]], buffers, views: 0 }
}

function viewKind(type: number): ColumnKind {
  const view = Buffer.concat([i32(14), Buffer.from('1111'), i32(0), i32(0)])
  const buffers = (n: number, dice: Dice) => [
    validity(n, dice),
    Buffer.concat(Array.from({ length: n }, () => view)),
    Buffer.alloc(14, '1'),
  ]
  return { type, parameters: table(), children: [], nodes: (n) => [[n, 0]], buffers, views: 1 }
}

function listKind(type: number, item: ColumnKind, dice: Dice): ColumnKind {
  const isFixed = type === 16
  const size = isFixed && dice.chance(0.3) ? hostileInteger(dice, 2) : 2
  return {
    type,
    parameters: isFixed ? table(i32(size)) : table(),
    children: [item],
    nodes: (n) => [[n, 0], ...item.nodes(2 * n)],
    buffers: (n, d) => [validity(n, d), ...(isFixed ? [] : [offsets(n, 2, type === 21)]), ...item.buffers(2 * n, d)],
    views: item.views,
  }
}

function structKind(type: number, parameters: Node, children: readonly ColumnKind[], own: number): ColumnKind {
  return {
    type,
    parameters,
    children,
    nodes: (n) => [[n, 0], ...children.flatMap((child) => child.nodes(n))],
    buffers: (n, dice) => [
      ...Array.from({ length: own }, () => Buffer.alloc(4 * n)),
      ...children.flatMap((child) => child.buffers(n, dice)),
    ],
    views: children.reduce((sum, { views }) => sum + views, 0),
  }
}

const nullKind: ColumnKind = {
  ...{ type: 1, parameters: table(), children: [], views: 0 },
  nodes: (n) => [[n, n]],
  buffers: () => [],
}

/** Right but for one time in twenty. */
const rarely = (dice: Dice, right: number): number => (dice.chance(0.05) ? hostileInteger(dice, right) : right)

function idKind(dice: Dice): ColumnKind {
  return dice.pick([
    ...[textKind(5, false), textKind(20, true), textKind(4, false), viewKind(24), viewKind(23), nullKind],
    ...[
      fixedKind(2, table(i32(64), u8(1)), 8),
      fixedKind(2, table(i32(32), u8(0)), 4),
      fixedKind(7, table(i32(38), i32(0), i32(128)), 16),
    ],
  ])
}

function kindOf(dice: Dice, depth: number): ColumnKind {
  const number = (): ColumnKind =>
    dice.pick([
      fixedKind(3, table(i16(2)), 8),
      fixedKind(3, table(i16(1)), 4),
      fixedKind(3, table(i16(0)), 2),
      fixedKind(2, table(i32(64), u8(1)), 8),
      fixedKind(2, table(i32(8), u8(0)), 1),
      fixedKind(2, table(i32(rarely(dice, 32)), u8(1)), 4),
      fixedKind(6, table(), 1 / 8),
      fixedKind(7, table(i32(hostileInteger(dice, 38)), i32(hostileInteger(dice, 3)), i32(rarely(dice, 128))), 16),
      textKind(5, false),
      textKind(4, false),
      textKind(20, true),
      textKind(19, true),
      viewKind(23),
      viewKind(24),
      nullKind,
    ])
  if (depth === 0 || dice.chance(0.7)) return number()
  const child = () => kindOf(dice, depth - 1)
  switch (dice.below(6)) {
    case 0:
      return listKind(dice.pick([12, 16, 21]), child(), dice)
    case 1:
      return structKind(13, table(), dice.times(dice.below(4), child), 1)
    case 2:
      return listKind(17, structKind(13, table(), [child(), child()], 1), dice)
    case 3:
      return structKind(14, table(i16(dice.below(2))), dice.times(2, child), 1)
    case 4:
      return structKind(22, table(), [child(), child()], 0)
    default:
      return fixedKind(dice.pick([8, 9, 10, 11, 15, 18]), table(i16(dice.below(4))), 8)
  }
}

interface Column {
  readonly name: string
  readonly kind: ColumnKind
  readonly dictionary: number | undefined
}

function fieldNode(dice: Dice, { name, kind, dictionary }: Column, shared: Node | undefined): Node {
  const children = kind.children.map((child, i) =>
    fieldNode(dice, { name: `c${i}`, kind: child, dictionary: undefined }, undefined),
  )
  const count = dice.chance(0.005) ? hostileInteger(dice, children.length) : children.length
  const encoding =
    dictionary === undefined ? undefined : table(i64(dictionary), dice.chance(0.5) ? undefined : table(i32(32), u8(1)))
  return table(text(name), u8(1), u8(kind.type), kind.parameters, encoding, tables(children, count), shared)
}

function schemaNode(dice: Dice, columns: readonly Column[]): Node {
  const pair = table(text('key'), text('x'.repeat(dice.size(1000))))
  const metadata = dice.chance(0.2)
    ? tables(
        dice.times(dice.size(30_000), () => pair),
        dice.chance(0.5) ? hostileInteger(dice, 3) : 0,
      )
    : undefined
  const fields = columns.map((column) => fieldNode(dice, column, metadata))
  if (dice.chance(0.05)) {
    // fields of fields of the same fields: a small table that is large to walk
    let level = fields[0]!
    for (let depth = dice.size(200); depth > 0; depth--) {
      level = table(
        text('x'),
        u8(1),
        u8(13),
        table(),
        undefined,
        tables(Array.from({ length: dice.pick([1, 2, 10]) }, () => level)),
      )
    }
    fields.push(level)
  }
  if (dice.chance(0.02)) for (let i = dice.size(120_000); i > 0; i--) fields.push(fields[0]!)
  return table(i16(0), tables(fields), metadata)
}

function batchOf(
  dice: Dice,
  columns: readonly Column[],
  rows: number,
  compress: (bytes: Buffer) => Buffer,
): { header: Node; body: Buffer } {
  const indices = { ...fixedKind(2, table(), 4), buffers: (n: number) => [Buffer.alloc(0), Buffer.alloc(4 * n)] }
  const kinds = columns.map(({ kind, dictionary }) => (dictionary === undefined ? kind : indices))
  const isHostile = dice.chance(0.5)
  const odd = (right: number): number => (isHostile && dice.chance(0.02) ? hostileInteger(dice, right) : right)
  const nodes = kinds
    .flatMap((kind) => kind.nodes(rows))
    .map(([length, nulls]) => Buffer.concat([i64(odd(length)), i64(odd(nulls))]))
  const isCompressed = dice.chance(0.2)
  let end = 0
  const body: Buffer[] = []
  const buffers = kinds
    .flatMap((kind) => kind.buffers(rows, dice))
    .map((plain) => {
      const bytes = isCompressed && plain.length > 0 ? Buffer.concat([i64(odd(plain.length)), compress(plain)]) : plain
      const place = Buffer.concat([i64(odd(end)), i64(odd(bytes.length))])
      body.push(bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8))
      end += Math.ceil(bytes.length / 8) * 8
      return place
    })
  const views = kinds.reduce((sum, kind) => sum + kind.views, 0)
  const header = table(
    i64(odd(rows)),
    { kind: 'structs', bytes: Buffer.concat(nodes), count: odd(nodes.length) },
    { kind: 'structs', bytes: Buffer.concat(buffers), count: odd(buffers.length) },
    isCompressed ? table(u8(odd(1)), u8(0)) : undefined,
    views === 0
      ? undefined
      : { kind: 'structs', bytes: Buffer.concat(dice.times(views, () => i64(odd(1)))), count: odd(views) },
  )
  const bytes = Buffer.concat(body)
  // offsets and indices lie in the body
  if (isHostile && dice.chance(0.3) && bytes.length >= 8) {
    for (let i = dice.size(5); i > 0; i--)
      bytes.writeInt32LE(hostileInteger(dice, 4) | 0, 4 * dice.below(bytes.length / 4 - 1))
  }
  return { header, body: bytes }
}

function message(
  kind: number,
  header: Node,
  body: Buffer,
  bodyLength = body.length,
): { metadata: Buffer; body: Buffer } {
  const metadata = flatBuffer(table(i16(4), u8(kind), header, i64(bodyLength)))
  return { metadata: Buffer.concat([i32(-1), i32(metadata.length), metadata]), body }
}

/** The oid, the candid and some features are there, of any types; then others that nobody needs. */
export async function arrowAttack(dice: Dice, features: readonly string[]): Promise<Buffer> {
  const zstd = await loadZstd()
  const compress = (bytes: Buffer): Buffer => Buffer.from(zstd.compress(bytes, 1))
  const names = ['oid', 'candid', ...features, ...dice.times(dice.below(3), (i) => `other${i}`)]
  const isTame = dice.chance(0.5)
  const columns = names.map((name, i): Column => {
    const dictionary = dice.chance(0.1) ? i : undefined
    if (i > features.length + 1 || dice.chance(0.05)) return { name, kind: kindOf(dice, 3), dictionary }
    if (name === 'oid') return { name, kind: idKind(dice), dictionary }
    if (name === 'candid') {
      const isList = dice.chance(0.5)
      return { name, kind: isList ? listKind(dice.pick([12, 16, 21]), idKind(dice), dice) : idKind(dice), dictionary }
    }
    return { name, kind: isTame ? fixedKind(3, table(i16(2)), 8) : kindOf(dice, 0), dictionary }
  })
  const rows = dice.size(300)
  const schema = schemaNode(dice, columns)
  const messages = [message(1, schema, Buffer.alloc(0))]
  const encoded = columns.filter(({ dictionary }) => dictionary !== undefined)
  const dictionaries = encoded.flatMap(({ name, kind, dictionary }) =>
    dice.times(dice.pick([1, 1, 1, 0, 2]), () => {
      const { header, body } = batchOf(dice, [{ name, kind, dictionary: undefined }], dice.size(50), compress)
      return message(2, table(i64(dictionary!), header, u8(dice.below(2))), body)
    }),
  )
  const batches = dice.times(dice.size(4), () => {
    const { header, body } = batchOf(dice, columns, rows, compress)
    return message(3, header, body, dice.chance(0.02) ? hostileInteger(dice, body.length) : body.length)
  })
  messages.push(...dictionaries, ...batches)
  const stream = messages.flatMap(({ metadata, body }) => [metadata, body])
  const end = Buffer.concat([i32(-1), i32(0)])
  if (dice.chance(0.5)) return Buffer.concat([...stream, end])
  return fileOf(dice, schema, { dictionaries, batches, stream, end, first: messages[0]! })
}

type Message = ReturnType<typeof message>

function fileOf(
  dice: Dice,
  schema: Node,
  parts: {
    dictionaries: readonly Message[]
    batches: readonly Message[]
    stream: readonly Buffer[]
    end: Buffer
    first: Message
  },
): Buffer {
  const odd = (right: number): number => (dice.chance(0.02) ? hostileInteger(dice, right) : right)
  let at = 8 + parts.first.metadata.length
  const blocks = (messages: readonly Message[]): Node => {
    const places = messages.map(({ metadata, body }) => {
      const block = Buffer.concat([i64(odd(at)), i32(odd(metadata.length)), i32(0), i64(odd(body.length))])
      at += metadata.length + body.length
      return block
    })
    // one block, again and again
    const repeated = dice.chance(0.05) && places.length > 0 ? dice.times(dice.size(20_000), () => places[0]!) : places
    return { kind: 'structs', bytes: Buffer.concat(repeated), count: odd(repeated.length) }
  }
  const footer = flatBuffer(table(i16(4), schema, blocks(parts.dictionaries), blocks(parts.batches)))
  const head = Buffer.from(`${magic}\0\0`)
  return Buffer.concat([head, ...parts.stream, parts.end, footer, i32(odd(footer.length)), Buffer.from(magic)])
}
