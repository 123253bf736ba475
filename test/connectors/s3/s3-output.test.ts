import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError, UsageError } from '../../../src/errors.ts'
import { openSink } from '../../../src/connectors/open-connector.ts'
import { openS3Output } from '../../../src/connectors/s3/s3-output.ts'
import type { Layout, OutputFormat } from '../../../src/connectors/address.ts'
import type { S3SinkSpec } from '../../../src/connectors/s3/address.ts'
import { testSink } from '../../contract/sink-contract.ts'
import { openTestBucket, type TestBucket } from '../../support/s3-objects.ts'
import { type S3Server, startS3Server, whyNoS3Server } from '../../support/s3-server.ts'
import { type Proxy, startProxy, type Verdict } from '../../support/tcp-proxy.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { readRows } from '../files/read-back.ts'

const why = await whyNoS3Server()
let server: S3Server
let here: TestBucket
const proxies: Proxy[] = []

function specOf(key: string, changes: Partial<S3SinkSpec> = {}): S3SinkSpec {
  const place = here.place(key)
  const form = { format: 'csv', isGzipped: false, layout: 'wide', overwrite: false } as const
  return { kind: 's3', address: `s3://survey/${key}`, place, ...form, ...changes }
}

/** a way to the server where some requests meet with an accident */
async function specThrough(key: string, judge: (text: string) => Verdict): Promise<S3SinkSpec> {
  const proxy = await startProxy({ host: '127.0.0.1', port: server.port }, (chunk) => judge(chunk.toString('latin1')))
  proxies.push(proxy)
  return specOf(key, { place: here.place(key, `http://127.0.0.1:${proxy.port}`) })
}

const mebibytes = (count: number): Buffer => randomBytes(count << 20)

