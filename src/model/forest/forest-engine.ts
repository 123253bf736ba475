// Exact forests on one thread: rows in, probabilities out, without waiting.
import type { Hierarchy } from '../bundle/plain-evaluation.ts'
import type { PackedModel, PackedLevel } from './kernel/pack-forests.ts'
import { instantiateKernel } from './kernel/kernel-module.ts'

/** Classifies rows on the thread that asks. */
interface ForestEngine {
  /**
   * @param matrix rowCount × features, row-major, preprocessed float32
   * @returns one array a level of the taxonomy, rowCount × classes, row-major: the product first, then each forest; a model
   * of one level has one. Every value is what scikit-learn computes, in every bit, whatever rows stand beside it.
   */
  classify(matrix: Float32Array, rowCount: number): Float64Array<ArrayBuffer>[]
}

/** How the product is made of the forests' answers: for each leaf class its branch in the top and its own place. */
interface ProductColumn {
  readonly topColumn: number
  readonly level: number
  readonly column: number
}

/** What an engine is made of; can be posted to a worker. */
export interface EngineParts {
  readonly module: WebAssembly.Module
  readonly model: PackedModel
  /** null for a model of one level */
  readonly product: readonly ProductColumn[] | null
}

/** The product's columns, in output order. */
export function productColumns({ taxonomy, levels }: Hierarchy): ProductColumn[] | null {
  const [top, ...branches] = levels
  if (taxonomy === null || top === undefined) return null
  return branches.flatMap(({ branch, classes }, index) =>
    (branch === null ? [] : (taxonomy[branch] ?? [])).map((name) => ({
      topColumn: top.classes.indexOf(branch!),
      level: index + 1,
      column: classes.indexOf(name),
    })),
  )
}

/** @param room which of the model's rooms this engine may use: no other engine may use the same */
export function createForestEngine({ module, model, product }: EngineParts, room: number): ForestEngine {
  const { memory, features, blockRows, shared, levels } = model
  const scratch = model.scratches[room]!
  const kernel = instantiateKernel(module, memory)
  const floats = new Float32Array(memory.buffer, scratch.matrix, blockRows * features)

  function classifyBlock(matrix: Float32Array, from: number, rows: number, into: readonly Float64Array[]): void {
    floats.set(matrix.subarray(from * features, (from + rows) * features))
    kernel.rankRows(shared, scratch.address, rows)
    levels.forEach((level, index) => {
      kernel.sumTrees(shared, level.address, scratch.address, rows)
      divideSums(new Float64Array(memory.buffer, scratch.sums, rows * level.pairs * 2), level, {
        into: into[index]!,
        from,
        rows,
      })
    })
  }

  return {
    classify(matrix, rowCount) {
      const answers = levels.map(({ classes }) => new Float64Array(rowCount * classes))
      for (let from = 0; from < rowCount; from += blockRows) {
        classifyBlock(matrix, from, Math.min(blockRows, rowCount - from), answers)
      }
      return product === null ? answers : [multiply(product, levels, answers, rowCount), ...answers]
    },
  }
}

interface DivideTarget {
  readonly into: Float64Array
  readonly from: number
  readonly rows: number
}

/** Sums become means: a division as in scikit-learn, for a reciprocal would round twice. */
function divideSums(
  sums: Float64Array,
  { trees, classes, pairs }: PackedLevel,
  { into, from, rows }: DivideTarget,
): void {
  let target = from * classes
  for (let row = 0; row < rows; row++) {
    const start = row * pairs * 2
    for (let i = 0; i < classes; i++) into[target++] = sums[start + i]! / trees
  }
}

/** P(class) = P_top(branch) × P_branch(class), the operands in that order. */
function multiply(
  product: readonly ProductColumn[],
  levels: readonly PackedLevel[],
  answers: readonly Float64Array[],
  rowCount: number,
): Float64Array<ArrayBuffer> {
  const width = product.length
  const values = new Float64Array(rowCount * width)
  const top = answers[0]!
  const topWidth = levels[0]!.classes
  product.forEach(({ topColumn, level, column }, place) => {
    const branch = answers[level]!
    const branchWidth = levels[level]!.classes
    for (let row = 0; row < rowCount; row++) {
      values[row * width + place] = top[row * topWidth + topColumn]! * branch[row * branchWidth + column]!
    }
  })
  return values
}
