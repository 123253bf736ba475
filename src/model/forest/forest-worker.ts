// A thread that classifies with its own room over the memory that all of them share.
import type { FeatureBatch } from '../../pipeline/batch.ts'
import { createForestEngine, type EngineParts } from './forest-engine.ts'
import type { Forest } from '../bundle/forest.ts'
import { fillLevels, fillRanks, type PackingPlan } from './kernel/pack-forests.ts'
import { serveTasks } from './worker-pool.ts'

/** What a thread needs to begin. */
export interface ForestSetup {
  readonly parts: EngineParts
  readonly room: number
  /** what of the model this thread writes first */
  readonly packing: { plan: PackingPlan; forests: readonly Forest[]; levels: boolean; ranks: boolean } | undefined
}

export type ForestTask = Pick<FeatureBatch, 'matrix' | 'rowCount'>

/** One array a level of the taxonomy. */
export type ForestAnswer = Float64Array<ArrayBuffer>[]

serveTasks<ForestSetup, ForestTask, ForestAnswer>(({ parts, room, packing }) => {
  if (packing?.levels) fillLevels(packing.plan, packing.forests)
  if (packing?.ranks) fillRanks(packing.plan, packing.forests)
  const engine = createForestEngine(parts, room)
  return ({ matrix, rowCount }) => {
    const answer = engine.classify(matrix, rowCount)
    return { answer, transfer: answer.map(({ buffer }) => buffer) }
  }
})
