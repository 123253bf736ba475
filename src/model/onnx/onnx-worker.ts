// The thread that runs an ONNX graph: onnxruntime computes while its caller waits, so it may not be the main thread.
import { readFileSync } from 'node:fs'
import type * as OnnxRuntime from 'onnxruntime-node'
import { messageOf } from '../../errors.ts'
import { serveTasks, type WorkerAnswer } from '../forest/worker-pool.ts'

/** What to run. */
export interface OnnxSetup {
  /** the path of an ONNX file, or its bytes */
  readonly graph: string | Uint8Array
  readonly threads: number
  readonly turns: Turns
}

/** What to do. */
export type OnnxTask = { readonly kind: 'describe' } | OnnxRun | { readonly kind: 'release' }

interface OnnxRun {
  readonly kind: 'run'
  /** rowCount × features, row-major */
  readonly matrix: Float32Array<ArrayBuffer>
  readonly rowCount: number
}

/** What came of it. A failure is an answer: only a bug ends the thread. */
export type OnnxAnswer =
  | { readonly kind: 'failed'; readonly what: 'runtime' | 'graph' | 'rows'; readonly problem: string }
  | {
      readonly kind: 'described'
      readonly inputs: readonly GraphValue[]
      readonly outputs: readonly GraphValue[]
      readonly runtimeVersion: string
    }
  | { readonly kind: 'ran'; readonly outputs: Float64Array<ArrayBuffer>[] }
  | { readonly kind: 'released' }

type Runtime = typeof OnnxRuntime
type Failure = Extract<OnnxAnswer, { kind: 'failed' }>

interface Loaded {
  readonly kind: 'loaded'
  readonly runtime: Runtime
  readonly session: OnnxRuntime.InferenceSession
}

async function load({ graph, threads }: OnnxSetup): Promise<Loaded | Failure> {
  let runtime: Runtime
  try {
    runtime = await import('onnxruntime-node')
  } catch (error) {
    return { kind: 'failed', what: 'runtime', problem: messageOf(error) }
  }
  // it writes on stderr, past everything; its errors are thrown too
  runtime.env.logLevel = 'fatal'
  try {
    // from bytes, so that a graph cannot name other files
    const bytes = typeof graph === 'string' ? readFileSync(graph) : graph
    const session = await runtime.InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 4,
      // its threads would burn a core each while they wait for the next batch
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    })
    return { kind: 'loaded', runtime, session }
  } catch (error) {
    return { kind: 'failed', what: 'graph', problem: messageOf(error) }
  }
}

function describe({ runtime, session }: Loaded): OnnxAnswer {
  const valueOf = (value: OnnxRuntime.InferenceSession.ValueMetadata): GraphValue =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: [...value.shape] }
      : { name: value.name, type: 'no tensor', shape: null }
  return {
    kind: 'described',
    inputs: session.inputMetadata.map(valueOf),
    outputs: session.outputMetadata.map(valueOf),
    runtimeVersion: runtime.env.versions.node ?? 'version not given',
  }
}

/** Rows in one turn: so the end of the process never waits long, and onnxruntime's own memory stays small. */
const turnRows = 1024

async function run({ runtime, session }: Loaded, task: OnnxRun, turns: Turns): Promise<OnnxAnswer> {
  const { matrix, rowCount } = task
  const width = matrix.length / rowCount
  const parts: Float64Array[][] = session.outputNames.map(() => [])
  try {
    for (let from = 0; from < rowCount; from += turnRows) {
      const rows = Math.min(turnRows, rowCount - from)
      const values = matrix.subarray(from * width, (from + rows) * width)
      await takeTurn(turns, async () => {
        const input = new runtime.Tensor('float32', values, [rows, width])
        const results = await session.run({ [session.inputNames[0]!]: input })
        session.outputNames.forEach((name, index) => parts[index]!.push(numbersOf(name, results[name]!.data)))
      })
    }
    return { kind: 'ran', outputs: parts.map(joinArrays) }
  } catch (error) {
    return { kind: 'failed', what: 'rows', problem: messageOf(error) }
  }
}

function numbersOf(name: string, data: unknown): Float64Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return Float64Array.from(data)
  throw new TypeError(`output ${name} holds no floating-point numbers`)
}

