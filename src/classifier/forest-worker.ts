// A thread that classifies with its own room over the memory that all of them share.
import { createForestEngine } from './forest-engine.ts'
import type { EngineParts } from './forest-engine.ts'
import { serveTasks } from './worker-tasks.ts'

/** What a thread needs to begin. */
export interface ForestSetup {
  readonly parts: EngineParts
  readonly room: number
}

/** Rows to classify. */
export interface ForestTask {
  readonly matrix: Float32Array<ArrayBuffer>
  readonly rowCount: number
}

/** One array a level of the taxonomy. */
export type ForestAnswer = Float64Array<ArrayBuffer>[]

serveTasks<ForestSetup, ForestTask, ForestAnswer>(({ parts, room }) => {
  const engine = createForestEngine(parts, room)
  return ({ matrix, rowCount }) => {
    const answer = engine.classify(matrix, rowCount)
    return { answer, transfer: answer.map(({ buffer }) => buffer) }
  }
})
