// Inputs and outputs as a plan asks for them.
import { statSync } from 'node:fs'
import type { Input } from '../../connectors/inputs.ts'
import { echoedFeatures } from '../../connectors/kafka/spec.ts'
import { openSink, openSource } from '../../connectors/open-connector.ts'
import type { SinkSpec } from '../../connectors/spec.ts'
import type { InputSchema } from '../../pipeline/batch.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { newestOnly } from '../../pipeline/newest-only.ts'
import type { Sink } from '../../pipeline/sink.ts'
import { type ReadOptions, readOptions, type RowAllowance, type Source } from '../../pipeline/source.ts'
import type { ClassifyPlan } from './plan.ts'

/**
 * Opens the inputs of one run.
 *
 * @param options.inTurn the order in which they will be asked for: a transfer is begun while the one before it is read
 */
export function createInputOpener(
  plan: ClassifyPlan,
  classifier: Classifier,
  options: Pick<ReadOptions, 'signal' | 'isForSchema'> & { readonly inTurn?: readonly Input[] } = {},
) {
  const allowance: RowAllowance = { remaining: plan.limit ?? Infinity }
  const leaving = new AbortController()
  const { signal, isForSchema = false, inTurn = [] } = options
  const { features, preprocessing } = classifier
  const reading = readOptions({
    ...{ features, preprocessing, allowance },
    batchSize: plan.batchSize,
    idColumn: plan.idColumn,
    candidColumn: plan.candidColumn,
    mjdColumn: plan.mjdColumn,
    absentAsNull: plan.absentAsNull,
    ...plan.dialect,
    rename: plan.renames,
    renameMap: plan.renameMapPairs,
    where: plan.where,
    // with a folder as output whole files are shared out, not rows
    shard: plan.folders.length > 0 ? undefined : plan.shard,
    echo: echoedFeatures(plan.shared, features),
    signal: signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal,
  })
  const kept = new Map<Input, Promise<Source>>()
  const followers = new Map(inTurn.map((input, i) => [input, inTurn[i + 1]]))

  async function openAnew(input: Input, onlySchema: boolean): Promise<Source> {
    const source = await openSource(input.spec, onlySchema ? { ...reading, isForSchema: true } : reading)
    return plan.duplicates === 'newest' ? newestOnly(source, reading) : source
  }

  return {
    /** Each is handed out once. */
    async open(input: Input): Promise<Source> {
      const source = await (kept.get(input) ?? openAnew(input, isForSchema))
      kept.delete(input)
      const next = followers.get(input)
      if (next?.spec.kind === 's3' && !kept.has(next)) {
        const opening = openAnew(next, false)
        // a failure is reported when its turn comes
        opening.catch(() => undefined)
        kept.set(next, opening)
      }
      return source
    },
    /** Opens every input, so that one that cannot be read is known before the first row; answers what they have in common. */
    async commonSchema(inputs: readonly Input[]): Promise<InputSchema> {
      const schemas: InputSchema[] = []
      for (const input of inputs) {
        // stdin cannot be opened again, and a single input need not be; hundreds of files must not all stay open
        const isKept = input.spec.kind === 'stdin' || input.spec.kind === 'custom' || inputs.length === 1
        const source = await openAnew(input, !isKept)
        schemas.push(source.schema)
        if (isKept) kept.set(input, Promise.resolve(source))
        else await source.close()
      }
      return mergeSchemas(schemas)
    },
    async close(): Promise<void> {
      leaving.abort()
      for (const opening of kept.values()) {
        const source = await opening.catch(() => undefined)
        await source?.close()
      }
      kept.clear()
    },
  }
}

/** candid and mjd if any input has them; integers as ids only if all have the same kind of integer. */
function mergeSchemas(schemas: readonly InputSchema[]): InputSchema {
  const first = schemas[0]?.oidType ?? 'string'
  return {
    oidType: schemas.every((schema) => schema.oidType === first) ? first : 'string',
    hasCandid: schemas.some((schema) => schema.hasCandid),
    hasMjd: schemas.some((schema) => schema.hasMjd),
  }
}

/** Opens an output for results of this classifier. */
export function openSinkFor(spec: SinkSpec, schema: InputSchema, classifier: Classifier): Promise<Sink> {
  const { taxonomy, features, identity } = classifier
  const { classifierVersion, version: modelVersion, sha256: modelSha256 } = identity
  return openSink(spec, { schema, taxonomy, classifierVersion, modelVersion, features, modelSha256 })
}

/** Closes all, even if one of them fails: its own failure was reported before. */
export async function closeAll(open: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.allSettled(open.map((one) => one.close()))
}

/** How much of all inputs was read, by their bytes: 0 to 1, NaN if it cannot be known (stdin). */
export function createInputMeter(inputs: readonly Input[]) {
  const sizes = new Map(inputs.map((input) => [input, sizeOf(input)]))
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  let done = 0
  let current = 0
  return {
    begin(input: Input): void {
      done += current
      current = sizes.get(input) ?? 0
    },
    fraction: (source: Source): number => (done + current * (source.fractionRead?.() ?? NaN)) / total,
  }
}

function sizeOf({ spec }: Input): number {
  if (spec.kind === 's3') return spec.size
  if (spec.kind === 'unreadable') return 0
  if (spec.kind !== 'file') return NaN
  try {
    return statSync(spec.path).size
  } catch {
    // its opening says why
    return 0
  }
}
