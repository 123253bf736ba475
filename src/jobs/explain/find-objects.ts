// Some objects out of inputs: their features as the forest sees them.
import type { FeatureBatch } from '../../pipeline/batch.ts'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { isNewer } from '../../pipeline/row-ids.ts'
import { identifier, literal } from '../../connectors/postgres/client/binary.ts'
import { sqlName, sqlText } from '../../connectors/files/duckdb.ts'
import { openSource } from '../../connectors/open-connector.ts'
import { type ReadOptions, readOptions } from '../../pipeline/source.ts'
import type { SourceSpec } from '../../connectors/spec.ts'
import type { Input } from '../../connectors/inputs.ts'

/** An object, from the newest of its rows. */
export interface FoundObject {
  readonly input: string
  readonly oid: string
  readonly candid: bigint | null
  /** float32 features in the model's order, preprocessed */
  readonly row: FeatureMatrix
}

/** How to read them. */
export type ReadingOptions = Pick<
  ReadOptions,
  | 'features'
  | 'preprocessing'
  | 'idColumn'
  | 'candidColumn'
  | 'rename'
  | 'renameMap'
  | 'delimiter'
  | 'decimal'
  | 'absentAsNull'
  | 'where'
>

type ObjectsRequest = { readonly oids: ReadonlySet<string> } & ReadingOptions

/** What has SQL is asked for so many objects by name; of more, all rows are read. */
const mostNamed = 2000

/**
 * Reads inputs until their end: of several rows of an object the one with the largest candid counts, else the later one.
 *
 * @returns the objects that were found, by oid, and why others of them were rejected
 */
export async function findObjects(inputs: readonly Input[], request: ObjectsRequest) {
  const found = new Map<string, FoundObject>()
  const refusals = new Map<string, string>()
  for (const input of inputs) {
    const source = await openSource(narrowed(input, request), optionsFor(input, request))
    try {
      for await (const { batch, rejected } of source.deliveries(new AbortController().signal)) {
        takeNewest(batch, request, source.identity.address, found)
        for (const { oid, reason } of rejected) {
          if (oid !== null && request.oids.has(oid) && !refusals.has(oid)) refusals.set(oid, reason)
        }
      }
      for (const note of source.notes?.() ?? []) process.stderr.write(`${note}\n`)
    } finally {
      await source.close()
    }
  }
  return { found, refusals }
}

function takeNewest(
  { rowCount, oids, candids, matrix }: FeatureBatch,
  { oids: wanted, features: { length: width } }: ObjectsRequest,
  input: string,
  found: Map<string, FoundObject>,
): void {
  for (let i = 0; i < rowCount; i++) {
    const oid = oids[i]!
    if (!wanted.has(oid)) continue
    const candid = candids[i] ?? null
    const earlier = found.get(oid)
    if (earlier && !isNewer(candid, earlier.candid)) continue
    found.set(oid, { input, oid, candid, row: matrix.slice(i * width, (i + 1) * width) })
  }
}

/** The long table is asked for the objects alone, which its index finds. */
function narrowed({ spec }: Input, { oids }: ObjectsRequest): SourceSpec {
  if (spec.kind !== 'postgres' || spec.reading.kind !== 'table') return spec
  return { ...spec, reading: { ...spec.reading, oids: [...oids] } }
}

function optionsFor({ spec }: Input, request: ObjectsRequest): ReadOptions {
  const { oids, ...reading } = request
  const { rename, idColumn } = reading
  // what has SQL is asked for the objects alone, unless its id column is another one under that name
  const own = [...rename].find(([, to]) => to === idColumn)?.[0] ?? idColumn
  const isParquet = (spec.kind === 'file' || spec.kind === 's3') && spec.format === 'parquet'
  const isQuery = spec.kind === 'postgres' && spec.reading.kind === 'query'
  if (oids.size > mostNamed || !(isParquet || isQuery)) return readOptions(reading)
  const named = isQuery
    ? `${identifier(own)}::text IN (${[...oids].map(literal).join(', ')})`
    : `CAST(${sqlName(own)} AS VARCHAR) IN (${[...oids].map(sqlText).join(', ')})`
  return readOptions({ ...reading, where: reading.where === undefined ? named : `(${reading.where}) AND ${named}` })
}
