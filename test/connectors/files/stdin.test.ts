import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { formatOfHead } from '../../../src/connectors/files/stdin.ts'
import { fixture, oids } from '../../support/objects.ts'

const program = fileURLToPath(new URL('read-process.ts', import.meta.url))

/** Runs the reader; `input` is written, and stdin is then closed unless it is to stay open. */
function run(args: readonly string[], input: Buffer | string, staysOpen = false): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => undefined)
  child.stdin.write(input)
  if (!staysOpen) child.stdin.end()
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      child.stdin.destroy()
      if (code === 0) resolve(JSON.parse(output) as Record<string, unknown>)
      else reject(new Error(`the reader ended with ${code}`))
    })
  })
}

describe('the format of stdin', () => {
  it.each([
    ['csv', 'objects.csv'],
    ['csv', 'objects.csv.gz'],
    ['csv', 'crlf-and-mark.csv'],
    ['tsv', 'objects.tsv'],
    ['ndjson', 'nested.ndjson'],
    ['ndjson', 'nested.ndjson.gz'],
    ['arrow', 'stream-zstd.arrow'],
    ['arrow', 'file-lz4.arrow'],
    ['parquet', 'pyarrow-snappy.parquet'],
    ['avro', 'record-deflate.avro'],
  ])('is known by its first bytes: %s (%s)', async (format, file) => {
    expect(formatOfHead((await readFile(fixture(file))).subarray(0, 4096))).toBe(format)
  })

  it('is CSV where nothing says otherwise', () => {
    for (const text of ['', 'oid', '\u001f\u008bnot gzip']) {
      expect(formatOfHead(Buffer.from(text, 'latin1'))).toBe('csv')
    }
  })
})

describe('stdin', () => {
  it.each([
    ['csv', 'objects.csv'],
    ['csv', 'objects.csv.gz'],
    ['tsv', 'objects.tsv'],
    ['ndjson', 'nested.ndjson'],
    ['arrow', 'stream-zstd.arrow'],
    ['arrow', 'file-lz4.arrow'],
    ['parquet', 'pyarrow-snappy.parquet'],
    ['avro', 'record-deflate.avro'],
  ])('is read as %s (%s)', async (format, file) => {
    const found = await run([format], await readFile(fixture(file)))
    expect(found).toEqual({ identity: { address: '-' }, replayable: format === 'parquet', oids, wheres: [] })
  })

  it.each(['csv', 'ndjson', 'arrow'])('of nothing is refused or empty, as %s', async (format) => {
    const found = await run([format], '')
    if (format === 'ndjson') expect(found).toMatchObject({ oids: [] })
    else expect(found).toMatchObject({ exitCode: 3, error: expect.stringMatching(/^stdin is empty/) as string })
  })

  it('that cannot be read forward is refused with what to do', async () => {
    expect(await run(['arrow'], await readFile(fixture('polars.arrow')))).toMatchObject({
      error: 'stdin is an Arrow file that can only be read from its end',
      exitCode: 3,
    })
  })

  it('gives the newest rows too, by way of a temporary file', async () => {
    const text = await readFile(fixture('objects.csv'), 'utf8')
    const found = await run(['csv', 'newest'], text + text.slice(text.indexOf('\n') + 1))
    expect(found).toMatchObject({ oids, wheres: [] })
  })

  it('names itself and the line in rejects', async () => {
    const text = await readFile(fixture('flat.ndjson'), 'utf8')
    expect(await run(['ndjson'], `${text}nonsense\n`)).toMatchObject({ oids, wheres: ['stdin line 21'] })
  })

  it.each(['csv', 'ndjson'])('that never ends is left at the limit, as %s', async (format) => {
    const line = await readFile(fixture(format === 'csv' ? 'objects.csv' : 'flat.ndjson'), 'utf8')
    const found = await run([format, 'limit'], line.repeat(format === 'csv' ? 1 : 60), true)
    expect(found).toMatchObject({ oids: oids.slice(0, 5) })
  })

  it('that says nothing more is left at the signal', async () => {
    const found = await run(['csv', 'abort'], await readFile(fixture('objects.csv'), 'utf8'), true)
    expect(found).toMatchObject({ oids })
  })
})
