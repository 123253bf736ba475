// An ONNX graph on a thread of its own, by onnxruntime.
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { availableParallelism } from 'node:os'
import { ModelError, ServiceError } from '../../errors.ts'
import type { FeatureBatch } from '../../pipeline/batch.ts'
import { workerBeside } from '../../worker-file.ts'
import { startWorkers } from '../forest/worker-pool.ts'

/** A value that goes into a graph or comes out of it. */
export interface GraphValue {
  readonly name: string
  /** `float32`, `float64`, or what it is instead */
  readonly type: string
  /** a number, or a name (perhaps empty) where any number may stand; null where nothing is known */
  readonly shape: readonly (number | string)[] | null
}

/** What the thread runs. */
export interface OnnxSetup {
  /** the path of an ONNX file, or its bytes */
  readonly graph: string | Uint8Array
  readonly threads: number
  readonly turns: Turns
}

/** What the thread does. */
export type OnnxTask =
  { readonly kind: 'describe' | 'release' } | ({ readonly kind: 'run' } & Pick<FeatureBatch, 'matrix' | 'rowCount'>)

/** The result. A failure is an answer: only a bug ends the thread. */
export type OnnxAnswer =
  | { readonly kind: 'failed'; readonly what: 'absent' | 'runtime' | 'graph' | 'rows'; readonly problem: string }
  | {
      readonly kind: 'described'
      readonly inputs: readonly GraphValue[]
      readonly outputs: readonly GraphValue[]
      readonly runtimeVersion: string
    }
  | { readonly kind: 'ran'; readonly outputs: Float64Array<ArrayBuffer>[] }
  | { readonly kind: 'released' }

export type OnnxRunner = Awaited<ReturnType<typeof openOnnxRunner>>

/**
 * Loads a graph that takes one matrix of float32 and gives matrices of floating-point numbers. onnxruntime splits the work
 * over its own threads; one thread of ours waits for them.
 *
 * @param graph the path of an ONNX file, or its bytes
 * @param options `threads` for its operators, 0 for one for each core; `label`: what messages call it
 * @throws ModelError for a graph that cannot be loaded or is not a classifier's; ServiceError where there is no onnxruntime
 *   for this machine
 */
export async function openOnnxRunner(
  graph: string | Uint8Array,
  { threads, label }: { threads: number; label: string },
) {
  const pool = startWorkers<OnnxSetup, OnnxTask, OnnxAnswer>(workerBeside(import.meta.url, 'onnx-worker'), 1)
  const turns = openTurns()
  const end = async () => {
    await pool.close()
    openedTurns.delete(turns)
  }
  const ask = async <Kind extends OnnxAnswer['kind']>(
    task: OnnxTask,
    wanted: Kind,
    transfer: readonly ArrayBuffer[] = [],
  ) => {
    const answer = await pool.run(task, transfer)
    if (answer.kind === 'failed') throw failureOf(answer, label)
    if (answer.kind !== wanted) throw new Error(`the onnx thread answered ${answer.kind}, not ${wanted}`)
    return answer as Extract<OnnxAnswer, { kind: Kind }>
  }
  try {
    const own = typeof graph === 'string' ? graph : graph.slice()
    await pool.prepare(() => ({ graph: own, threads: threads === 0 ? availableParallelism() : threads, turns }))
    const { inputs, outputs, runtimeVersion } = await ask({ kind: 'describe' }, 'described')
    checkValues(inputs, outputs, label)
    let closed: Promise<void> | undefined
    const close = async () => {
      // the thread may have died: then there is nothing to release
      await ask({ kind: 'release' }, 'released').catch(() => undefined)
      await end()
    }
    return {
      inputs,
      outputs,
      /** of onnxruntime */
      runtimeVersion,
      /**
       * Runs on the rows, outside the calling thread; takes over `matrix`.
       *
       * @param matrix rowCount × features, row-major, preprocessed
       * @returns every output in its order, row-major
       * @throws ModelError where the graph fails on the rows
       */
      async run(matrix: FeatureMatrix, rowCount: number): Promise<Float64Array<ArrayBuffer>[]> {
        if (closed) throw new Error('the classifier was closed')
        // onnxruntime has no answer for no rows in every operator
        if (rowCount === 0) return outputs.map(() => new Float64Array(0))
        // a view of something larger is copied, for only a whole buffer can be handed over
        const isFloats = matrix instanceof Float32Array && matrix.buffer instanceof ArrayBuffer
        const whole = isFloats && matrix.byteLength === matrix.buffer.byteLength ? matrix : Float32Array.from(matrix)
        return (await ask({ kind: 'run', matrix: whole, rowCount }, 'ran', [whole.buffer as ArrayBuffer])).outputs
      },
      /** Frees the graph, after what is under way. Harmless twice. */
      close: () => (closed ??= close()),
    }
  } catch (error) {
    await end()
    throw error
  }
}

