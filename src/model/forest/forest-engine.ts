// Exact trees on one thread: rows in, probabilities out, without waiting. The compiled kernel does the work.
import { readFile } from 'node:fs/promises'
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { type Answers, createAnswering, type Surroundings } from '../bundle/answers.ts'
import { noveltyOf, separateEmptiness } from '../bundle/novelty.ts'
import type { Rows } from './batch-groups.ts'
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
  sumTrees(level: number, scratch: number, rows: number): void
}

/** Rows of a batch that are classified with others in one block. */
interface Piece {
  readonly batch: number
  /** in the batch */
  readonly from: number
  /** in the block */
  readonly at: number
  readonly rows: number
}

/** @param room which of the model's rooms this engine may use: no other engine may use the same */
export function createForestEngine({ module, packed, model, hasNovelty = false }: EngineParts, room: number) {
  const { memory, features, isFloat64, shared, levels } = packed
  const width = model.features.length
  const scratch = packed.scratches[room]!
  // WebAssembly's own types know nothing of a module's exports
  const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernel
  const rankRows = isFloat64 ? kernel.rankFloat64 : kernel.rankFloat32
  const fillRows = createRowFiller(model)
  const answerLevels = createAnswering(model)
  const precision = isFloat64 ? 'float64' : 'float32'
  const numbers = numbersAt(memory.buffer, precision, scratch.matrix, scratch.rows * features)

  function classifyTogether(batches: readonly Rows[]): Answers[] {
    const said = batches.map(({ rowCount }) => levels.map((level) => new Float64Array(rowCount * level.width)))
    const unanswered = batches.map(() => new Map<number, string>())
    for (const pieces of blocksOf(batches, scratch.rows)) {
      const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0)
      for (const { batch, from, at, rows: count } of pieces) {
        const part = batches[batch]!.matrix.subarray(from * width, (from + count) * width)
        fillRows(part, count, numbers.subarray(at * features), (row, reason) => {
          if (!unanswered[batch]!.has(from + row)) unanswered[batch]!.set(from + row, reason)
        })
      }
      rankRows(shared, scratch.address, rows)
      levels.forEach((level, index) => {
        kernel.sumTrees(level.address, scratch.address, rows)
        const read = level.precision === undefined ? divideSums : copyMargins
        for (const { batch, from, at, rows: count } of pieces) {
          const into = said[batch]![index]!.subarray(from * level.width, (from + count) * level.width)
          read(memory.buffer, { sums: scratch.sums, rows, at }, level, into)
        }
      })
    }
    return batches.map(({ rowCount }, batch) => {
      const answers = hasNovelty ? answerWithNovelty(said[batch]!, rowCount) : answerLevels(said[batch]!, rowCount)
      return unanswered[batch]!.size === 0 ? answers : { ...answers, unanswered: unanswered[batch]! }
    })
  }

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
    classify: (matrix: FeatureMatrix, rowCount: number): Answers => classifyTogether([{ matrix, rowCount }])[0]!,
    /** The same for several batches, which takes less time than one after the other. */
    classifyTogether,
  }
}

/** Rows of batches, one batch after the other, in blocks of at most so many. */
function blocksOf(batches: readonly Rows[], most: number): Piece[][] {
  const blocks: Piece[][] = []
  let at = most
  batches.forEach(({ rowCount }, batch) => {
    for (let from = 0; from < rowCount;) {
      if (at === most) {
        blocks.push([])
        at = 0
      }
      const rows = Math.min(most - at, rowCount - from)
      blocks.at(-1)!.push({ batch, from, at, rows })
      from += rows
      at += rows
    }
  })
  return blocks
}

/** Where the sums of a block are, and where in it the rows begin that are read. */
interface BlockSums {
  readonly sums: number
  readonly rows: number
  readonly at: number
}

type PackedLevel = PackedModel['levels'][number]

/** Sums become means: a division as in scikit-learn, for a reciprocal would round twice. */
function divideSums(
  memory: SharedArrayBuffer,
  { sums: address, at }: BlockSums,
  { trees, width }: PackedLevel,
  into: Float64Array,
): void {
  const padded = pairsOf(width) * 2
  const sums = new Float64Array(memory, address + at * padded * 8, (into.length / width) * padded)
  for (let start = 0, target = 0; target < into.length; start += padded) {
    for (let i = 0; i < width; i++) into[target++] = sums[start + i]! / trees
  }
}

/** Margin after margin → row after row. */
function copyMargins(
  memory: SharedArrayBuffer,
  { sums: address, rows, at }: BlockSums,
  { width, precision }: PackedLevel,
  into: Float64Array,
): void {
  const sums = numbersAt(memory, precision!, address, rows * width)
  const count = into.length / width
  for (let margin = 0; margin < width; margin++) {
    for (let row = 0, i = margin * rows + at; row < count; row++, i++) into[row * width + margin] = sums[i]!
  }
}
