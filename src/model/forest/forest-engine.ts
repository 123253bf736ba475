// Exact forests on one thread: rows in, probabilities out, without waiting. The compiled kernel does the work.
import { readFile } from 'node:fs/promises'
import type { Features } from '../../pipeline/preprocess.ts'
import { multiplyLevels, type productColumns } from '../bundle/forest.ts'
import type { PackedModel } from './kernel/pack-forests.ts'

/** What an engine is made of; can be posted to a worker. */
export interface EngineParts {
  readonly module: WebAssembly.Module
  readonly model: PackedModel
  /** null for a model of one level */
  readonly product: ReturnType<typeof productColumns>
}

/** Compiles the kernel (the build puts it there) once for all threads: the module can be posted to workers. */
export async function compileKernel(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./kernel/forest-kernel.wasm', import.meta.url)))
}

/** What the kernel exports. All arguments are addresses but the last one, the number of rows. */
interface Kernel {
  rankRows(shared: number, scratch: number, rows: number): void
  sumTrees(shared: number, level: number, scratch: number, rows: number): void
}

/** @param room which of the model's rooms this engine may use: no other engine may use the same */
export function createForestEngine({ module, model, product }: EngineParts, room: number) {
  const { memory, features, blockRows, shared, levels } = model
  const scratch = model.scratches[room]!
  // WebAssembly's own types know nothing of a module's exports
  const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernel
  const widths = levels.map(({ classes }) => classes)
  const floats = new Float32Array(memory.buffer, scratch.matrix, blockRows * features)

  function classifyBlock(matrix: Features, from: number, rows: number, into: readonly Float64Array[]): void {
    floats.set(matrix.subarray(from * features, (from + rows) * features))
    kernel.rankRows(shared, scratch.address, rows)
    levels.forEach((level, index) => {
      kernel.sumTrees(shared, level.address, scratch.address, rows)
      const sums = new Float64Array(memory.buffer, scratch.sums, rows * level.pairs * 2)
      divideSums(sums, level, into[index]!.subarray(from * level.classes, (from + rows) * level.classes))
    })
  }

  return {
    /**
     * @param matrix rowCount × features, row-major, preprocessed float32
     * @returns one array a level of the taxonomy, rowCount × classes, row-major: the product first, then each forest; a
     * model of one level has one. Every value is what scikit-learn computes, in every bit, whatever rows stand beside it.
     */
    classify(matrix: Features, rowCount: number): Float64Array<ArrayBuffer>[] {
      const answers = levels.map(({ classes }) => new Float64Array(rowCount * classes))
      for (let from = 0; from < rowCount; from += blockRows) {
        classifyBlock(matrix, from, Math.min(blockRows, rowCount - from), answers)
      }
      return product === null ? answers : [multiplyLevels(product, widths, answers, rowCount), ...answers]
    },
  }
}

/** Sums become means: a division as in scikit-learn, for a reciprocal would round twice. */
function divideSums(
  sums: Float64Array,
  { trees, classes, pairs }: PackedModel['levels'][number],
  into: Float64Array,
): void {
  for (let start = 0, target = 0; target < into.length; start += pairs * 2) {
    for (let i = 0; i < classes; i++) into[target++] = sums[start + i]! / trees
  }
}