function failureOf({ what, problem: said }: Extract<OnnxAnswer, { kind: 'failed' }>, where: string): Error {
  // onnxruntime names its own source files and templates at length
  const line = said.replaceAll(/\s+/g, ' ').trim()
  const problem = line.length > 400 ? `${line.slice(0, 200)} … ${line.slice(-200)}` : line
  switch (what) {
    case 'absent':
      return new ServiceError('ONNX needs onnxruntime-node, which is not installed', {
        hint: 'npm install -g --ignore-scripts onnxruntime-node@1 brings it (without -g where lcclf is a project’s own; 290 MB).',
      })
    case 'runtime':
      return new ServiceError(`onnxruntime cannot be loaded on this machine: ${problem}`, {
        hint: 'It exists for Linux (glibc), Windows and macOS. A model of forests runs everywhere with --engine forest.',
      })
    case 'graph':
      return new ModelError(`${where}: onnxruntime cannot load the graph: ${problem}`, {
        hint: 'Is it a whole ONNX file, and not made for a newer onnxruntime?',
      })
    case 'rows':
      return new ModelError(`${where}: the graph fails: ${problem}`)
  }
}

function checkValues(inputs: readonly GraphValue[], outputs: readonly GraphValue[], where: string): void {
  const [input] = inputs
  if (!input || inputs.length !== 1 || input.type !== 'float32' || input.shape?.length !== 2) {
    const there = inputs.slice(0, 3).map(describeValue)
    if (inputs.length > 3) there.push(`… (${inputs.length})`)
    throw new ModelError(`${where}: takes ${there.join(', ')}, not one matrix of float32`, {
      hint: 'Convert the model with one input of shape [None, features] (skl2onnx: FloatTensorType([None, features])).',
    })
  }
  if (typeof input.shape[0] === 'number') {
    throw new ModelError(`${where}: takes exactly ${input.shape[0]} rows at a time`, {
      hint: 'Export the model with a first dimension that may be any number.',
    })
  }
  for (const output of outputs) {
    if (output.type === 'float32' || output.type === 'float64') continue
    throw new ModelError(`${where}: gives ${describeValue(output)}, which holds no probabilities`)
  }
}

function describeValue({ name, type, shape }: GraphValue): string {
  const size = shape === null ? '' : ` [${shape.map((length) => (length === '' ? '?' : length)).join(', ')}]`
  return `${name} (${type}${size})`
}

// Lets a process end while a thread is inside onnxruntime: its native code aborts the process (exit code 134, a core
// dump) if its thread is stopped meanwhile, and Node stops all threads at the end of the process.

/** One word in shared memory: what the thread is doing. */
export type Turns = Int32Array<SharedArrayBuffer>

const idle = 0
const busy = 1
const stopped = 2

/** how long the end of the process waits for one turn, in ms: loading a graph of gigabytes, on a machine that swaps */
const patience = 60_000

const openedTurns = new Set<Turns>()
let isListening = false

/** The asking side: from now on the end of the process waits for the turn that is under way, and no other begins. */
function openTurns(): Turns {
  const turns = new Int32Array(new SharedArrayBuffer(4))
  if (!isListening) process.on('exit', () => openedTurns.forEach(stopTurns))
  isListening = true
  openedTurns.add(turns)
  return turns
}

/** Waits, blocking, until the thread is outside onnxruntime, and keeps it there. */
function stopTurns(turns: Turns): void {
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
