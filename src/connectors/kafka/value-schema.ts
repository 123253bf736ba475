// The files of `?schema=` → the record that values without framing are data of, held against what is needed of it.
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { DataError, UsageError, whyUnreadable } from '../../errors.ts'
import { type AvroRecord, AvroSchemaError, type AvroType, parseAvroSchema } from '../../formats/avro/schema.ts'
import { shownText } from '../../formats/shown-text.ts'
import type { ReadOptions } from '../../pipeline/source.ts'
import { branchesOf, checkAlertSchema, featuresField } from '../columns/alert-schema.ts'
import { recordKeys } from '../columns/settle-names.ts'

/** The schema of values without framing. */
export interface ValueSchema {
  readonly record: AvroRecord
  /** with which its records are read: their names are known */
  readonly options: ReadOptions
}

const numeric: ReadonlySet<AvroType['kind']> = new Set<AvroType['kind']>(['float', 'double', 'integer', 'boolean'])

/**
 * Reads the files, which are schemas as JSON. The last one's record is the value; those before it define types that it names,
 * and so may `NAME.avsc` beside a file that names NAME, as fastavro finds it.
 *
 * @throws UsageError naming the file and the type
 */
export function readSchemaFiles(paths: readonly string[]): AvroRecord {
  const known = new Map<string, AvroType>()
  const begun = new Map<string, AvroType | undefined>()

  function load(path: string): AvroType | undefined {
    const place = resolve(path)
    if (begun.has(place)) return begun.get(place)
    begun.set(place, undefined)
    let unfound: string | undefined
    const find = (name: string): void => {
      const beside = join(dirname(place), `${name}.avsc`)
      // a name with a slash would be a way to somewhere else
      if (basename(name) === name && existsSync(beside)) load(beside)
      if (!known.has(name)) unfound ??= name
    }
    try {
      const type = parseAvroSchema(textOf(path), { known, find })
      begun.set(place, type)
      return type
    } catch (cause) {
      if (!(cause instanceof AvroSchemaError) && !(cause instanceof RangeError)) throw cause
      const hint = `Name the file that defines it first, ?schema=TYPES.avsc&schema=FILE.avsc, or put it beside as ${unfound}.avsc.`
      const details = unfound === undefined ? { cause } : { cause, hint: shownText(hint) }
      throw new UsageError(`${path}: ${shownText(cause.message)}`, details)
    }
  }

  const types = paths.map(load)
  const last = types.at(-1)
  if (last?.kind === 'record') return last
  const hint = 'The last schema= is that of the messages; those before it define types that it names.'
  throw new UsageError(`${paths.at(-1)}: the schema is no record`, { hint })
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${whyUnreadable(cause)}`, { cause })
  }
}

/**
 * Reads the files and checks that their record can have what is needed; undefined where none is named.
 *
 * @throws UsageError naming the file and what is wrong with it
 */
export function openValueSchema(paths: readonly string[] = [], given: ReadOptions): ValueSchema | undefined {
  if (paths.length === 0) return undefined
  const record = readSchemaFiles(paths)
  const file = paths.at(-1)!
  const options = settled(record, given, file)
  const keys = recordKeys(options)
  const typeOf = (name: string | undefined): AvroType => record.fields.find((field) => field.name === name)!.type
  for (const id of [keys.oid, keys.candid]) {
    if (branchesOf(typeOf(id)).length === 0) throw unfit(`${file}: the field ${id} ${holding(typeOf(id))}, not ids`)
  }
  const features = branchesOf(typeOf(featuresField))
  const needed = new Set(keys.features)
  const values = features.flatMap((branch) => {
    if (branch.kind === 'map') return [{ name: featuresField, type: branch.items }]
    return branch.kind === 'record' ? branch.fields.filter(({ name }) => needed.has(name)) : []
  })
  if (values.length === 0) {
    throw unfit(`${file}: the field ${featuresField} ${holding(typeOf(featuresField))}, not features`)
  }
  const other = values.find(({ type }) => !branchesOf(type).some(({ kind }) => numeric.has(kind)))
  if (other) throw unfit(`${file}: the field ${shownText(other.name)} ${holding(other.type)}, not numbers`)
  return { record, options }
}

/** The options with which the record is read, if it has what is needed at all. */
function settled(record: AvroRecord, given: ReadOptions, file: string): ReadOptions {
  // whoever looks at inputs that lack some features would be told of these messages alone, not of others in the topic
  const named = { ...given, onNames: () => given.features }
  try {
    const { schema, options } = checkAlertSchema(record, named, file)
    if (schema.hasCandid) return options
  } catch (cause) {
    if (cause instanceof DataError) throw unfit(cause.message, cause)
    throw cause
  }
  throw unfit(`${file}: its records have no field ${given.candidColumn}`)
}

function unfit(why: string, cause?: unknown): UsageError {
  return new UsageError(why, { cause, hint: 'Is it the schema of this topic, and the model for its features?' })
}

/** What a field has in place of what it should have. */
function holding(type: AvroType): string {
  const kinds = branchesOf(type).map(({ kind }) => kind)
  return `holds ${kinds.length === 0 ? 'null' : kinds.join(' or ')}`
}
