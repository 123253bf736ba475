// One object out of an input: its features as the forest sees them.
import { DataError } from '../../errors.ts'
import type { Input } from '../../connectors/inputs.ts'
import { findObjects, type FoundObject, type ReadingOptions } from './find-objects.ts'

/** Which object, and how to read it. */
type ObjectRequest = { readonly oid: string } & ReadingOptions

/**
 * Reads inputs until their end.
 *
 * @throws DataError where no input has the object, or none of its rows can be classified
 */
export async function findObject(inputs: readonly Input[], request: ObjectRequest): Promise<FoundObject> {
  const { oid, features, preprocessing, idColumn, candidColumn, rename, renameMap, delimiter, decimal } = request
  const reading = { features, preprocessing, idColumn, candidColumn, rename, renameMap, delimiter, decimal }
  const { found, refusals } = await findObjects(inputs, { ...reading, oids: new Set([oid]) })
  const object = found.get(oid)
  if (object) return object
  const names = inputs.length === 1 ? inputs[0]!.spec.address : `the ${inputs.length} inputs`
  const refusal = refusals.get(oid)
  if (refusal !== undefined) throw new DataError(`${oid} cannot be classified: ${refusal}`)
  throw new DataError(`${names}: there is no object ${oid}`, {
    hint: 'Ids are compared exactly; --id-column names their column.',
  })
}
