// SIGINT and SIGTERM: the first lets the run stop between two batches, the second ends it at once.
import { exitCodes, LcclfError, messageOf } from '../errors.ts'

const codeOf: Readonly<Record<string, number>> = {
  SIGINT: exitCodes.SIGINT.exitCode,
  SIGTERM: exitCodes.SIGTERM.exitCode,
}

/** The run was asked to stop; what that left behind is in the message. Exit 130, or 143 for SIGTERM. */
export class InterruptedError extends LcclfError {
  readonly code = 'interrupted'
  readonly exitCode: number

  /** @param reason an error with the name of the process's signal, or whatever a program aborted its own signal with */
  constructor(reason: unknown, consequence: string) {
    const name = messageOf(reason)
    super(`interrupted${name in codeOf ? ` by ${name}` : ''}: ${consequence}`)
    this.exitCode = codeOf[name] ?? exitCodes.SIGINT.exitCode
  }
}

/** Tells a run when to stop. */
export type InterruptWatch = ReturnType<typeof interruptsOf>

/** Watches for the process's signals while a run is under way. */
export function watchInterrupts(): InterruptWatch {
  const controller = new AbortController()
  function receive(name: NodeJS.Signals): void {
    if (controller.signal.aborted) process.exit(codeOf[name])
    // whatever is under way rejects with the reason
    controller.abort(new DOMException(name, 'AbortError'))
  }
  process.on('SIGINT', receive)
  process.on('SIGTERM', receive)
  return {
    ...interruptsOf(controller.signal),
    stop() {
      process.off('SIGINT', receive)
      process.off('SIGTERM', receive)
    },
  }
}

/** A program's own signal; without one nothing interrupts. */
export function interruptsOf(signal: AbortSignal = new AbortController().signal) {
  return {
    signal,
    /** throws InterruptedError once the signal is aborted */
    check(consequence: string): void {
      if (signal.aborted) throw new InterruptedError(signal.reason, consequence)
    },
    /** gives the process's signals back to Node, if they are what is watched */
    stop: (): void => undefined,
  }
}