describe.skipIf(why)('an object as an output', () => {
  beforeAll(async () => {
    server = await startS3Server(['survey'])
    here = await openTestBucket(server)
  })

  afterAll(async () => {
    for (const proxy of proxies) await proxy.close()
    here.close()
    server.close()
  })

  const forms: readonly [OutputFormat, string, Layout][] = [
    ['parquet', 'out.parquet', 'wide'],
    ['csv', 'out.csv.gz', 'long'],
    ['ndjson', 'out.ndjson', 'nested'],
    ['arrow', 'out.arrow', 'wide'],
  ]
  for (const [format, name, layout] of forms) {
    testSink(`${name}, ${layout}`, async () => {
      const key = `${randomBytes(6).toString('hex')}/${name}`
      return {
        layout,
        open: (context) => openSink(specOf(key, { format, isGzipped: name.endsWith('.gz'), layout }), context),
        isPublished: async () => (await here.bucket.stat(key)) !== undefined,
        leftovers: async () => (await here.openUploads()).filter((upload) => upload === key),
        async readBack(schema) {
          const folder = temporaryFolder()
          await writeFile(join(folder, name), await here.bytes(key))
          return readRows(join(folder, name), format, schema)
        },
        remove: () => here.bucket.remove(key),
      }
    })
  }

  it('is sent in parts of one size, whatever is written, and is the same in every byte', async () => {
    const pieces = [mebibytes(1), mebibytes(33), Buffer.alloc(0), mebibytes(3)]
    const output = await openS3Output(specOf('large.csv'))
    for (const piece of pieces) {
      const reused = Buffer.from(piece)
      await output.write(reused)
      reused.fill(0)
    }
    await output.finish()
    expect(await here.bucket.stat('large.csv')).toBeUndefined()
    await output.publish()
    await output.close()
    expect((await here.bytes('large.csv')).equals(Buffer.concat(pieces))).toBe(true)
    expect((await here.bucket.stat('large.csv'))?.etag).toMatch(/-3"$/)
  })

  it('that exists already is refused at once, or at the end if it appeared meanwhile', async () => {
    await here.bucket.write('old.csv', Buffer.from('precious'))
    await expect(openS3Output(specOf('old.csv'))).rejects.toThrow(UsageError)
    const output = await openS3Output(specOf('race.csv'))
    await output.write(Buffer.from('mine'))
    await output.finish()
    await here.bucket.write('race.csv', Buffer.from('theirs'))
    await expect(output.publish()).rejects.toThrow('s3://survey/race.csv exists already')
    await output.close()
    expect((await here.bytes('race.csv')).toString()).toBe('theirs')
    const empty = await openS3Output(specOf('empty-race.csv'))
    await empty.finish()
    await here.bucket.write('empty-race.csv', Buffer.from('theirs'))
    await expect(empty.publish()).rejects.toThrow('exists already')
    await empty.close()
    const over = await openS3Output(specOf('old.csv', { overwrite: true }))
    await over.write(Buffer.from('new'))
    await over.finish()
    expect((await here.bytes('old.csv')).toString()).toBe('precious')
    await over.publish()
    expect((await here.bytes('old.csv')).toString()).toBe('new')
    expect(await here.openUploads()).toEqual([])
  })

  it('tolerates a connection that is cut while a part is sent', async () => {
    let cuts = 0
    const spec = await specThrough('cut.csv', (text) => {
      if (!text.includes('partNumber=1') || cuts === 2) return 'pass'
      cuts++
      return 'cut'
    })
    const bytes = mebibytes(2)
    const output = await openS3Output(spec)
    await output.write(bytes)
    await output.finish()
    await output.publish()
    expect(cuts).toBe(2)
    expect((await here.bytes('cut.csv')).equals(bytes)).toBe(true)
  })

  it('recognizes its own object when the answer to the last request was lost', async () => {
    let lost = 0
    const spec = await specThrough('lost.csv', (text) => {
      if (lost > 0 || !/^POST [^ ]*uploadId=/m.test(text)) return 'pass'
      lost++
      return 'last'
    })
    const output = await openS3Output(spec)
    await output.write(Buffer.from('once'))
    await output.finish()
    await output.publish()
    await output.close()
    expect(lost).toBe(1)
    expect((await here.bytes('lost.csv')).toString()).toBe('once')
  })

  it('does not appear, and leaves no parts, when the upload fails', async () => {
    const output = await openS3Output(specOf('failed.csv'))
    const { Uploads } = await here.client.send(new ListMultipartUploadsCommand({ Bucket: 'survey' }))
    const UploadId = Uploads?.find(({ Key }) => Key === 'failed.csv')?.UploadId
    await here.client.send(new AbortMultipartUploadCommand({ Bucket: 'survey', Key: 'failed.csv', UploadId }))
    const failure = (async () => {
      for (let i = 0; i < 60; i++) await output.write(mebibytes(1))
      await output.finish()
    })()
    await expect(failure).rejects.toThrow(ServiceError)
    await expect(failure).rejects.toThrow('s3://survey/failed.csv')
    await output.close()
    expect(await here.bucket.stat('failed.csv')).toBeUndefined()
    expect(await here.openUploads()).toEqual([])
  })

  it('aborts what is under way when it is closed, and a small object too', async () => {
    const spec = await specThrough('closed.csv', (text) => (text.includes('partNumber=1') ? 'hold' : 'pass'))
    const output = await openS3Output(spec)
    await output.write(mebibytes(17))
    await output.close()
    expect(await here.bucket.stat('closed.csv')).toBeUndefined()
    const small = await openS3Output(specOf('small.csv'))
    await small.write(Buffer.from('small'))
    await small.close()
    expect(await here.bucket.stat('small.csv')).toBeUndefined()
    expect(await here.openUploads()).toEqual([])
  })

  it('in a bucket that does not exist is refused before the first row', async () => {
    const place = { ...here.place('x.csv'), bucket: 'nowhere' }
    await expect(openS3Output(specOf('x.csv', { place }))).rejects.toMatchObject({
      exitCode: 5,
      hint: expect.stringContaining('no such bucket'),
    })
  })
})
