// Avro schemas, records and containers that are right but for what they claim: counts, sizes, nesting, items of no bytes.
import { crc32, deflateRawSync } from 'node:zlib'
import { write } from './avro-writer.ts'
import type { Chooser } from './attack.ts'
import { claims } from './attack.ts'

/** JSON of a type. */
type Json = string | Json[] | { readonly [key: string]: unknown }

/** how often a count or a length lies; 0 for what is all right */
interface Manner {
  readonly lies: number
}

const primitives = ['null', 'boolean', 'int', 'long', 'float', 'double', 'string', 'bytes'] as const
const longestRecord = 64 * 1024

/** A record of an alert, its ids among fields of any types; some are of the types that ids have. */
export function hostileSchema(choose: Chooser, { lies }: Manner): { readonly [key: string]: unknown } {
  const named: string[] = []
  let count = 0

  function typeOf(depth: number): Json {
    if (depth <= 0 || choose.chance(0.35)) return choose.of(primitives)
    switch (choose.whole(8)) {
      case 0:
        return { type: 'array', items: typeOf(depth - 1) }
      case 1:
        return { type: 'map', values: typeOf(depth - 1) }
      case 2:
        return Array.from({ length: 1 + choose.whole(4) }, () => typeOf(depth - 1))
      case 3:
        return { type: 'fixed', name: name(), size: choose.of([0, 0, 1, 16, ...(lies > 0 ? [2 ** 40] : [])]) }
      case 4:
        return { type: 'enum', name: name(), symbols: ['A'] }
      case 5:
        return { type: 'array', items: choose.of(['null', emptyRecord(), { type: 'fixed', name: name(), size: 0 }]) }
      case 6:
        return named.length > 0 && choose.chance(lies) ? choose.of(named) : typeOf(depth - 1)
      default:
        return record(depth - 1)
    }
  }

  const name = (): string => `N${count++}`
  const emptyRecord = (): Json => ({ type: 'record', name: name(), fields: [] })

  function record(depth: number): Json {
    const own = name()
    // only a lie names itself: it has no end unless a union or a list stands between
    named.push(own)
    const fields = Array.from({ length: choose.whole(5) }, (_, i) => ({ name: `f${i}`, type: typeOf(depth) }))
    return { type: 'record', name: own, fields }
  }

  const others = Array.from({ length: choose.whole(5) }, (_, i) => ({ name: `other${i}`, type: typeOf(4) }))
  const manyEmpty = choose.chance(lies / 4)
    ? Array.from({ length: 5000 }, (_, i) => ({ name: `empty${i}`, type: 'null' }))
    : []
  const ids: Json[] = ['string', 'long', ['null', 'string'], ['null', 'long']]
  const candids: Json[] = [...ids, { type: 'array', items: 'long' }, { type: 'array', items: ['null', 'long'] }]
  const anything = (usual: Json): Json => (choose.chance(lies) ? typeOf(4) : usual)
  const number: Json = ['null', 'double', 'float', 'long', 'boolean']
  const featureFields = ['a', 'b', 'c'].map((feature) => ({ name: feature, type: anything(number) }))
  const features: Json = choose.of([
    { type: 'map', values: number },
    { type: 'record', name: name(), fields: featureFields },
    ['null', { type: 'record', name: name(), fields: featureFields }],
  ])
  const fields = [
    ...others,
    ...manyEmpty,
    { name: 'oid', type: anything(choose.of(ids)) },
    { name: 'candid', type: anything(choose.of(candids)) },
    { name: 'features', type: anything(features) },
  ]
  return { type: 'record', name: 'alert', fields: shuffled(fields, choose) }
}

/** What an honest record holds. */
interface HonestAlert {
  oid?: string
  candid?: bigint | null
  /** by name; undefined where the whole field is null */
  features?: Record<string, number> | undefined
}

