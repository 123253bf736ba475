// The worker's side of a pool, and the messages between the two sides.
import { parentPort } from 'node:worker_threads'

/** What a thread receives: once its setup, then tasks. */
export type ToWorker<Setup, Task> =
  | { readonly kind: 'setup'; readonly setup: Setup }
  | { readonly kind: 'task'; readonly id: number; readonly task: Task }

/** What a thread sends: once that it is ready, then answers. */
export type FromWorker<Answer> =
  { readonly kind: 'ready' } | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }

/** An answer; `transfer` is handed over without copying. */
export interface WorkerAnswer<Answer> {
  readonly answer: Answer
  readonly transfer: readonly ArrayBuffer[]
}

/**
 * Serves tasks, one after the other in their order. Whatever is thrown is not caught: it ends the thread, and by that the
 * run, with an error.
 */
export function serveTasks<Setup, Task, Answer>(
  prepare: (
    setup: Setup,
  ) =>
    | Promise<(task: Task) => WorkerAnswer<Answer> | Promise<WorkerAnswer<Answer>>>
    | ((task: Task) => WorkerAnswer<Answer> | Promise<WorkerAnswer<Answer>>),
): void {
  const port = parentPort
  if (port === null) throw new Error('this file is for a worker thread')
  const post = (message: FromWorker<Answer>, transfer: readonly ArrayBuffer[]) => port.postMessage(message, transfer)
  let work: ((task: Task) => WorkerAnswer<Answer> | Promise<WorkerAnswer<Answer>>) | undefined
  let before = Promise.resolve()
  const handle = async (message: ToWorker<Setup, Task>) => {
    if (message.kind === 'setup') {
      work = await prepare(message.setup)
      return post({ kind: 'ready' }, [])
    }
    if (!work) throw new Error('a task came before the setup')
    const { answer, transfer } = await work(message.task)
    post({ kind: 'answer', id: message.id, answer }, transfer)
  }
  port.on('message', (message: ToWorker<Setup, Task>) => {
    before = before.then(() => handle(message))
  })
}
