// An Avro schema as JSON has it → types without references to look up, whatever names it uses.

/** One type. Names are the schema's own: `W1-W2` and a union of two maps, which Avro forbids, read like any other. */
export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'integer' | 'float' | 'double' | 'text' | 'bytes' | 'enum' }
  | { readonly kind: 'fixed'; readonly size: number }
  | { readonly kind: 'array' | 'map'; readonly items: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] }
  | AvroRecord

/** A record; its fields are filled in after it exists, because it may contain itself. */
export interface AvroRecord {
  readonly kind: 'record'
  readonly fields: { readonly name: string; readonly type: AvroType }[]
}

export class AvroSchemaError extends Error {}

const primitives: Readonly<Record<string, AvroType>> = {
  null: { kind: 'null' },
  boolean: { kind: 'boolean' },
  int: { kind: 'integer' },
  long: { kind: 'integer' },
  float: { kind: 'float' },
  double: { kind: 'double' },
  string: { kind: 'text' },
  bytes: { kind: 'bytes' },
}

/** deeper than any real schema, shallower than the stack */
const deepest = 100

/**
 * @param text the schema's JSON; attributes that Avro does not know (`__fastavro_parsed__`, …) are passed over
 * @throws AvroSchemaError
 */
export function parseAvroSchema(text: string): AvroType {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new AvroSchemaError('the schema is not JSON', { cause })
  }
  return typeOf(json, '', new Map(), 0)
}

function typeOf(json: unknown, namespace: string, named: Map<string, AvroType>, depth: number): AvroType {
  if (depth > deepest) throw new AvroSchemaError('the schema is nested too deeply')
  if (typeof json === 'string') return referenced(json, namespace, named)
  if (Array.isArray(json)) {
    return { kind: 'union', branches: json.map((branch) => typeOf(branch, namespace, named, depth + 1)) }
  }
  if (typeof json !== 'object' || json === null) throw new AvroSchemaError('a type is neither a name nor an object')
  const schema = json as Readonly<Record<string, unknown>>
  switch (schema['type']) {
    case 'record':
    case 'error':
      return recordOf(schema, namespace, named, depth)
    case 'enum':
      return remember({ kind: 'enum' }, schema, namespace, named).type
    case 'fixed':
      return remember({ kind: 'fixed', size: sizeOf(schema['size']) }, schema, namespace, named).type
    case 'array':
      return { kind: 'array', items: typeOf(schema['items'], namespace, named, depth + 1) }
    case 'map':
      return { kind: 'map', items: typeOf(schema['values'], namespace, named, depth + 1) }
    default:
      return typeOf(schema['type'], namespace, named, depth + 1)
  }
}

function recordOf(
  schema: Readonly<Record<string, unknown>>,
  namespace: string,
  named: Map<string, AvroType>,
  depth: number,
): AvroRecord {
  const { type, inner } = remember<AvroRecord>({ kind: 'record', fields: [] }, schema, namespace, named)
  if (!Array.isArray(schema['fields'])) throw new AvroSchemaError('a record has no fields')
  const seen = new Set<string>()
  for (const field of schema['fields'] as readonly unknown[]) {
    if (typeof field !== 'object' || field === null || !('name' in field) || typeof field.name !== 'string') {
      throw new AvroSchemaError('a field has no name')
    }
    if (seen.has(field.name)) throw new AvroSchemaError(`the field ${field.name.slice(0, 60)} is there twice`)
    seen.add(field.name)
    type.fields.push({
      name: field.name,
      type: typeOf('type' in field ? field.type : undefined, inner, named, depth + 1),
    })
  }
  return type
}

/** Keeps a type under its full name; answers it with the namespace for what is inside. */
function remember<Type extends AvroType>(
  type: Type,
  { name, namespace: own }: Readonly<Record<string, unknown>>,
  outer: string,
  named: Map<string, AvroType>,
): { type: Type; inner: string } {
  if (typeof name !== 'string') throw new AvroSchemaError('a type has no name')
  const dot = name.lastIndexOf('.')
  const inner = dot >= 0 ? name.slice(0, dot) : typeof own === 'string' ? own : outer
  named.set(dot >= 0 || inner === '' ? name : `${inner}.${name}`, type)
  return { type, inner }
}

function referenced(name: string, namespace: string, named: ReadonlyMap<string, AvroType>): AvroType {
  if (Object.hasOwn(primitives, name)) return primitives[name]!
  const type = (namespace === '' ? undefined : named.get(`${namespace}.${name}`)) ?? named.get(name)
  if (!type) throw new AvroSchemaError(`the type ${name.slice(0, 60)} is unknown`)
  return type
}

function sizeOf(size: unknown): number {
  if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size
  throw new AvroSchemaError('a fixed type has no size')
}
