// A thread that classifies with its own room over the memory that all of them share.
import { createForestEngine, type EngineParts } from './forest-engine.ts'
import { collectGarbage } from '../../garbage.ts'
import type { Answers } from '../bundle/answers.ts'
import type { Rows } from './batch-groups.ts'
import type { KernelTrees } from './kernel/kernel-trees.ts'
import { fillLevels, type PackingPlan } from './kernel/pack-forests.ts'
import { fillRanks } from './kernel/rank-nodes.ts'
import { serveTasks } from './worker-pool.ts'

/** What a thread needs to begin. */
export interface ForestSetup {
  readonly parts: EngineParts
  readonly room: number
  /** what of the model this thread writes first */
  readonly packing: { plan: PackingPlan; trees: readonly KernelTrees[]; levels: boolean; ranks: boolean } | undefined
}

/** Batches that are classified together. */
export type ForestTask = readonly Rows[]

/** One a batch. */
export type ForestAnswer = readonly Answers[]

serveTasks<ForestSetup, ForestTask, ForestAnswer>(({ parts, room, packing }) => {
  if (packing?.levels) fillLevels(packing.plan, packing.trees)
  if (packing?.ranks) fillRanks(packing.plan, packing.trees)
  const engine = createForestEngine(parts, room)
  // the forests are in the kernel's memory now: without this, a thread that makes little garbage keeps them to the end. A
  // short run does without
  if (packing) setTimeout(() => collectGarbage('all'), 1000).unref()
  return (batches) => {
    const answer = engine.classifyTogether(batches)
    const arrays = answer.flatMap(({ probabilities, margins, novelty }) => [
      ...probabilities,
      ...[margins, novelty].flatMap((values) => values ?? []),
    ])
    return { answer, transfer: arrays.map(({ buffer }) => buffer) }
  }
})
