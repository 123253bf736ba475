// The thread that runs an ONNX graph: onnxruntime computes while its caller waits, so it may not be the main thread.
import { readFileSync } from 'node:fs'
import type * as OnnxRuntime from 'onnxruntime-node'
import { messageOf, systemCode } from '../../errors.ts'
import { serveTasks, type WorkerAnswer } from '../forest/worker-pool.ts'
import { type GraphValue, type OnnxAnswer, type OnnxSetup, type OnnxTask, takeTurn, type Turns } from './runner.ts'

type Loaded = Extract<Awaited<ReturnType<typeof load>>, { kind: 'loaded' }>

async function load({ graph, threads }: OnnxSetup) {
  const failed = (what: 'absent' | 'runtime' | 'graph', error: unknown) =>
    ({ kind: 'failed', what, problem: messageOf(error) }) as const
  let runtime: typeof OnnxRuntime
  try {
    runtime = await import('onnxruntime-node')
  } catch (error) {
    return failed(systemCode(error) === 'ERR_MODULE_NOT_FOUND' ? 'absent' : 'runtime', error)
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
    return { kind: 'loaded', runtime, session } as const
  } catch (error) {
    return failed('graph', error)
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

async function run(
  { runtime, session }: Loaded,
  rows: Extract<OnnxTask, { kind: 'run' }>,
  turns: Turns,
): Promise<OnnxAnswer> {
  const { matrix, rowCount } = rows
  const width = matrix.length / rowCount
  const parts: Float64Array[][] = session.outputNames.map(() => [])
  try {
    for (let from = 0; from < rowCount; from += turnRows) {
      const count = Math.min(turnRows, rowCount - from)
      const values = matrix.subarray(from * width, (from + count) * width)
      await takeTurn(turns, async () => {
        const input = new runtime.Tensor('float32', values, [count, width])
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