function joinArrays(parts: readonly Float64Array[]): Float64Array<ArrayBuffer> {
  const joined = new Float64Array(parts.reduce((length, part) => length + part.length, 0))
  let next = 0
  for (const part of parts) {
    joined.set(part, next)
    next += part.length
  }
  return joined
}

serveTasks<OnnxSetup, OnnxTask, OnnxAnswer>(async (setup) => {
  const { turns } = setup
  const loaded = await takeTurn(turns, () => load(setup))
  const work = async (task: OnnxTask): Promise<OnnxAnswer> => {
    if (loaded.kind === 'failed') return loaded
    switch (task.kind) {
      case 'describe':
        return describe(loaded)
      case 'run':
        return run(loaded, task, turns)
      case 'release':
        await takeTurn(turns, () => loaded.session.release())
        return { kind: 'released' }
    }
  }
  return async (task): Promise<WorkerAnswer<OnnxAnswer>> => {
    const answer = await work(task)
    return { answer, transfer: answer.kind === 'ran' ? answer.outputs.map(({ buffer }) => buffer) : [] }
  }
})

// What the classifier's onnxruntime does for this folder, which may not import it.

/** A value that goes into a graph or comes out of it. */
export interface GraphValue {
  readonly name: string
  /** `float32`, `float64`, … or what it is instead of a tensor */
  readonly type: string
  /** a number, or a name (perhaps empty) where any number may stand; null where nothing is known */
  readonly shape: readonly (number | string)[] | null
}

/** A graph that is loaded and can answer. */
export interface OnnxRunner {
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
  /** of onnxruntime */
  readonly runtimeVersion: string
  /**
   * Runs on the rows, outside the calling thread; takes over `matrix`.
   *
   * @param matrix rowCount × features, row-major, preprocessed
   * @returns every output in its order, row-major
   * @throws ModelError where the graph fails on the rows
   */
  run(matrix: Float32Array<ArrayBuffer>, rowCount: number): Promise<Float64Array<ArrayBuffer>[]>
  /** Frees the graph, after what is under way. Harmless twice. */
  close(): Promise<void>
}

/** How to load a graph. */
export interface OnnxRunnerOptions {
  /** for its operators; 0 for one for each core */
  readonly threads: number
  /** what messages call it */
  readonly label: string
}

/**
 * Loads a graph.
 *
 * @param graph the path of an ONNX file, or its bytes
 * @throws ModelError for a graph that onnxruntime cannot load, or whose inputs and outputs are not a classifier's
 */
export type OpenOnnxRunner = (graph: string | Uint8Array, options: OnnxRunnerOptions) => Promise<OnnxRunner>

// Lets a process end while a thread is inside onnxruntime: its native code aborts the process (exit code 134, a core
// dump) if its thread is stopped meanwhile, and Node stops all threads at the end of the process.

const idle = 0
const busy = 1
const stopped = 2

/** One word in shared memory: what the thread is doing. */
export type Turns = Int32Array<SharedArrayBuffer>

/** how long the end of the process waits for one turn, in ms: loading a graph of gigabytes, on a machine that swaps */
const patience = 60_000

const open = new Set<Turns>()
let isListening = false

/** The asking side: from now on the end of the process waits for the turn that is under way, and no other begins. */
export function openTurns(): Turns {
  const turns = new Int32Array(new SharedArrayBuffer(4))
  if (!isListening) process.on('exit', () => open.forEach(stopTurns))
  isListening = true
  open.add(turns)
  return turns
}

/** The thread has ended, or has nothing more to do. */
export function closeTurns(turns: Turns): void {
  open.delete(turns)
}

/** Waits, blocking, until the thread is outside onnxruntime, and keeps it there. */
export function stopTurns(turns: Turns): void {
  const deadline = Date.now() + patience
  while (Atomics.compareExchange(turns, 0, idle, stopped) === busy) {
    if (Atomics.wait(turns, 0, busy, deadline - Date.now()) === 'timed-out') return
  }
}

/** The thread's side: does something inside onnxruntime, unless the process is ending. */
export async function takeTurn<T>(turns: Turns, work: () => Promise<T>): Promise<T> {
  if (Atomics.compareExchange(turns, 0, idle, busy) !== idle) throw new Error('the process is ending')
  try {
    return await work()
  } finally {
    Atomics.store(turns, 0, idle)
    Atomics.notify(turns, 0)
  }
}
