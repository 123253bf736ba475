// Answers as they pass, a block at a time: the classes of every level, and how far the first is before the second.
import { type ClassifiedBatch, firstMaximum, type Taxonomy } from '../../pipeline/batch.ts'
import { keptBlocks } from './input-blocks.ts'
import type { WatchShape } from './learned-nights.ts'
import { blockRows } from './sequential-tests.ts'

/** upper ends of the intervals of margins */
export const marginEdges = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1] as const
/** how the level of margins is called among the others */
export const marginLevel = 'margin'

/** What is counted of a model with these features. */
export function shapeOf(features: readonly string[], { levels }: Taxonomy): WatchShape {
  const margins = marginEdges.map((edge, i) => `${marginEdges[i - 1] ?? 0} to ${edge}`)
  return {
    features,
    levels: [
      ...levels.map(({ classifierName, classes }) => ({ name: classifierName, classes })),
      { name: marginLevel, classes: margins },
    ],
  }
}

export type AnswerBlocks = ReturnType<typeof createAnswerBlocks>

/**
 * A branch counts the objects whose top class it is.
 *
 * @param onBlock is told that a block is full: objects by class, level after level, and beside each how many its level counts
 */
export function createAnswerBlocks(
  { levels }: Taxonomy,
  shape: WatchShape,
  onBlock: (hits: Uint16Array, trials: Uint16Array) => void,
) {
  const starts = startsOf(shape)
  const size = starts.at(-1)!
  const hits = new Uint16Array(size)
  const trials = new Uint16Array(size)
  const portion = new Uint32Array(size)
  const recent = { hits: new Uint16Array(keptBlocks * size), trials: new Uint16Array(keptBlocks * size), blocks: 0 }
  const margins = { objects: new Float64Array(marginEdges.length), sum: 0 }
  const top = levels.findIndex(({ branch }, index) => index > 0 && branch === null)
  /** for each class of the top its level, or −1 */
  const branches = (levels[top]?.classes ?? []).map((name) => levels.findIndex(({ branch }) => branch === name))
  const widths = levels.map(({ classes }) => classes.length)
  const marginStart = starts[levels.length]!
  const lastMargin = marginEdges.length - 1
  let rows = 0

  function seeRow(probabilities: readonly Float64Array[], row: number): void {
    seeProduct(probabilities[0]!, row * widths[0]!, widths[0]!)
    if (top < 0) return
    const branch = firstMaximum(probabilities[top]!, row * widths[top]!, widths[top]!)
    hits[starts[top]! + branch]!++
    const level = branches[branch]!
    if (level < 0) return
    hits[starts[level]! + firstMaximum(probabilities[level]!, row * widths[level]!, widths[level]!)]!++
  }

  function seeProduct(values: Float64Array, start: number, width: number): void {
    let [best, first, second] = [0, values[start]!, 0]
    for (let i = 1; i < width; i++) {
      const value = values[start + i]!
      if (value > first) {
        second = first
        first = value
        best = i
      } else if (value > second) second = value
    }
    hits[best]!++
    const margin = first - second
    margins.sum += margin
    let place = 0
    while (place < lastMargin && margin > marginEdges[place]!) place++
    margins.objects[place]!++
    hits[marginStart + place]!++
  }

  function close(): void {
    for (let level = 0; level + 1 < starts.length; level++) {
      const [from, to] = [starts[level]!, starts[level + 1]!]
      let all = 0
      for (let i = from; i < to; i++) all += hits[i]!
      trials.fill(all, from, to)
    }
    for (let i = 0; i < size; i++) portion[i]! += hits[i]!
    const place = (recent.blocks++ % keptBlocks) * size
    recent.hits.set(hits, place)
    recent.trials.set(trials, place)
    onBlock(hits, trials)
    hits.fill(0)
    rows = 0
  }

  return {
    starts,
    see({ rowCount, probabilities }: ClassifiedBatch, onBegin: (row: number) => void): void {
      for (let row = 0; row < rowCount; row++) {
        if (rows === 0) onBegin(row)
        seeRow(probabilities, row)
        if (++rows === blockRows) close()
      }
    },
    /** since it was cleared, by level and class */
    takePortion(): Float64Array[] {
      const counts = shape.levels.map((_, level) =>
        Float64Array.from(portion.subarray(starts[level]!, starts[level + 1]!)),
      )
      portion.fill(0)
      return counts
    },
    /** Objects of a class, of the latest blocks. @param series place of the class, all levels counted through */
    lately(series: number, blocks = keptBlocks): { readonly hits: number; readonly trials: number } {
      const count = Math.min(blocks, keptBlocks, recent.blocks)
      let [hit, trial] = [0, 0]
      for (let i = 1; i <= count; i++) {
        const place = ((recent.blocks - i) % keptBlocks) * size + series
        hit += recent.hits[place]!
        trial += recent.trials[place]!
      }
      return { hits: hit, trials: trial }
    },
    margins,
  }
}

/** Where each level begins if all classes are counted through; then their number. */
function startsOf({ levels }: WatchShape): number[] {
  let start = 0
  return [0, ...levels.map(({ classes }) => (start += classes.length))]
}
