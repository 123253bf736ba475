// Threads that do one kind of task, all prepared alike. Whatever happens to one of them, no caller waits forever.
import { parentPort, type ResourceLimits, type Worker } from 'node:worker_threads'
import { messageOf, ServiceError, systemCode } from '../../errors.ts'
import { startWorker } from '../../worker-file.ts'

interface Waiting<Answer> {
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/** What a thread receives: once its setup, then tasks. */
type ToWorker<Setup, Task> =
  | { readonly kind: 'setup'; readonly setup: Setup }
  | { readonly kind: 'task'; readonly id: number; readonly task: Task }

/** What a thread sends: once that it is ready, then answers. */
type FromWorker<Answer> =
  { readonly kind: 'ready' } | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }

/** Tasks a thread holds: the one it does, and the next, so that it never waits for this thread between two. */
const TASKS_A_THREAD = 2

/**
 * Starts threads. They boot while the caller goes on: `prepare` waits for them.
 *
 * @param file of the worker's code, which calls `serveTasks`
 * @param limits of each thread's own heap
 */
export function startWorkers<Setup, Task, Answer>(file: URL, count: number, limits: ResourceLimits = {}) {
  const queue: { task: Task; transfer: readonly ArrayBuffer[]; waiting: Waiting<Answer> }[] = []
  const threads = Array.from({ length: count }, () =>
    startThread<Answer>(startWorker(file, { resourceLimits: limits }), handOut),
  )
  let nextId = 0
  let ended: { readonly error: Error } | undefined

  function end(error: Error): void {
    if (ended) return
    ended = { error }
    for (const { tasks, announce } of threads) {
      announce.reject(error)
      for (const waiting of tasks.values()) waiting.reject(error)
      tasks.clear()
    }
    for (const { waiting } of queue.splice(0)) waiting.reject(error)
  }

  function send(worker: Worker, message: ToWorker<Setup, Task>, transfer: readonly ArrayBuffer[]): void {
    worker.postMessage(message, transfer)
  }

  // a function declaration, for the threads are made before the next line is reached
  function handOut(): void {
    while (queue.length > 0) {
      const { worker, tasks } = threads.reduce((best, other) => (other.tasks.size < best.tasks.size ? other : best))
      if (tasks.size >= TASKS_A_THREAD) return
      const { task, transfer, waiting } = queue.shift()!
      const id = nextId++
      tasks.set(id, waiting)
      worker.ref()
      try {
        send(worker, { kind: 'task', id, task }, transfer)
      } catch (error) {
        // what cannot be posted is this caller's mistake alone
        tasks.delete(id)
        waiting.reject(error)
      }
    }
  }

  const stop = async () => {
    await Promise.all(threads.map(({ worker }) => worker.terminate()))
  }

  for (const { worker } of threads) {
    const fail = (error: Error) => {
      end(error)
      void stop()
    }
    worker.on('error', (error) => fail(describeFailure(error)))
    worker.on('messageerror', (error) => fail(describeFailure(error)))
    worker.on('exit', (code) => fail(stopped(code)))
  }

  return {
    /** Gives each thread what it needs and waits until all are ready. Once, before the first task. */
    async prepare(setupOf: (index: number) => Setup): Promise<void> {
      if (ended) throw ended.error
      threads.forEach(({ worker }, index) => send(worker, { kind: 'setup', setup: setupOf(index) }, []))
      await Promise.all(threads.map(({ ready }) => ready))
      // an idle thread must not keep the process alive
      for (const { worker, tasks } of threads) if (tasks.size === 0) worker.unref()
    },
    /**
     * Runs a task on the thread that has least to do, and on the first that is free when all have enough. Tasks given to
     * one thread are done in their order.
     *
     * @param transfer is handed over without copying and is then empty here
     * @throws ServiceError when a thread stopped or ran out of memory; Error when its code failed, or after `close`
     */
    run(task: Task, transfer: readonly ArrayBuffer[]): Promise<Answer> {
      return new Promise((resolve, reject) => {
        if (ended) return reject(ended.error)
        queue.push({ task, transfer, waiting: { resolve, reject } })
        handOut()
      })
    },
    /** Stops the threads at once; what is under way fails. Harmless twice. */
    async close(): Promise<void> {
      end(new Error('the classifier was closed'))
      await stop()
    },
  }
}

function startThread<Answer>(worker: Worker, onFree: () => void) {
  const tasks = new Map<number, Waiting<Answer>>()
  let announce!: Waiting<void>
  const ready = new Promise<void>((resolve, reject) => (announce = { resolve, reject }))
  // whoever prepares learns of a failure; nobody else has to
  ready.catch(() => undefined)
  worker.on('message', (message: FromWorker<Answer>) => {
    if (message.kind === 'ready') return announce.resolve()
    const waiting = tasks.get(message.id)
    tasks.delete(message.id)
    onFree()
    if (tasks.size === 0) worker.unref()
    waiting?.resolve(message.answer)
  })
  return { worker, tasks, ready, announce }
}

function describeFailure(error: unknown): Error {
  if (systemCode(error) === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new ServiceError('a classifier thread ran out of memory', {
      hint: 'Use a smaller --batch-size or fewer --threads.',
      cause: error,
    })
  }
  return new Error(`a classifier thread failed: ${messageOf(error)}`, { cause: error })
}

function stopped(code: number): Error {
  return new ServiceError(`a classifier thread stopped unexpectedly (exit code ${code})`, {
    hint: 'Nothing of its batch was written. Run again, with fewer --threads if memory is short.',
  })
}

// The worker's side of a pool.

/** An answer; `transfer` is handed over without copying. */
export interface WorkerAnswer<Answer> {
  readonly answer: Answer
  readonly transfer: readonly ArrayBuffer[]
}

type Work<Task, Answer> = (task: Task) => WorkerAnswer<Answer> | Promise<WorkerAnswer<Answer>>

/**
 * Serves tasks, one after the other in their order. Whatever is thrown is not caught: it ends the thread, and by that the
 * run, with an error.
 */
export function serveTasks<Setup, Task, Answer>(
  prepare: (setup: Setup) => Work<Task, Answer> | Promise<Work<Task, Answer>>,
): void {
  const port = parentPort
  if (port === null) throw new Error('this file is for a worker thread')
  const post = (message: FromWorker<Answer>, transfer: readonly ArrayBuffer[]) => port.postMessage(message, transfer)
  let work: Work<Task, Answer> | undefined
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
