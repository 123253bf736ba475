// Inputs and outputs as a plan asks for them.
import type { InputSchema } from '../batch/feature-batch.ts'
import type { Classifier } from '../classifier/classifier.ts'
import { echoedFeatures } from '../sinks/kafka-spec.ts'
import { openSink } from '../sinks/open.ts'
import type { Sink, SinkSpec } from '../sinks/sink.ts'
import { newestOnly } from '../sources/newest-only.ts'
import { openSource } from '../sources/open.ts'
import type { ReadOptions, RowAllowance, Source } from '../sources/source.ts'
import type { Input } from './inputs.ts'
import type { ClassifyPlan } from './plan.ts'

/** Opens the inputs of one run; each is handed out once. */
export interface InputOpener {
  open(input: Input): Promise<Source>
  /** Opens every input, so that one that cannot be read is known before the first row; answers what they have in common. */
  commonSchema(inputs: readonly Input[]): Promise<InputSchema>
  close(): Promise<void>
}

/** See InputOpener. */
export function createInputOpener(plan: ClassifyPlan, classifier: Classifier): InputOpener {
  const allowance: RowAllowance = { remaining: plan.limit ?? Infinity }
  const options = readOptions(plan, classifier, allowance)
  const kept = new Map<Input, Source>()

  async function openAnew(input: Input): Promise<Source> {
    const source = await openSource(input.spec, options)
    return plan.duplicates === 'newest' ? newestOnly(source, options) : source
  }

  return {
    async open(input) {
      const source = kept.get(input)
      kept.delete(input)
      return source ?? openAnew(input)
    },
    async commonSchema(inputs) {
      const schemas: InputSchema[] = []
      for (const input of inputs) {
        const source = await openAnew(input)
        schemas.push(source.schema)
        // stdin cannot be opened again, and a single input need not be; hundreds of files must not all stay open
        if (input.spec.kind === 'stdin' || inputs.length === 1) kept.set(input, source)
        else await source.close()
      }
      return mergeSchemas(schemas)
    },
    async close() {
      for (const source of kept.values()) await source.close()
      kept.clear()
    },
  }
}

/** candid if any input has it; integers as ids only if all have the same kind of integer. */
export function mergeSchemas(schemas: readonly InputSchema[]): InputSchema {
  const first = schemas[0]?.oidType ?? 'string'
  return {
    oidType: schemas.every((schema) => schema.oidType === first) ? first : 'string',
    hasCandid: schemas.some((schema) => schema.hasCandid),
  }
}

function readOptions(plan: ClassifyPlan, classifier: Classifier, allowance: RowAllowance): ReadOptions {
  const { batchSize, idColumn, candidColumn, renames, where, shard, folders, shared } = plan
  return {
    features: classifier.features,
    preprocessing: classifier.preprocessing,
    batchSize,
    idColumn,
    candidColumn,
    rename: renames,
    allowance,
    ...(where === undefined ? {} : { where }),
    ...(shared.some(({ kind }) => kind === 'kafka') ? { echo: echoedFeatures } : {}),
    // with a folder as output whole files are shared out, not rows
    ...(shard === undefined || folders.length > 0 ? {} : { shard }),
  }
}

/** Opens an output for results of this classifier. */
export function openSinkFor(spec: SinkSpec, schema: InputSchema, classifier: Classifier): Promise<Sink> {
  const { taxonomy, identity } = classifier
  const { classifierVersion, sha256: modelSha256 } = identity
  return openSink(spec, { schema, taxonomy, classifierVersion, modelSha256 })
}

/** Closes all, also when one of them cannot; what cannot be closed was reported by its own failure before. */
export async function closeAll(open: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.allSettled(open.map((one) => one.close()))
}
