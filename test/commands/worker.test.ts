// lcclf worker, asked as a program asks.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow'
import { beforeAll, describe, expect, it } from 'vitest'
import { createByteReader } from '../../src/formats/chunks.ts'
import { lcclf, samples, startLcclf } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Answer {
  readonly header: Record<string, unknown>
  readonly body: Buffer
}

function frame(header: object, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(JSON.stringify({ ...header, bytes: body.length }))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([length, text, body])
}

/** The sample objects as an IPC stream. */
function sampleRows(): Buffer {
  const text = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz'))).toString()
  const [names, ...lines] = text
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd().split(','))
  const columns = names!.map((name, i) => {
    const values = lines.map((line) => line[i]!)
    if (name === 'oid') return [name, values]
    if (name === 'candid') return [name, BigInt64Array.from(values, BigInt)]
    return [name, Float64Array.from(values, (value) => (value === '' ? NaN : Number(value)))]
  })
  return Buffer.from(tableToIPC(tableFromArrays(Object.fromEntries(columns) as Record<string, string[]>), 'stream'))
}

/** A worker with the sample model, and its answers in their order. */
function startWorker(args: readonly string[] = []) {
  const child = startLcclf(['worker', ...args])
  const answers = createByteReader(child.stdout as AsyncIterable<Buffer>)
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin!.on('error', () => undefined)
  const ended = new Promise<number | null>((done) => child.on('close', (code) => done(code)))
  async function next(): Promise<Answer> {
    const length = await answers.read(4)
    const header = JSON.parse((await answers.read(length.readUInt32LE(0))).toString()) as Record<string, unknown>
    return { header, body: await answers.read(header['bytes'] as number) }
  }
  return {
    child,
    next,
    async ask(header: object, body?: Uint8Array): Promise<Answer> {
      child.stdin!.write(frame(header, body))
      return next()
    },
    async end(): Promise<{ code: number | null; stderr: string }> {
      child.stdin!.end()
      child.stdout!.resume()
      return { code: await ended, stderr }
    },
  }
}

describe('lcclf worker', () => {
  let rows: Buffer
  let expected: Buffer

  beforeAll(async () => {
    const folder = temporaryFolder()
    const [input, output] = [join(folder, 'rows.arrow'), join(folder, 'classes.arrow')]
    rows = sampleRows()
    writeFileSync(input, rows)
    await lcclf(['classify', input, '--to', output])
    expected = readFileSync(output)
  })

  it('answers as classify does, again and again, and ends with stdin', async () => {
    const worker = startWorker()
    const hello = await worker.ask({ id: 'a', op: 'hello' })
    expect(hello.header).toMatchObject({
      ...{ id: 'a', ok: true, protocol: 1, bytes: 0 },
      model: { name: 'sample_forest', isDemonstration: true },
    })
    expect((hello.header['model'] as { features: string[] }).features).toHaveLength(152)
    for (const id of [1, 2]) {
      const { header, body } = await worker.ask({ id, op: 'classify' }, rows)
      const counts = { read: 300, classified: 300, rejected: 0, duplicates: 0, reasons: {} }
      expect(header).toMatchObject({ id, ok: true, counts, rejects: [], rejectedRows: [] })
      expect(tableFromIPC(body).toArray().map(String)).toEqual(tableFromIPC(expected).toArray().map(String))
    }
    const long = await worker.ask({ id: 3, op: 'classify', options: { layout: 'long', limit: 2 } }, rows)
    expect(tableFromIPC(long.body).numRows).toBe(66)
    expect(await worker.end()).toMatchObject({ code: 0, stderr: expect.stringContaining('sample_forest') as string })
  })

  it('is not disturbed by a request that cannot be answered', async () => {
    const worker = startWorker(['--threads', '1'])
    const wrong: [object, Uint8Array | undefined, string, string][] = [
      [{ op: 'dance' }, undefined, 'usage', 'a worker cannot "dance"'],
      [{ op: 'classify', options: { colour: 1 } }, rows, 'usage', 'a worker has no option colour'],
      [{ op: 'classify', options: { layout: 'broad' } }, rows, 'usage', 'layout broad: expected wide, long, nested'],
      [{ op: 'classify', options: { limit: -1 } }, rows, 'usage', 'invalid limit'],
      [{ op: 'classify', options: { margins: true } }, rows, 'usage', '--margins: sample_forest_1.5.2 has none'],
      [{ op: 'classify' }, Buffer.from('no Arrow'), 'data', 'the table is not Arrow data'],
      [{ op: 'classify' }, rows.subarray(0, rows.length / 2), 'data', 'the table is cut off'],
      [{ op: 'classify', options: { idColumn: 'id' } }, rows, 'data', 'the table lacks a column the model needs: id'],
    ]
    for (const [header, body, code, message] of wrong) {
      const answer = await worker.ask({ id: 1, ...header }, body)
      expect(answer.header).toMatchObject({ id: 1, ok: false, bytes: 0, error: { code } })
      expect((answer.header['error'] as { message: string }).message).toContain(message)
    }
    expect((await worker.ask({ id: 2, op: 'classify' }, rows)).header).toMatchObject({ ok: true })
    expect((await worker.end()).code).toBe(0)
  })

  it('ends with a sentence at bytes that are no request', async () => {
    const worker = startWorker()
    expect((await worker.ask({ id: 1, op: 'hello' })).header).toMatchObject({ ok: true })
    worker.child.stdin!.write('GET / HTTP/1.1\r\n\r\n')
    const { code, stderr } = await worker.end()
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /^lcclf: stdin: a header of \d+ bytes, of which 1048576 are allowed\n {2}Only programs speak/m,
    )
  })

  it('answers the request in hand when it is asked to end', async () => {
    const worker = startWorker()
    const big = Buffer.alloc(8 * 1024 * 1024)
    await worker.ask({ id: 0, op: 'hello' })
    // the second is taken only once the first is in hand
    worker.child.stdin!.write(frame({ id: 1, op: 'classify' }, rows))
    await new Promise((taken) => worker.child.stdin!.write(frame({ id: 2, op: 'classify' }, big), taken))
    worker.child.kill('SIGTERM')
    expect((await worker.next()).header).toMatchObject({ id: 1, ok: true, counts: { classified: 300 } })
    const { code, stderr } = await worker.end()
    expect(code).toBe(143)
    expect(stderr).toContain('lcclf: interrupted by SIGTERM: the request in hand was answered')
  })

  it('says why no model can be opened', async () => {
    const outcome = await lcclf(['worker', '--model', 'nothing'])
    expect(outcome).toMatchObject({ code: 4, stdout: '' })
    expect(outcome.stderr).toContain('lcclf: model nothing: not found')
  })
})
