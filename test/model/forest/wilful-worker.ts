// A worker that does what it is told, to see what its pool makes of it.
import { serveTasks } from '../../../src/model/forest/worker-pool.ts'

export type Order =
  | { readonly order: 'answer'; readonly value: number; readonly afterMs?: number }
  /** answers when the gate, four bytes shared with the test, is no longer 0 */
  | { readonly order: 'wait'; readonly value: number; readonly gate: SharedArrayBuffer }
  | { readonly order: 'throw' | 'reject' | 'exit' | 'hang' | 'fill memory' }

export interface WilfulSetup {
  readonly index: number
  readonly refuse?: boolean
}

serveTasks<WilfulSetup, Order, { value: number; index: number }>(({ index, refuse }) => {
  if (refuse) throw new Error('this thread refuses to begin')
  return async (order) => {
    switch (order.order) {
      case 'answer':
        if (order.afterMs !== undefined) await new Promise((resolve) => setTimeout(resolve, order.afterMs))
        return { answer: { value: order.value, index }, transfer: [] }
      case 'wait':
        Atomics.wait(new Int32Array(order.gate), 0, 0)
        return { answer: { value: order.value, index }, transfer: [] }
      case 'throw':
        throw new Error('a mistake in the code')
      case 'reject':
        return Promise.reject(new Error('a promise nobody kept'))
      case 'exit':
        return process.exit(7)
      case 'hang':
        for (;;);
      case 'fill memory': {
        const kept: unknown[] = []
        for (;;) kept.push(Array.from({ length: 100_000 }, (_, i) => ({ i })))
      }
    }
  }
})
