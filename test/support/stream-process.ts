// `lcclf stream` in a process of its own, and what it says.
import type { ChildProcess } from 'node:child_process'
import { startLcclf } from './lcclf.ts'

/** A stream that runs. */
export interface StreamProcess {
  readonly child: ChildProcess
  /** its log, line by line as JSON; what is no JSON is a message */
  readonly log: readonly Readonly<Record<string, unknown>>[]
  readonly stdout: () => string
  /** waits for a line whose message matches */
  said(pattern: RegExp, timeoutMs?: number): Promise<void>
  readonly ended: Promise<number | null>
}

/** Starts `lcclf stream …`; of another build if `bin` is given. */
export function startStream(args: readonly string[], env: Record<string, string> = {}, bin?: string): StreamProcess {
  const child = startLcclf(['stream', ...args], { env, bin })
  const log: Record<string, unknown>[] = []
  let stdout = ''
  let rest = ''
  child.stdout!.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr!.on('data', (data: Buffer) => {
    const lines = (rest + data.toString()).split('\n')
    rest = lines.pop()!
    for (const line of lines) log.push(readLine(line))
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  let hasEnded = false
  void ended.then(() => (hasEnded = true))
  return {
    child,
    log,
    stdout: () => stdout,
    ended,
    async said(pattern, timeoutMs = 90_000) {
      const deadline = Date.now() + timeoutMs
      while (!log.some(({ message }) => pattern.test(String(message)))) {
        if (hasEnded || Date.now() > deadline) throw new Error(`never said ${pattern}: ${JSON.stringify(log)}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
  }
}

function readLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return { message: line }
  }
}
