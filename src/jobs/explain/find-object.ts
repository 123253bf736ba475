// One object out of an input: its features as the forest sees them.
import { DataError } from '../../errors.ts'
import type { FeatureBatch } from '../../pipeline/batch.ts'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { isNewer } from '../../pipeline/row-ids.ts'
import { identifier, literal } from '../../connectors/postgres/client/binary.ts'
import { sqlName, sqlText } from '../../connectors/files/duckdb.ts'
import { openSource } from '../../connectors/open-connector.ts'
import { type ReadOptions, readOptions } from '../../pipeline/source.ts'
import type { SourceSpec } from '../../connectors/spec.ts'
import type { Input } from '../../connectors/inputs.ts'

/** The object, from the newest of its rows. */
interface FoundObject {
  readonly input: string
  readonly oid: string
  readonly candid: bigint | null
  /** float32 features in the model's order, preprocessed */
  readonly row: FeatureMatrix
}

/** Which object, and how to read it. */
type ObjectRequest = { readonly oid: string } & Pick<
  ReadOptions,
  'features' | 'preprocessing' | 'idColumn' | 'candidColumn' | 'rename' | 'renameMap' | 'delimiter' | 'decimal'
>

/**
 * Reads inputs until their end: of several rows the one with the largest candid counts, else the later one.
 *
 * @throws DataError where no input has the object, or none of its rows can be classified
 */
export async function findObject(inputs: readonly Input[], request: ObjectRequest): Promise<FoundObject> {
  let found: FoundObject | undefined
  let refusal: string | undefined
  for (const input of inputs) {
    const source = await openSource(narrowed(input, request), optionsFor(input, request))
    try {
      for await (const { batch, rejected } of source.deliveries(new AbortController().signal)) {
        found = newestOf(batch, request, source.identity.address, found)
        refusal ??= rejected.find((reject) => reject.oid === request.oid)?.reason
      }
      for (const note of source.notes?.() ?? []) process.stderr.write(`${note}\n`)
    } finally {
      await source.close()
    }
  }
  if (found) return found
  const names = inputs.length === 1 ? inputs[0]!.spec.address : `the ${inputs.length} inputs`
  if (refusal !== undefined) throw new DataError(`${request.oid} cannot be classified: ${refusal}`)
  throw new DataError(`${names}: there is no object ${request.oid}`, {
    hint: 'Ids are compared exactly; --id-column names their column.',
  })
}

function newestOf(
  { rowCount, oids, candids, matrix }: FeatureBatch,
  { oid, features: { length: width } }: ObjectRequest,
  input: string,
  found: FoundObject | undefined,
): FoundObject | undefined {
  for (let i = 0; i < rowCount; i++) {
    const candid = candids[i] ?? null
    if (oids[i] !== oid || (found && !isNewer(candid, found.candid))) continue
    found = { input, oid, candid, row: matrix.slice(i * width, (i + 1) * width) }
  }
  return found
}

/** The long table is asked for the object alone, which its index finds. */
function narrowed({ spec }: Input, { oid }: ObjectRequest): SourceSpec {
  if (spec.kind !== 'postgres' || spec.reading.kind !== 'table') return spec
  return { ...spec, reading: { ...spec.reading, oids: [oid] } }
}

function optionsFor({ spec }: Input, request: ObjectRequest): ReadOptions {
  const { features, preprocessing, idColumn, candidColumn, rename, renameMap, delimiter, decimal } = request
  // what has SQL is asked for the object alone, unless its id column is another one under that name
  const own = [...rename].find(([, to]) => to === idColumn)?.[0] ?? idColumn
  const isParquet = (spec.kind === 'file' || spec.kind === 's3') && spec.format === 'parquet'
  const isQuery = spec.kind === 'postgres' && spec.reading.kind === 'query'
  const where = isQuery
    ? `${identifier(own)}::text = ${literal(request.oid)}`
    : `CAST(${sqlName(own)} AS VARCHAR) = ${sqlText(request.oid)}`
  const named = { features, preprocessing, idColumn, candidColumn, rename, renameMap, delimiter, decimal }
  return readOptions({ ...named, where: isParquet || isQuery ? where : undefined })
}