/** The bytes of a record, and what they say where nothing in them lies. */
export function hostileRecord(choose: Chooser, schema: { readonly [key: string]: unknown }, { lies }: Manner) {
  const types = new Map<string, Json>()
  let room = longestRecord
  const alert: HonestAlert = {}

  function put(bytes: Buffer): Buffer {
    room -= bytes.length
    return bytes
  }

  /** a number of items or bytes */
  const claim = (honest: number): Buffer => put(write.long(choose.chance(lies) ? choose.of(claims) : honest))

  function items(one: () => Buffer): Buffer {
    // a long run of blocks, each with a claim of its own
    if (choose.chance(lies / 3)) return Buffer.concat([...run(), put(write.long(0))])
    const parts: Buffer[] = []
    for (let blocks = choose.whole(3); blocks > 0; blocks--) {
      const some = Array.from({ length: 1 + choose.whole(3) }, one)
      const bytes = Buffer.concat(some)
      if (choose.chance(0.5)) parts.push(claim(some.length))
      else parts.push(put(write.long(-some.length)), claim(bytes.length))
      parts.push(bytes)
    }
    return Buffer.concat([...parts, put(write.long(0))])
  }

  function run(): Buffer[] {
    const count = write.long(choose.of(claims))
    const length = Math.min(Math.floor(Math.max(room, 0) / count.length), 20_000)
    return Array.from({ length }, () => put(count))
  }

  function value(type: Json, depth: number, take?: (value: unknown) => void): Buffer {
    if (typeof type === 'string' && types.has(type)) return value(types.get(type)!, depth, take)
    if (depth > 40 || room <= 0) return Buffer.alloc(0)
    if (Array.isArray(type)) {
      const branch = choose.whole(type.length)
      return Buffer.concat([claim(branch), value(type[branch]!, depth + 1, take)])
    }
    if (typeof type === 'string') return primitive(type, take)
    const fields = type as { type: string; name: string; size: number; items: Json; values: Json; fields: Field[] }
    if (fields.name !== undefined) types.set(fields.name, type)
    switch (fields.type) {
      case 'record':
        return Buffer.concat(fields.fields.map((field) => value(field.type, depth + 1)))
      case 'array': {
        const list: unknown[] = []
        const bytes = items(() => value(fields.items, depth + 1, (item) => list.push(item)))
        take?.(list)
        return bytes
      }
      case 'map':
        return items(() => Buffer.concat([text('k'), value(fields.values, depth + 1)]))
      case 'fixed':
        return put(Buffer.alloc(Math.min(fields.size, 1000)))
      default:
        return claim(0)
    }
  }

  function text(word: string): Buffer {
    const bytes = Buffer.from(word)
    return Buffer.concat([claim(bytes.length), put(bytes)])
  }

  function primitive(type: string, take?: (value: unknown) => void): Buffer {
    switch (type) {
      case 'null':
        take?.(null)
        return Buffer.alloc(0)
      case 'boolean': {
        const flag = choose.whole(2)
        take?.(flag)
        return put(Buffer.from([flag]))
      }
      case 'int':
      case 'long': {
        const whole = choose.chance(0.5) ? BigInt(choose.whole(1e6)) : choose.of(claims)
        take?.(whole)
        return put(write.long(whole))
      }
      case 'float': {
        const number = Math.fround(choose.next())
        take?.(number)
        return put(write.float(number))
      }
      case 'double': {
        const number = choose.next()
        take?.(number)
        return put(write.double(number))
      }
      default: {
        const word = choose.chance(0.5) ? String(choose.whole(1e9)) : 'ZTF20'
        take?.(word)
        return text(word)
      }
    }
  }

  function featuresOf(type: Json): Buffer {
    if (Array.isArray(type)) {
      const branch = choose.whole(type.length)
      return Buffer.concat([claim(branch), featuresOf(type[branch]!)])
    }
    const { type: kind, fields, values } = type as { type?: string; fields?: Field[]; values?: Json }
    const found: Record<string, number> = {}
    if (kind === 'record' && fields?.[0]?.name === 'a') {
      alert.features = found
      return Buffer.concat(fields.map((field) => value(field.type, 1, (one) => (found[field.name] = asNumber(one)))))
    }
    if (kind === 'map' && Array.isArray(values)) {
      alert.features = found
      return items(() => {
        const name = choose.of(['a', 'b', 'c', 'd'])
        return Buffer.concat([text(name), value(values, 1, (one) => (found[name] = asNumber(one)))])
      })
    }
    return value(type, 1)
  }

  const parts = (schema['fields'] as Field[]).map(({ name, type }) => {
    if (name === 'features') return featuresOf(type)
    if (name === 'oid') return value(type, 1, (one) => (alert.oid = one as string))
    return value(type, 1, name === 'candid' ? (one) => (alert.candid = one as bigint) : undefined)
  })
  return { bytes: Buffer.concat(parts), alert }
}

