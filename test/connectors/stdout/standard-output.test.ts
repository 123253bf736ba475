import { closeSync, createWriteStream, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { tableFromIPC } from 'apache-arrow'
import { beforeEach, describe, expect, it } from 'vitest'
import type { SinkSpec } from '../../../src/connectors/spec.ts'
import { openStandardOutput } from '../../../src/connectors/stdout/standard-output.ts'
import { golden } from '../../support/classified-samples.ts'
import { shell, writing } from '../files/run-process.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

function spec(format: 'csv' | 'tsv' | 'ndjson' | 'arrow'): SinkSpec {
  return { kind: 'stdout', address: '-', format, layout: format === 'ndjson' ? 'nested' : 'wide' }
}

describe('stdout', () => {
  it('resolves a write only when the reader has taken it', async () => {
    const taken: string[] = []
    const slow = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _, next) {
        setTimeout(() => {
          taken.push(chunk.toString())
          next()
        }, 20)
      },
    })
    const output = openStandardOutput(slow)
    await output.write(Buffer.from('one'))
    expect(taken).toEqual(['one'])
    await output.write(Buffer.from('two'))
    expect(taken).toEqual(['one', 'two'])
  })

  it('is content when the reader has gone: later writes are dropped', async () => {
    const pipe = new PassThrough()
    const output = openStandardOutput(pipe)
    await output.write(Buffer.from('x'))
    pipe.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    await output.write(Buffer.from('y'))
    await output.finish()
    expect(output.isGone).toBe(true)
  })

  it.skipIf(process.platform !== 'linux')('says so when the disk behind it is full', async () => {
    const full = createWriteStream('/dev/full')
    const output = openStandardOutput(full)
    await expect(output.write(Buffer.from('x'))).rejects.toThrow(
      'no space left on the device while writing standard output',
    )
    // not taken for a reader that has gone
    await expect(output.write(Buffer.from('y'))).rejects.toThrow('no space left')
    expect(output.isGone).toBe(false)
  })
})

describe.skipIf(process.platform === 'win32')('a process that writes to stdout', { timeout: 30_000 }, () => {
  let folder: string

  beforeEach(async () => {
    folder = temporaryFolder()
  })

  it('writes everything before it ends', async () => {
    const { code, stdout, stderr } = await shell(`${writing(spec('csv'), 300)} | cat`)
    expect(stderr).toBe('published\n')
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    expect(lines).toHaveLength(1 + 300 * 24 + 1)
    expect(lines.at(-2)!.startsWith(`${golden.oid[23]!},`)).toBe(true)
  })

  it('ends well when the pipe is closed, and stops writing', async () => {
    const { code, stdout, stderr } = await shell(`set -o pipefail; ${writing(spec('ndjson'), 100_000)} | head -n 1`)
    expect(stderr).toBe('gone\n')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ oid: golden.oid[0] })
  })

  it('writes an Arrow stream', async () => {
    const file = join(folder, 'stream')
    await shell(`${writing(spec('arrow'), 3)} | cat > ${file}`)
    const bytes = await readFile(file)
    expect(bytes.subarray(0, 6).toString('latin1')).not.toBe('ARROW1')
    expect(tableFromIPC(bytes).numRows).toBe(72)
  })

  it('does not lose the end when the file behind it may not grow', async () => {
    const { code, stderr } = await shell(`ulimit -f 8; ${writing(spec('csv'), 1)} > ${join(folder, 'x.csv')}`)
    expect(stderr).toBe('service: standard output grows beyond the largest file allowed here\n')
    expect(code).toBe(5)
  })

  it('writes into a file at its place, and appends where the shell appends', async () => {
    const file = join(folder, 'x.ndjson')
    const descriptor = openSync(file, 'a')
    closeSync(descriptor)
    await shell(`echo first > ${file}; ${writing(spec('ndjson'), 1)} >> ${file}; echo last >> ${file}`)
    const lines = (await readFile(file, 'utf8')).split('\n')
    expect([lines[0], lines.length, lines.at(-2)]).toEqual(['first', 1 + 24 + 1 + 1, 'last'])
  })
})
