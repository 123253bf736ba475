// Features as they pass, a block at a time: what is missing in every object, and where the values of each fourth one lie.
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { blockRows } from './sequential-tests.ts'
import { binCount, binOf } from './value-bins.ts'

/**
 * Where a value may lie: below all that is usual, up to the 5 % quantile, up to the median, above it, above the 95 %
 * quantile, above all. A value is in several.
 */
export const groupCount = 6
/** of the quantiles between the two ends */
export const edgeShares = [0.05, 0.5, 0.95] as const
const edgeCount = edgeShares.length + 2
/** missing values are counted in each second object, other values in each fifth, and sketched in each fiftieth */
const missingStride = 2
const stride = 5
const sketchStride = 10
/** objects of a block of which it is known what they lack */
export const countedRows = blockRows / missingStride
const sampleRows = blockRows / stride
/** of the first objects from all that are looked at: they teach what is usual */
const firstSamples = 400
/** blocks that are remembered: 10,000 objects */
export const keptBlocks = 100

export type InputBlocks = ReturnType<typeof createInputBlocks>

/**
 * @param missing what stands for a missing value, beside NaN
 * @param onBlock is told that a block is full: `missing` objects by feature; `groups` by feature × group, `present` by feature, of
 *   the sampled objects
 */
export function createInputBlocks(
  { width, missing }: { readonly width: number; readonly missing: number },
  onBlock: (block: {
    readonly missing: Uint16Array
    readonly groups: Uint16Array
    readonly present: Uint16Array
  }) => void,
) {
  const absent = new Uint16Array(width)
  const groups = new Uint16Array(width * groupCount)
  const present = new Uint16Array(width)
  const sample = new Float32Array(sampleRows * width)
  const bits = new Uint32Array(sample.buffer)
  /** feature × edge: the largest value below all that is usual, the quantiles, the largest usual value */
  const edges = new Float32Array(width * edgeCount).fill(NaN)
  /** since they were taken last */
  const portion = { objects: 0, missing: new Uint32Array(width) }
  const sketches = { objects: 0, values: new Uint32Array(width * binCount) }
  let samples = 0
  const recent = { missing: new Uint16Array(keptBlocks * width), blocks: 0 }
  let rows = 0

  function countMissing(matrix: FeatureMatrix, from: number, to: number): void {
    for (let row = from + (rows % missingStride); row < to; row += missingStride) {
      for (let f = 0, cell = row * width; f < width; f++, cell++) {
        const value = matrix[cell]!
        if (value === missing || value !== value) absent[f]!++
      }
    }
  }

  function takeSample(matrix: FeatureMatrix, from: number, to: number): void {
    const first = (stride - (rows % stride)) % stride
    for (let row = from + first; row < to; row += stride) {
      const place = (rows + row - from) / stride
      sample.set(matrix.subarray(row * width, (row + 1) * width), place * width)
    }
  }

  /** Without a branch for where a value lies. */
  function countGroups(f: number): void {
    const e = f * edgeCount
    const [e0, e1, e2, e3, e4] = [edges[e]!, edges[e + 1]!, edges[e + 2]!, edges[e + 3]!, edges[e + 4]!]
    let [n0, n1, n2, n3, n4, all] = [0, 0, 0, 0, 0, 0]
    for (let cell = f; cell < sample.length; cell += width) {
      const value = sample[cell]!
      if (value === missing || value !== value) continue
      all++
      n0 += value <= e0 ? 1 : 0
      n1 += value <= e1 ? 1 : 0
      n2 += value <= e2 ? 1 : 0
      n3 += value <= e3 ? 1 : 0
      n4 += value <= e4 ? 1 : 0
    }
    const g = f * groupCount
    groups[g] = n0
    groups[g + 1] = n1
    groups[g + 2] = n2
    groups[g + 3] = all - n2
    groups[g + 4] = all - n3
    groups[g + 5] = all - n4
    present[f] = all
  }

  /** Each tenth of the sampled objects, whatever block it is in. */
  function addToSketches(): void {
    for (let row = 0; row < sampleRows; row++) {
      if (samples++ % sketchStride !== 0 && samples > firstSamples) continue
      for (let f = 0, cell = row * width; f < width; f++, cell++) {
        const value = sample[cell]!
        if (value !== missing && value === value) sketches.values[f * binCount + binOf(bits[cell]!)]!++
      }
    }
    sketches.objects += blockRows
  }

  function close(): void {
    for (let f = 0; f < width; f++) countGroups(f)
    addToSketches()
    for (let f = 0; f < width; f++) portion.missing[f]! += absent[f]!
    portion.objects += countedRows
    recent.missing.set(absent, (recent.blocks++ % keptBlocks) * width)
    onBlock({ missing: absent, groups, present })
    absent.fill(0)
    rows = 0
  }

  return {
    /** rows, row-major; `from` to before `to`; `onRow` is told which row begins a block */
    see(matrix: FeatureMatrix, rowCount: number, onBegin: (row: number) => void): void {
      for (let from = 0; from < rowCount;) {
        if (rows === 0) onBegin(from)
        const to = Math.min(rowCount, from + blockRows - rows)
        countMissing(matrix, from, to)
        takeSample(matrix, from, to)
        rows += to - from
        from = to
        if (rows === blockRows) close()
      }
    },
    /** Where the values of a feature usually lie. */
    setEdges: (f: number, usual: readonly number[]): void => edges.set(usual, f * edgeCount),
    portion,
    sketches,
    clearPortion(): void {
      portion.objects = 0
      portion.missing.fill(0)
    },
    clearSketches(): void {
      sketches.objects = 0
      sketches.values.fill(0)
    },
    /** values of the latest full block that are not missing: each fourth object's */
    latestValues(f: number): Float32Array {
      const values = Float32Array.from({ length: sampleRows }, (_, row) => sample[row * width + f]!)
      return values.filter((value) => value !== missing && value === value)
    },
    /** Objects without the feature, of the latest blocks. @param blocks how many; as many as are remembered */
    missingLately(f: number, blocks = keptBlocks): { readonly hits: number; readonly trials: number } {
      const count = Math.min(blocks, keptBlocks, recent.blocks)
      let hits = 0
      for (let i = 1; i <= count; i++) hits += recent.missing[((recent.blocks - i) % keptBlocks) * width + f]!
      return { hits, trials: count * countedRows }
    },
  }
}
