// The forest engine as a classifier: exact, on as many threads as wanted, the model in memory once.
import type { FeatureBatch } from '../../pipeline/batch.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { prepareMatrix } from '../../pipeline/preprocess.ts'
import type { CoveredForest, Forest, Hierarchy } from '../bundle/forest.ts'
import { withEmptiness } from '../bundle/novelty.ts'
import type { Part } from '../bundle/parts.ts'
import { withoutUnanswered } from '../unanswered.ts'
import { compileKernel, createForestEngine, type EngineParts } from './forest-engine.ts'
import type { Answers } from '../bundle/answers.ts'
import { BATCHES_A_THREAD, createGroups } from './batch-groups.ts'
import type { ForestAnswer, ForestSetup, ForestTask } from './forest-worker.ts'
import { layOutRows } from './kernel-rows.ts'
import { reserveModel } from './kernel/pack-forests.ts'
import { workerBeside } from '../../worker-file.ts'
import { startWorkers } from './worker-pool.ts'

/** A model of trees, as `readBundle` gives it. */
export interface ForestModel extends Pick<Classifier, 'taxonomy' | 'identity' | 'features' | 'preprocessing'> {
  readonly parts: readonly Part[]
  /** one a part */
  readonly forests: readonly Forest[]
  /** the same with their covers, where batches shall have a novelty */
  readonly covered?: readonly CoveredForest[] | undefined
  readonly hierarchy: Hierarchy
}

/**
 * Batches of so few rows are classified where they are: handing them to a thread takes longer than their share of a
 * millisecond on this one.
 */
const ROWS_AT_ONCE = 2

/** Rows, answers and the model lie outside of a thread's own heap: this is far more than it needs. */
const limits = { maxOldGenerationSizeMb: 128 }

/** Threads for one classifier, which boot while its model is read. */
export type ForestThreads = ReturnType<typeof startForestThreads>

/** Starts threads that classify, beside the one that asks. They must be given to a classifier, or closed. */
export function startForestThreads(count: number) {
  const file = workerBeside(import.meta.url, 'forest-worker')
  return { count, ...startWorkers<ForestSetup, ForestTask, ForestAnswer>(file, count, limits) }
}

/**
 * A classifier over forests. It takes batches at once, and answers when its threads have written the model into memory: the
 * caller can open inputs meanwhile.
 *
 * @param threads are closed with it; by the caller where this fails
 * @throws ModelError for a model that memory does not hold
 */
export async function openForestClassifier(model: ForestModel, threads: ForestThreads): Promise<Classifier> {
  const { covered, parts, hierarchy, taxonomy, identity, features, preprocessing } = model
  const hasNovelty = covered !== undefined
  const module = await compileKernel()
  const { firstFeatures, width, isFloat64 } = layOutRows(model)
  const forests = covered?.map(withEmptiness) ?? model.forests
  const trees = parts.map(({ sum }, i) => ({ forest: forests[i]!, sum, firstFeature: firstFeatures[i]! }))
  const { count } = threads
  const { model: packed, plan } = reserveModel(trees, { features: width, isFloat64 }, count)
  const engineParts = { module, packed, model: { ...hierarchy, parts, features, preprocessing }, hasNovelty }
  const prepared = threads.prepare((room) => {
    // two threads halve the time
    const share = { plan, trees, ranks: room === 0, levels: room === 1 || count === 1 }
    return { parts: engineParts, room, packing: room > 1 ? undefined : share }
  })
  return classifierOf({ identity, features, preprocessing, taxonomy, hasNovelty }, threads, engineParts, prepared)
}

type Known = Pick<Classifier, 'identity' | 'features' | 'preprocessing' | 'taxonomy' | 'hasNovelty'>

/** Apart from the above, so that the forests, of which the kernel's memory has a copy, are kept no longer than that needs. */
function classifierOf(
  known: Known,
  threads: ForestThreads,
  engineParts: EngineParts,
  prepared: Promise<void>,
): Classifier {
  const { count } = threads
  const engine = createForestEngine(engineParts, count)
  let closed = false
  // who asks for an answer learns of a failure
  prepared.catch(() => undefined)

  const classifyLater = createGroups<Answers>(
    async (group) => {
      // by all threads: each writes a part of the model
      await prepared
      const matrices = group.map(({ matrix }) => matrix.buffer as ArrayBuffer)
      return threads.run(group, matrices)
    },
    { threads: count, mostRows: engineParts.packed.blockRows },
  )
  const answer = async ({ matrix, rowCount }: FeatureBatch): Promise<Answers> => {
    if (rowCount <= ROWS_AT_ONCE && !closed) {
      await prepared
      return engine.classify(matrix, rowCount)
    }
    // a view of something larger is copied, for only a whole buffer can be handed over
    const isWhole = matrix.byteLength === matrix.buffer.byteLength && matrix.buffer instanceof ArrayBuffer
    const whole = isWhole ? matrix : matrix.slice()
    // taken from the caller now, though it may have to wait
    return classifyLater({ matrix: structuredClone(whole, { transfer: [whole.buffer as ArrayBuffer] }), rowCount })
  }

  return {
    ...known,
    // each thread finds its next group ready when it is done with one
    parallelism: BATCHES_A_THREAD * count,
    async classify(batch) {
      prepareMatrix(batch, known)
      const { rowCount, oids, candids, mjds, echo, messages } = batch
      const { unanswered, ...answers } = await answer(batch)
      const { taxonomy, identity } = known
      const ids = { rowCount, oids, candids, mjds, classifierVersion: identity.classifierVersion }
      const classified = { ...ids, taxonomy, ...answers, echo, messages }
      return unanswered ? withoutUnanswered(classified, (row) => unanswered.get(row)) : classified
    },
    close() {
      closed = true
      return threads.close()
    },
  }
}
