// An Avro schema as JSON has it → types without references to look up, whatever names it uses.

/** One type. Names are the schema's own: `W1-W2` and a union of two maps, which Avro forbids, read like any other. */
export type AvroType =
  | { readonly kind: 'null' | 'boolean' | 'float' | 'double' | 'text' | 'bytes' }
  | { readonly kind: 'integer'; readonly bits: 32 | 64 }
  | { readonly kind: 'enum'; readonly symbolCount: number }
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

/** The named types of several schemas, by their full names. */
interface AvroNames {
  readonly known: Map<string, AvroType>
  /** looks elsewhere for a name that a schema uses and nobody has defined; adds what it finds to the known ones */
  find(name: string): void
}

const primitives: Readonly<Record<string, AvroType>> = {
  null: { kind: 'null' },
  boolean: { kind: 'boolean' },
  int: { kind: 'integer', bits: 32 },
  long: { kind: 'integer', bits: 64 },
  float: { kind: 'float' },
  double: { kind: 'double' },
  string: { kind: 'text' },
  bytes: { kind: 'bytes' },
}

/** deeper than any real schema, shallower than the stack */
const deepest = 100

/**
 * @param text the schema's JSON; attributes that Avro does not know (`__fastavro_parsed__`, …) are passed over
 * @param names of a schema that is one of several; takes what this one defines, which must be new
 * @throws AvroSchemaError
 */
export function parseAvroSchema(text: string, names?: AvroNames): AvroType {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new AvroSchemaError('the schema is not JSON', { cause })
  }
  return typeOf(json, '', { known: new Map(), ...names }, 0)
}

/** As `parseAvroSchema`, for the schema of what has fields. */
export function parseAvroRecord(text: string, names?: AvroNames): AvroRecord {
  const schema = parseAvroSchema(text, names)
  if (schema.kind === 'record') return schema
  throw new AvroSchemaError('the schema is no record')
}

/** What names mean: those of one schema alone, unless there is a place to look for others. */
type Names = Pick<AvroNames, 'known'> & Partial<AvroNames>

function typeOf(json: unknown, namespace: string, named: Names, depth: number): AvroType {
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
      return remember({ kind: 'enum', symbolCount: countOf(schema['symbols']) }, schema, namespace, named).type
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
  named: Names,
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
  { known, find }: Names,
): { type: Type; inner: string } {
  if (typeof name !== 'string') throw new AvroSchemaError('a type has no name')
  const dot = name.lastIndexOf('.')
  const inner = dot >= 0 ? name.slice(0, dot) : typeof own === 'string' ? own : outer
  const full = dot >= 0 || inner === '' ? name : `${inner}.${name}`
  // the one schema of a container is taken as its writer had it; of several, each has its say about other names
  if (find && known.has(full)) throw new AvroSchemaError(`the type ${full.slice(0, 60)} is defined twice`)
  known.set(full, type)
  return { type, inner }
}

function referenced(name: string, namespace: string, { known, find }: Names): AvroType {
  if (Object.hasOwn(primitives, name)) return primitives[name]!
  const candidates = namespace === '' ? [name] : [`${namespace}.${name}`, name]
  const defined = (): AvroType | undefined => candidates.map((each) => known.get(each)).find((type) => type)
  let type = defined()
  for (const each of find ? candidates : []) {
    if (type) break
    find!(each)
    type = defined()
  }
  if (!type) throw new AvroSchemaError(`the type ${name.slice(0, 60)} is unknown`)
  return type
}

/** Infinity where a schema does not say which symbols there are. */
function countOf(symbols: unknown): number {
  return Array.isArray(symbols) ? symbols.length : Infinity
}

function sizeOf(size: unknown): number {
  if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size
  throw new AvroSchemaError('a fixed type has no size')
}
