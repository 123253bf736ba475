// A process that ends while onnxruntime is at work: `exit` asks for it, `throw` fails, `signal` waits to be told.
import { availableParallelism } from 'node:os'
import { openOnnxRunner } from '../../../src/model/onnx/runner.ts'

const [ending, file, features] = process.argv.slice(2) as [string, string, string]
const rows = 400_000

async function begin(): Promise<void> {
  const runner = await openOnnxRunner(file, { threads: availableParallelism(), label: file })
  if (ending === 'idle') return
  void runner.run(new Float32Array(rows * Number(features)), rows)
  // the first rows are under way now
  await new Promise((resolve) => setTimeout(resolve, 100))
  process.stdout.write('running\n')
  if (ending === 'throw') throw new Error('on purpose')
  if (ending === 'exit') process.exit(3)
}

process.on('SIGINT', () => process.exit(130))
if (ending === 'loading') setTimeout(() => process.exit(3), 200)
void begin()
