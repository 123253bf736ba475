// Runs sink-process.ts, or a shell line with it.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { SinkSpec } from '../../../src/connectors/spec.ts'

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The command that writes `batches` × 24 objects to `spec`, quoted for a shell. */
export function writing(spec: SinkSpec, batches: number, ending = 'publish'): string {
  const script = fileURLToPath(new URL('sink-process.ts', import.meta.url))
  return [process.execPath, '--import', 'tsx', script, JSON.stringify(spec), String(batches), ending]
    .map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
    .join(' ')
}

/** Runs a line in bash, which must end within the test's own time. */
export function shell(line: string): Promise<Ending> {
  return new Promise((done, failed) => {
    const child = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', failed)
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
}
