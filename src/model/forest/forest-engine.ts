// Exact trees on one thread: rows in, probabilities out, without waiting. The compiled kernel does the work.
import { readFile } from 'node:fs/promises'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { type Answers, createAnswering, type Surroundings } from '../bundle/answers.ts'
import { noveltyOf, separateEmptiness } from '../bundle/novelty.ts'
import { createRowFiller, type RowRules } from './kernel-rows.ts'
import { numbersAt } from './kernel/memory-layout.ts'
import { type PackedModel, pairsOf } from './kernel/pack-forests.ts'

/** What an engine is made of; can be posted to a worker. */
export interface EngineParts {
  readonly module: WebAssembly.Module
  readonly packed: PackedModel
  readonly model: Surroundings & RowRules
  /** whether the last column of every level is its emptiness, for a novelty */
  readonly hasNovelty?: boolean
}

/** Compiles the kernel (the build puts it there) once for all threads: the module can be posted to workers. */
export async function compileKernel(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./kernel/forest-kernel.wasm', import.meta.url)))
}

/** What the kernel exports. All arguments are addresses but the last one, the number of rows. */
interface Kernel {
  rankFloat32(shared: number, scratch: number, rows: number): void
  rankFloat64(shared: number, scratch: number, rows: number): void
  sumTrees(shared: number, level: number, scratch: number, rows: number): void
}

/** @param room which of the model's rooms this engine may use: no other engine may use the same */
export function createForestEngine({ module, packed, model, hasNovelty = false }: EngineParts, room: number) {
  const { memory, features, isFloat64, blockRows, shared, levels } = packed
  const width = model.features.length
  const scratch = packed.scratches[room]!
  // WebAssembly's own types know nothing of a module's exports
  const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernel
  const rankRows = isFloat64 ? kernel.rankFloat64 : kernel.rankFloat32
  const fillRows = createRowFiller(model)
  const answerLevels = createAnswering(model)
  const numbers = numbersAt(memory.buffer, isFloat64 ? 'float64' : 'float32', scratch.matrix, blockRows * features)

  function answerWithNovelty(all: readonly Float64Array<ArrayBuffer>[], rowCount: number): Answers {
    const { said, emptiness } = separateEmptiness(all, rowCount)
    const answers = answerLevels(said, rowCount)
    return { ...answers, novelty: noveltyOf(model.parts, emptiness, answers.probabilities[0]!) }
  }

  return {
    /**
     * @param matrix rowCount × features, row-major, preprocessed
     * @returns what the model answers. Every value is what its library computes, in every bit, whatever rows stand beside it.
     */
    classify(matrix: FeatureMatrix, rowCount: number): Answers {
      const said = levels.map((level) => new Float64Array(rowCount * level.width))
      let unanswered: Map<number, string> | undefined
      for (let from = 0; from < rowCount; from += blockRows) {
        const rows = Math.min(blockRows, rowCount - from)
        fillRows(matrix.subarray(from * width, (from + rows) * width), rows, numbers, (row, reason) => {
          unanswered ??= new Map()
          if (!unanswered.has(from + row)) unanswered.set(from + row, reason)
        })
        rankRows(shared, scratch.address, rows)
        for (let index = 0; index < levels.length; index++) {
          const level = levels[index]!
          kernel.sumTrees(shared, level.address, scratch.address, rows)
          const into = said[index]!.subarray(from * level.width, (from + rows) * level.width)
          if (level.precision === undefined) divideSums(memory.buffer, scratch.sums, level, into)
          else copyMargins(memory.buffer, scratch.sums, level, into)
        }
      }
      const answers = hasNovelty ? answerWithNovelty(said, rowCount) : answerLevels(said, rowCount)
      return unanswered === undefined ? answers : { ...answers, unanswered }
    },
  }
}

type PackedLevel = PackedModel['levels'][number]

/** Sums become means: a division as in scikit-learn, for a reciprocal would round twice. */
function divideSums(
  memory: SharedArrayBuffer,
  address: number,
  { trees, width }: PackedLevel,
  into: Float64Array,
): void {
  const padded = pairsOf(width) * 2
  const sums = new Float64Array(memory, address, (into.length / width) * padded)
  for (let start = 0, target = 0; target < into.length; start += padded) {
    for (let i = 0; i < width; i++) into[target++] = sums[start + i]! / trees
  }
}

/** Margin after margin → row after row. */
function copyMargins(
  memory: SharedArrayBuffer,
  address: number,
  { width, precision }: PackedLevel,
  into: Float64Array,
): void {
  const sums = numbersAt(memory, precision!, address, into.length)
  const rows = into.length / width
  for (let margin = 0; margin < width; margin++) {
    for (let row = 0, i = margin * rows; row < rows; row++, i++) into[row * width + margin] = sums[i]!
  }
}
