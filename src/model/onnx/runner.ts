// An ONNX graph on a thread of its own, by onnxruntime.
import { availableParallelism } from 'node:os'
import { ModelError, ServiceError } from '../../errors.ts'
import {
  closeTurns,
  type GraphValue,
  type OnnxAnswer,
  type OnnxRunner,
  type OnnxRunnerOptions,
  type OnnxSetup,
  type OnnxTask,
  openTurns,
} from './onnx-worker.ts'
import { startWorkers, workerBeside } from '../forest/worker-pool.ts'

/**
 * Loads a graph that takes one matrix of float32 and gives matrices of floating-point numbers: what `OpenOnnxRunner`
 * promises. onnxruntime splits the work over its own threads; one thread of ours waits for them.
 *
 * @param graph the path of an ONNX file, or its bytes
 * @throws ModelError for a graph that cannot be loaded or is no classifier's; ServiceError where there is no onnxruntime
 *   for this machine
 */
export async function openOnnxRunner(
  graph: string | Uint8Array,
  { threads, label }: OnnxRunnerOptions,
): Promise<OnnxRunner> {
  const pool = startWorkers<OnnxSetup, OnnxTask, OnnxAnswer>(workerBeside(import.meta.url, 'onnx-worker'), 1)
  const turns = openTurns()
  const end = async () => {
    await pool.close()
    closeTurns(turns)
  }
  const ask = async <Kind extends OnnxAnswer['kind']>(
    task: OnnxTask,
    { wanted, transfer = [] }: { wanted: Kind; transfer?: readonly ArrayBuffer[] },
  ) => {
    const answer = await pool.run({ task, transfer })
    if (answer.kind === 'failed') throw failureOf(answer, label)
    if (answer.kind !== wanted) throw new Error(`the onnx thread answered ${answer.kind}, not ${wanted}`)
    return answer as Extract<OnnxAnswer, { kind: Kind }>
  }
  try {
    const own = typeof graph === 'string' ? graph : graph.slice()
    await pool.prepare(() => ({ graph: own, threads: threads === 0 ? availableParallelism() : threads, turns }))
    const { inputs, outputs, runtimeVersion } = await ask({ kind: 'describe' }, { wanted: 'described' })
    checkValues(inputs, outputs, label)
    let closed: Promise<void> | undefined
    const close = async () => {
      // the thread may have died: then there is nothing to release
      await ask({ kind: 'release' }, { wanted: 'released' }).catch(() => undefined)
      await end()
    }
    return {
      inputs,
      outputs,
      runtimeVersion,
      async run(matrix, rowCount) {
        if (closed) throw new Error('the classifier was closed')
        // onnxruntime has no answer for no rows in every operator
        if (rowCount === 0) return outputs.map(() => new Float64Array(0))
        // a view of something larger is copied, for only a whole buffer can be handed over
        const whole = matrix.byteLength === matrix.buffer.byteLength ? matrix : matrix.slice()
        const task = { kind: 'run', matrix: whole, rowCount } as const
        return (await ask(task, { wanted: 'ran', transfer: [whole.buffer] })).outputs
      },
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

/** A value in a message. */
function describeValue({ name, type, shape }: GraphValue): string {
  const size = shape === null ? '' : ` [${shape.map((length) => (length === '' ? '?' : length)).join(', ')}]`
  return `${name} (${type}${size})`
}
