// What a person sees whose stdout and stderr are one terminal: a real pseudo-terminal, made by util-linux's script.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { commandEnvironment, lcclf, samples } from '../support/lcclf.ts'

const bin = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const parquet = join(samples, 'ztf-300.parquet')
const hasScript = spawnSync('script', ['--version']).stdout?.toString().includes('util-linux') === true

/** Everything that the terminal was sent. */
function atTerminal(args: readonly string[]): Promise<string> {
  const command = [process.execPath, bin, ...args].map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: commandEnvironment({ COLUMNS: '80' }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return new Promise((resolve) => child.on('close', () => resolve(text.replaceAll('\r\n', '\n'))))
}

describe.skipIf(!hasScript)('lcclf classify at a terminal', () => {
  // a batch of one row each: the bar would be drawn again and again among the rows
  const args = ['classify', parquet, '--batch-size', '1', '--to']

  it('draws no progress bar among rows, which are what a pipe gets', async () => {
    const shown = await atTerminal([...args, '-'])
    const { stdout } = await lcclf([...args, '-', '-q'])
    expect(shown).not.toMatch(/[█░]|\u001B\[K/)
    expect(shown).toContain(stdout)
  })

  it('draws one where the rows go elsewhere', async () => {
    expect(await atTerminal(['classify', parquet, '--batch-size', '1'])).toMatch(/[█░]/)
  })
})