interface Field {
  readonly name: string
  readonly type: Json
}

const asNumber = (value: unknown): number => (value === null ? NaN : Number(value))

const sync = Buffer.from('fedcba9876543210')

/** A container of such records: as it should be, or with a header, blocks and codecs that claim something else. */
export function hostileContainer(
  choose: Chooser,
  schema: unknown,
  records: readonly Buffer[],
  { lies }: Manner,
): Buffer {
  const lie = (honest: bigint | number): Buffer => write.long(choose.chance(lies / 2) ? choose.of(claims) : honest)
  const word = (bytes: Buffer): Buffer => Buffer.concat([lie(bytes.length), bytes])
  const codec = choose.of([undefined, undefined, 'null', 'deflate', 'snappy'])
  const entries: [string, Buffer][] = [['avro.schema', Buffer.from(JSON.stringify(schema))]]
  if (codec !== undefined) entries.push(['avro.codec', Buffer.from(codec)])
  if (choose.chance(lies / 3)) {
    const more = Array.from({ length: 3000 }, (_, i): [string, Buffer] => [String(i % 100), Buffer.alloc(0)])
    entries.unshift(...more)
  }
  const header = Buffer.concat([
    Buffer.from('Obj\x01', 'latin1'),
    lie(entries.length),
    ...entries.map(([key, value]) => Buffer.concat([word(Buffer.from(key)), word(value)])),
    write.long(0),
    sync,
  ])
  const blocks = records.map((record) => {
    const packed = packedBlock(
      choose,
      choose.chance(lies / 20) ? Buffer.alloc(choose.of(codec === 'deflate' ? [1e6, 2e7, 7e7] : [1e5])) : record,
      codec,
      lies,
    )
    return Buffer.concat([lie(1), lie(packed.length), packed, choose.chance(lies / 4) ? Buffer.alloc(16) : sync])
  })
  const empty = Buffer.concat([write.long(0), write.long(0), sync])
  const run = choose.chance(lies / 4) ? Array.from({ length: 2000 }, () => empty) : []
  return Buffer.concat([header, ...run, ...blocks])
}

function packedBlock(choose: Chooser, bytes: Buffer, codec: string | undefined, lies: number): Buffer {
  if (codec === 'deflate') return deflateRawSync(bytes)
  if (codec !== 'snappy') return bytes
  const claimed = choose.chance(lies) ? Number(choose.of(claims) & 0xffffffffn) : bytes.length
  const parts: Buffer[] = [unsigned(claimed)]
  for (let at = 0; at < bytes.length; at += 60) {
    const literal = bytes.subarray(at, at + 60)
    parts.push(Buffer.from([(literal.length - 1) << 2]), literal)
    // a copy of 64 bytes from one byte before, again and again
    if (choose.chance(lies / 10)) parts.push(Buffer.from([0xfe, 1, 0]))
  }
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(bytes))
  return Buffer.concat([...parts, sum])
}

function unsigned(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Buffer.from([...bytes, rest])
}

function shuffled<T>(items: readonly T[], choose: Chooser): T[] {
  const all = [...items]
  for (let i = all.length - 1; i > 0; i--) {
    const other = choose.whole(i + 1)
    ;[all[i], all[other]] = [all[other]!, all[i]!]
  }
  return all
}
