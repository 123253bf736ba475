// A sink made of three parts: the layout's columns, a format's encoder and where the bytes go.
import { createGzip } from 'node:zlib'
import type { Sink, SinkContext } from '../../pipeline/sink.ts'
import type { ByteOutput } from '../../whole-file.ts'
import { type ClassifiedBatch, type OidType, pickObjects, type Reject } from '../../pipeline/batch.ts'

/** One file format: tables in, bytes out. */
export interface TableEncoder {
  /** why the format cannot hold an object of this id; undefined where it can, and where it can hold any */
  readonly whyNot?: (oid: string) => string | undefined
  add(table: OutputTable): Promise<void>
  /** Writes what is still held and what ends the format; a file of no rows is valid too. */
  end(): Promise<void>
}

export interface EncoderOptions {
  readonly fields: readonly OutputField[]
  /** facts that formats with room for them carry along */
  readonly facts: ReadonlyMap<string, string>
  readonly write: (bytes: Uint8Array) => Promise<void>
}

/** @param parts.keep takes the objects out of a batch that were not asked for; undefined: all were */
export function createTableSink(
  address: string,
  parts: {
    readonly layout: OutputLayout
    readonly keep: undefined | ((batch: ClassifiedBatch) => ClassifiedBatch)
    readonly encoder: TableEncoder
    readonly output: ByteOutput
  },
): Sink {
  const { layout, keep, encoder, output } = parts
  return {
    address,
    durable: 'on-finish',
    get isGone() {
      return output.isGone ?? false
    },
    get written() {
      return output.written
    },
    async write(batch) {
      const kept = keep ? keep(batch) : batch
      const { held, refused } = whatHolds(encoder, kept, address)
      const table = layout.tableOf(held)
      if (table.rowCount > 0 && !output.isGone) await encoder.add(table)
      const outcome = { objects: held.rowCount, rows: table.rowCount, refused, superseded: 0 }
      return keep ? { ...outcome, filtered: batch.rowCount - kept.rowCount } : outcome
    },
    async finish() {
      if (!output.isGone) await encoder.end()
      await output.finish()
    },
    publish: () => output.publish(),
    close: () => output.close(),
  }
}

/** The objects that a format can hold, and why it cannot hold the others. */
function whatHolds({ whyNot }: TableEncoder, batch: ClassifiedBatch, address: string) {
  const refused: Reject[] = []
  if (!whyNot) return { held: batch, refused }
  const rows: number[] = []
  batch.oids.forEach((oid, row) => {
    const reason = whyNot(oid)
    if (reason === undefined) rows.push(row)
    else refused.push({ oid, where: address, reason, message: batch.messages?.[row] })
  })
  return { held: refused.length === 0 ? batch : pickObjects(batch, rows), refused }
}

/** The facts about a run that Parquet and Arrow files carry in their metadata. */
export function factsOf({ classifierVersion, modelSha256 }: SinkContext): ReadonlyMap<string, string> {
  const facts = new Map([['classifier_version', classifierVersion]])
  if (modelSha256 !== undefined) facts.set('model_sha256', modelSha256)
  return facts
}

/** Compresses what is written; each `write` waits until the compressed bytes of it have gone on. */
export function gzipped(output: ByteOutput): ByteOutput {
  const gzip = createGzip()
  let compressed: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => compressed.push(chunk))

  async function passOn(): Promise<void> {
    const chunks = compressed
    compressed = []
    if (chunks.length > 0) await output.write(Buffer.concat(chunks))
  }

  return {
    get written() {
      return output.written
    },
    async write(bytes) {
      // closed before: the output says so in its own words
      if (gzip.destroyed) return output.write(bytes)
      await new Promise<void>((done, failed) => gzip.write(bytes, (error) => (error ? failed(error) : done())))
      await passOn()
    },
    async finish() {
      if (gzip.destroyed) return output.finish()
      await new Promise<void>((done, failed) => gzip.once('end', done).once('error', failed).end())
      await passOn()
      await output.finish()
    },
    publish: () => output.publish(),
    async close() {
      gzip.destroy()
      await output.close()
    },
  }
}

// Results as named columns: what every layout produces and every file format writes.

/** The columns' types: `label` is text of few distinct values. */
export type ColumnType = ColumnValues['type']

