// What an Avro schema says of its records before the first is read.
import type { InputSchema, OidType } from '../../pipeline/batch.ts'
import { DataError } from '../../errors.ts'
import { type AvroRecord, AvroSchemaError, type AvroType, parseAvroSchema } from '../../formats/avro/schema.ts'
import { ColumnError } from '../columns/column-error.ts'
import { missingColumns, refuseAbsentRenames } from '../columns/match-columns.ts'
import { recordKeys, settleNames } from '../columns/settle-names.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/** The field that holds the features. */
export const featuresField = 'features'

/**
 * Checks that a schema's records can have what is needed.
 *
 * @throws DataError naming every missing field; a map may have any key, so that its keys are the rows' matter
 */
export function checkAvroSchema(
  text: string,
  given: ReadOptions,
  inputName: string,
): { readonly schema: InputSchema; readonly options: ReadOptions } {
  const { fields } = parsed(text, inputName)
  const typeOf = (name: string | undefined): AvroType | undefined => fields.find((field) => field.name === name)?.type
  const features = typeOf(featuresField)
  if (!features) throw new DataError(`${inputName}: its records have no field ${featuresField}`)
  const featureNames = namesOf(features)
  const names = [...fields.map(({ name }) => name), ...(featureNames ?? [])]
  const options = featureNames ? settleNames(given, names) : given
  const keys = recordKeys(options)
  const oid = typeOf(keys.oid)
  const candid = typeOf(keys.candid)
  const missing = [
    ...(oid ? [] : [options.idColumn]),
    ...(candid || options.candidColumn === 'candid' ? [] : [options.candidColumn]),
    ...options.features.filter((_, f) => featureNames && !featureNames.includes(keys.features[f] ?? '')),
  ]
  if (featureNames) refuseAbsentRenames(names, options.rename, inputName)
  if (missing.length > 0) {
    const others = names.filter((name) => name !== featuresField && !options.features.includes(name))
    throw missingColumns(missing, others, options, inputName)
  }
  if (candid) refuseOtherIds(candid, options.candidColumn, inputName, true)
  refuseOtherIds(oid!, options.idColumn, inputName, false)
  return { schema: { oidType: oidTypeOf(oid!), hasCandid: candid !== undefined }, options }
}

function parsed(text: string, inputName: string): AvroRecord {
  try {
    const schema = parseAvroSchema(text)
    if (schema.kind === 'record') return schema
    throw new AvroSchemaError('the schema is no record')
  } catch (cause) {
    if (cause instanceof AvroSchemaError || cause instanceof RangeError) {
      throw new DataError(`${inputName}: its schema cannot be read: ${cause.message}`, { cause })
    }
    throw cause
  }
}

/** The fields that every record of features has; undefined where they are not known before the records. */
function namesOf(features: AvroType): readonly string[] | undefined {
  const [only, ...others] = branchesOf(features).filter(({ kind }) => kind !== 'null')
  return only?.kind === 'record' && others.length === 0 ? only.fields.map(({ name }) => name) : undefined
}

function branchesOf(type: AvroType): readonly AvroType[] {
  return type.kind === 'union' ? type.branches.flatMap(branchesOf) : [type]
}

function oidTypeOf(type: AvroType): OidType {
  const kinds = branchesOf(type).filter(({ kind }) => kind !== 'null')
  return kinds.length > 0 && kinds.every(({ kind }) => kind === 'integer') ? 'int64' : 'string'
}

function refuseOtherIds(type: AvroType, column: string, inputName: string, mayBeList: boolean): void {
  for (const branch of branchesOf(type)) {
    if (branch.kind === 'float' || branch.kind === 'double') {
      throw new ColumnError(column, `${inputName}: field ${column} holds ${branch.kind}: the ids are already broken`, {
        hint: 'Write it as long or string.',
      })
    }
    if (branch.kind === 'array' && mayBeList) refuseOtherIds(branch.items, column, inputName, false)
    else if (branch.kind !== 'integer' && branch.kind !== 'text' && branch.kind !== 'null') {
      throw new ColumnError(column, `${inputName}: field ${column} holds ${branch.kind}, not ids`)
    }
  }
}
