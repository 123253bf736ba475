// SIGINT and SIGTERM: the first lets the run stop between two batches, the second ends it at once.
import { LcclfError } from '../errors.ts'

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const
type Ending = keyof typeof exitCodes

/** The run was asked to stop; what that left behind is in the message. */
export class InterruptedError extends LcclfError {
  readonly code = 'interrupted'
  readonly exitCode: number

  constructor(ending: Ending, consequence: string) {
    super(`interrupted by ${ending}: ${consequence}`)
    this.exitCode = exitCodes[ending]
  }
}

/** Watches for signals while a run is under way. */
export interface InterruptWatch {
  readonly signal: AbortSignal
  /** throws InterruptedError if a signal has come */
  check(consequence: string): void
  stop(): void
}

/** Begins to watch; `stop` gives the signals back to Node. */
export function watchInterrupts(): InterruptWatch {
  const controller = new AbortController()
  let ending: Ending | undefined
  function receive(name: NodeJS.Signals): void {
    const known = name as Ending
    if (ending !== undefined) process.exit(exitCodes[known])
    ending = known
    controller.abort()
  }
  process.on('SIGINT', receive)
  process.on('SIGTERM', receive)
  return {
    signal: controller.signal,
    check(consequence) {
      if (ending !== undefined) throw new InterruptedError(ending, consequence)
    },
    stop() {
      process.off('SIGINT', receive)
      process.off('SIGTERM', receive)
    },
  }
}
