// Files made by somebody who knows the formats and our readers, in a process with little memory. More of them, or others:
// LCCLF_ATTACKS=10000 (how many of each format), LCCLF_ATTACKS_FROM=123 (the first one's number).
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const count = Number(process.env['LCCLF_ATTACKS'] ?? 60)
const from = Number(process.env['LCCLF_ATTACKS_FROM'] ?? 0)
const script = fileURLToPath(new URL('attack-process.ts', import.meta.url))

/** What the process says at its end; where it was killed, which attack did it. */
function attacked(format: string): Promise<{ code: number | null; last: string | undefined; seen: unknown }> {
  const args = [
    '--max-old-space-size=400',
    '--import',
    'tsx',
    script,
    format,
    temporaryFolder(),
    String(from),
    String(count),
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4000)))
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => {
      const last = code === 0 ? undefined : stderr
      done({ code, last, seen: stdout === '' ? undefined : JSON.parse(stdout) })
    })
  })
}

it.each(['csv', 'ndjson', 'gzip', 'arrow', 'parquet', 'tar', 'pickle', 'frames'])(
  '%s made to hurt ends in rows, rejects or one line, in two seconds and 700 MB each',
  { tags: ['long'], timeout: 60_000 + 200 * count },
  async (format) => {
    const { code, last, seen } = await attacked(format)
    if (count > 1000) console.log(seen)
    expect({ code, last }).toEqual({ code: 0, last: undefined })
    expect(seen).toMatchObject({ cases: count })
    const { slowestMs, peakMB } = seen as { slowestMs: number; peakMB: number }
    expect(slowestMs).toBeLessThan(2000)
    expect(peakMB).toBeLessThan(700)
  },
)
