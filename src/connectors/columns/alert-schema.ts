// What an Avro schema says of its alerts, before the first of them is read.
import { DataError } from '../../errors.ts'
import type { AvroRecord, AvroType } from '../../formats/avro/schema.ts'
import type { OidType } from '../../pipeline/batch.ts'
import type { ReadOptions } from '../../pipeline/source.ts'
import { ColumnError, missingColumns, refuseAbsentRenames } from './match-columns.ts'
import { recordKeys, settleNames } from './settle-names.ts'

/** Where an alert has its features. */
export const featuresField = 'features'
/** Where it has the list of its detections. */
const detectionsField = 'detections'

/** The field of the detections, where anybody wants to know of them. */
export function wantedDetections({ mjdColumn, minDetections }: ReadOptions): string | undefined {
  return mjdColumn === undefined && minDetections === undefined ? undefined : detectionsField
}

/** Why an alert is not classified that has fewer of them than it must. */
export function tooFewDetections(minimum: number): string {
  return `has fewer than ${minimum} detections`
}

/**
 * Checks that a schema's records can have what is needed; answers the options with which they are read.
 *
 * @throws DataError naming every missing field; a map may have any key, so that its keys are the rows' matter
 */
export function checkAlertSchema({ fields }: AvroRecord, given: ReadOptions, inputName: string) {
  const typeOf = (name: string | undefined): AvroType | undefined => fields.find((field) => field.name === name)?.type
  const features = typeOf(featuresField)
  if (!features) throw new DataError(`${inputName}: its records have no field ${featuresField}`)
  const featureNames = fieldsOf(features)
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
  const hasMjd = options.mjdColumn !== undefined && saysWhen(typeOf(keys.mjd), typeOf(detectionsField))
  const schema = { oidType: oidTypeOf(oid!), hasCandid: candid !== undefined, ...(hasMjd ? { hasMjd } : {}) }
  return { schema, options }
}

/** The fields that every record of features has; undefined where they are not known before the records. */
function fieldsOf(features: AvroType): readonly string[] | undefined {
  const [only, ...others] = branchesOf(features)
  return only?.kind === 'record' && others.length === 0 ? only.fields.map(({ name }) => name) : undefined
}

/** The types that a value may have, null apart. */
export function branchesOf(type: AvroType): readonly AvroType[] {
  if (type.kind === 'union') return type.branches.flatMap(branchesOf)
  return type.kind === 'null' ? [] : [type]
}

function oidTypeOf(type: AvroType): OidType {
  const branches = branchesOf(type)
  return branches.length > 0 && branches.every(({ kind }) => kind === 'integer') ? 'int64' : 'string'
}

function refuseOtherIds(type: AvroType, column: string, inputName: string, mayBeList: boolean): void {
  for (const branch of branchesOf(type)) {
    if (branch.kind === 'integer' || branch.kind === 'text') continue
    if (branch.kind === 'array' && mayBeList) {
      refuseOtherIds(branch.items, column, inputName, false)
      continue
    }
    const what = `${inputName}: field ${column} holds ${branch.kind}`
    if (branch.kind !== 'float' && branch.kind !== 'double') throw new ColumnError(column, `${what}, not ids`)
    throw new ColumnError(column, `${what}: the ids are already broken`, { hint: 'Write it as long or string.' })
  }
}

/** Whether alerts can say when their object was last seen: by themselves, or by their detections. */
function saysWhen(mjd: AvroType | undefined, detections: AvroType | undefined): boolean {
  if (mjd) return true
  const lists = detections ? branchesOf(detections) : []
  const items = lists.flatMap((list) => (list.kind === 'array' ? branchesOf(list.items) : []))
  return items.some((item) => item.kind === 'record' && item.fields.some(({ name }) => name === 'mjd'))
}