/** One column of an output, known before the first row. */
export interface OutputField {
  /** the column's name, opaque; in the nested layout the names of the structs around it come first */
  readonly path: readonly string[]
  readonly type: ColumnType
  readonly isNullable: boolean
}

/** The values of one column: one a row of the table. */
export type ColumnValues =
  | { readonly type: 'string'; readonly values: readonly string[] }
  /** `labels` is the same array in every table of an output */
  | { readonly type: 'label'; readonly labels: readonly string[]; readonly codes: Int32Array }
  /** lists of them: rows × labels, row-major, 1 for one that is in the row's list */
  | { readonly type: 'labels'; readonly labels: readonly string[]; readonly members: Uint8Array }
  | { readonly type: 'float64'; readonly values: Float64Array }
  | { readonly type: 'int32'; readonly values: Int32Array }
  | { readonly type: 'uint32'; readonly values: Uint32Array }
  /** a null's value is 0; `nulls` is absent where there are none */
  | { readonly type: 'int64'; readonly values: BigInt64Array; readonly nulls?: ReadonlySet<number> }
  | { readonly type: 'uint64'; readonly values: BigUint64Array }

/** Some rows of an output, one entry of `columns` for each field of its layout. */
export interface OutputTable {
  readonly rowCount: number
  readonly columns: readonly ColumnValues[]
}

/** A form of the result: its columns, and how a batch becomes rows. */
export interface OutputLayout {
  readonly fields: readonly OutputField[]
  readonly tableOf: (batch: ClassifiedBatch) => OutputTable
  /** some of its columns, by their places in `fields`; the others are not computed where they need not be */
  readonly only: (places: readonly number[]) => OutputLayout
}

/** Of each row the labels in its list; rows that are alike share one, for there are few kinds. */
export function listsOf({ labels, members }: Extract<ColumnValues, { type: 'labels' }>): (readonly string[])[] {
  const width = labels.length
  const lists: (readonly string[])[] = []
  const known = new Map<number, readonly string[]>()
  for (let start = 0; start < members.length; start += width) {
    // twice as much for each further class: a number for each kind of up to 53 classes
    let kind = 0
    for (let i = start; i < start + width; i++) kind = kind * 2 + members[i]!
    let list = width <= 53 ? known.get(kind) : undefined
    if (!list) known.set(kind, (list = labels.filter((_, i) => members[start + i] === 1)))
    lists.push(list)
  }
  return lists
}

/** The columns of an output as a tree: a leaf is a column, a struct has further names in it. */
export type FieldNode =
  | { readonly name: string; readonly field: OutputField; readonly column: number }
  | { readonly name: string; readonly children: readonly FieldNode[] }

/** Puts columns whose paths begin alike into one struct. */
export function fieldTree(fields: readonly OutputField[]): readonly FieldNode[] {
  const leaves = fields.map((field, column) => ({ field, column }))
  return nodesOf(leaves, 0)
}

function nodesOf(leaves: readonly { field: OutputField; column: number }[], depth: number): readonly FieldNode[] {
  const groups = new Map<string, { field: OutputField; column: number }[]>()
  for (const leaf of leaves) {
    const name = leaf.field.path[depth] ?? ''
    groups.set(name, [...(groups.get(name) ?? []), leaf])
  }
  return [...groups].map(([name, group]) => {
    const [first] = group
    const isLeaf = first && first.field.path.length === depth + 1
    return isLeaf ? { name, ...first } : { name, children: nodesOf(group, depth + 1) }
  })
}

/** Object ids as a column of the input's own type. */
export function oidColumn(oids: readonly string[], type: OidType): ColumnValues {
  switch (type) {
    case 'string':
      return { type, values: oids }
    case 'int32':
      return { type, values: Int32Array.from(oids, Number) }
    case 'uint32':
      return { type, values: Uint32Array.from(oids, Number) }
    case 'int64':
      return { type, values: BigInt64Array.from(oids, BigInt) }
    case 'uint64':
      return { type, values: BigUint64Array.from(oids, BigInt) }
  }
}

export function candidColumn(candids: readonly (bigint | null)[]): ColumnValues {
  const nulls = new Set<number>()
  const values = new BigInt64Array(candids.length)
  candids.forEach((candid, row) => {
    if (candid === null) nulls.add(row)
    else values[row] = candid
  })
  return nulls.size > 0 ? { type: 'int64', values, nulls } : { type: 'int64', values }
}
