// The story of `lcclf worker`: a model, opened once, and a program that asks for as long as it likes.
import { UsageError } from '../../errors.ts'
import { modelLine } from '../../model/store/model-reference.ts'
import { openStandardOutput } from '../../connectors/stdout/standard-output.ts'
import type { WorkerFlags } from '../../terminal/flags.ts'
import { type InterruptWatch, watchInterrupts } from '../../terminal/interrupt.ts'
import { openChosenModel } from '../classify/open-model.ts'
import { answer, type Answerer } from './answer.ts'
import { answerFrame, type Request, requestsOf } from './frames.ts'

/** An answer so small is written at once: each write wakes the program that reads. */
const smallAnswer = 64 * 1024

/**
 * Answers requests until stdin ends. stderr is for people.
 *
 * @param version of lcclf, for whoever asks
 * @throws UsageError on a terminal, ModelError, DataError for bytes that are no requests, InterruptedError after SIGTERM
 */
export async function worker({ model, engine, threads }: WorkerFlags, version: string): Promise<void> {
  if (process.stdin.isTTY) {
    throw new UsageError('lcclf worker answers programs, and stdin is a terminal', {
      hint: 'To classify a file: lcclf classify FILE. From Python: pip install lcclf.',
    })
  }
  const interrupts = watchInterrupts()
  try {
    const { classifier, chosen } = await openChosenModel(model, { engine, threads })
    process.stderr.write(`${modelLine(classifier.identity, chosen)}\n`)
    try {
      const { directory, isDemonstration } = chosen
      await serve({ classifier, directory, isDemonstration, version }, interrupts)
    } finally {
      await classifier.close()
    }
    interrupts.check('the request in hand was answered')
  } finally {
    interrupts.stop()
  }
}

/** One request after the other; the next is read while one is answered, and no further ones. */
async function serve(answerer: Answerer, { signal }: InterruptWatch): Promise<void> {
  const requests = requestsOf(process.stdin)
  const interrupted = new Promise<undefined>((done) => signal.addEventListener('abort', () => done(undefined)))
  const output = openStandardOutput(process.stdout)
  try {
    let next = ahead(requests)
    while (!signal.aborted && output.isGone !== true) {
      const request = await Promise.race([next, interrupted])
      if (!request || request.done === true) return
      next = ahead(requests)
      const { header, body } = await answer(request.value, answerer)
      const frame = answerFrame(header, body)
      const isSmall = frame.reduce((sum, { length }) => sum + length, 0) <= smallAnswer
      for (const bytes of isSmall ? [Buffer.concat(frame)] : frame) await output.write(bytes)
    }
  } finally {
    process.stdin.destroy()
  }
}

/** What fails fails when its turn comes. */
function ahead(requests: AsyncGenerator<Request, void, undefined>) {
  const next = requests.next()
  next.catch(() => undefined)
  return next
}
