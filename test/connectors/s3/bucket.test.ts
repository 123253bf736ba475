import { createHash, randomBytes } from 'node:crypto'
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError, UsageError } from '../../../src/errors.ts'
import { parseS3Address, s3Settings } from '../../../src/connectors/s3/address.ts'
import { openS3Bucket, type S3Bucket, s3Reader } from '../../../src/connectors/s3/bucket.ts'
import { openS3Client } from '../../../src/connectors/s3/client.ts'
import { type S3Server, startS3Server, whyNoS3Server } from '../../support/s3-server.ts'

const why = await whyNoS3Server()
let server: S3Server
let bucket: S3Bucket

async function openBucket(name = 'survey', environment: Record<string, string> = {}): Promise<S3Bucket> {
  const settings = s3Settings({ ...server.environment, ...environment })
  return openS3Bucket(name, { settings, allowHttp: false, needsCredentials: false })
}

async function read(key: string, range: { from?: number; to?: number; etag?: string } = {}): Promise<Buffer> {
  const found = await bucket.read(key, range)
  if (found === undefined || found === 'changed') throw new Error(`${key}: ${found}`)
  const pieces: Buffer[] = []
  for await (const piece of found.body) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

const failureOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: Error) => error,
  )

describe.skipIf(why)('a bucket', () => {
  beforeAll(async () => {
    server = await startS3Server(['survey', 'open'])
    // the SDK's own chain reads the process's environment
    Object.assign(process.env, server.environment)
    bucket = await openBucket()
  })

  afterAll(() => {
    bucket.close()
    server.close()
  })

  it('gives back what was written, whole and in ranges', async () => {
    const content = randomBytes(100_000)
    await bucket.write('a/b c/ü.bin', content)
    expect((await read('a/b c/ü.bin')).equals(content)).toBe(true)
    expect((await read('a/b c/ü.bin', { from: 99_990 })).equals(content.subarray(99_990))).toBe(true)
    expect((await read('a/b c/ü.bin', { from: 5, to: 9 })).equals(content.subarray(5, 10))).toBe(true)
    const opened = await bucket.read('a/b c/ü.bin', {})
    expect(opened).toMatchObject({ size: 100_000, from: 0, md5: createHash('md5').update(content).digest('hex') })
    expect(await bucket.stat('a/b c/ü.bin')).toMatchObject({ size: 100_000 })
  })

  it('tells a missing object from one that has changed', async () => {
    expect(await bucket.read('absent', {})).toBeUndefined()
    expect(await bucket.stat('absent')).toBeUndefined()
    const etag = (await bucket.write('x', Buffer.from('first'))) as string
    await bucket.write('x', Buffer.from('second'))
    expect(await bucket.read('x', { from: 1, etag })).toBe('changed')
    const { etag: second } = (await bucket.stat('x'))!
    expect(await bucket.read('x', { from: 100, etag: second })).toBe('changed')
    expect(await failureOf(bucket.read('x', { from: 100 }))).toBeInstanceOf(ServiceError)
  })

  it('lists everything below a prefix, page after page, and nothing else', async () => {
    for (let index = 0; index < 25; index++) await bucket.write(`list/${index}.csv`, Buffer.from('x'))
    await bucket.write('listing.csv', Buffer.from('x'))
    const keys: string[] = []
    for await (const { key, size, etag } of bucket.list('list/')) {
      expect([size, etag === null]).toEqual([1, false])
      keys.push(key)
    }
    expect(keys).toHaveLength(25)
    expect(keys).toEqual([...keys].sort())
  })

  it('overwrites only the version that was meant', async () => {
    expect(await bucket.write('once', Buffer.from('a'), { ifEtag: null })).toMatch(/^"/)
    expect(await bucket.write('once', Buffer.from('b'), { ifEtag: null })).toBe('changed')
    const { etag } = (await bucket.stat('once'))!
    expect(await bucket.write('once', Buffer.from('c'), { ifEtag: etag })).toMatch(/^"/)
    expect(await bucket.write('once', Buffer.from('d'), { ifEtag: etag })).toBe('changed')
    expect((await read('once')).toString()).toBe('c')
  })

  it('that does not exist, or whose key is wrong, is refused with advice and without the secret', async () => {
    const absent = await openBucket('nowhere')
    expect(await failureOf(absent.read('x', {}))).toMatchObject({
      message: expect.stringContaining('s3://nowhere/x'),
      hint: expect.stringContaining('no such bucket'),
    })
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong-secret-0123456789'
    const wrong = await openBucket()
    const error = await failureOf(wrong.read('once', {}))
    const options = { settings: s3Settings(server.environment), allowHttp: false, needsCredentials: false }
    const reader = await s3Reader('s3://survey/models/', options)
    const asked = await failureOf(reader.open('once', { from: 0, etag: null, signal: undefined }))
    expect(asked).toMatchObject({ hint: expect.stringContaining('AWS_SECRET_ACCESS_KEY') })
    process.env['AWS_SECRET_ACCESS_KEY'] = server.environment['AWS_SECRET_ACCESS_KEY']
    expect(error).toBeInstanceOf(ServiceError)
    expect(error).toMatchObject({ hint: expect.stringContaining('AWS_SECRET_ACCESS_KEY') })
    expect(error.message).not.toContain('wrong-secret')
  })

  it('is asked anonymously on request or without credentials, and what is public is read', async () => {
    const client = await openS3Client({ settings: s3Settings({}), allowHttp: false, needsCredentials: true })
    const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::open/*' }
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
    await client.send(new PutBucketPolicyCommand({ Bucket: 'open', Policy }))
    client.destroy()
    const owner = await openBucket('open')
    await owner.write('x', Buffer.from('public'))
    const told = await openBucket('open', { AWS_SKIP_SIGNATURE: 'true' })
    expect(await told.read('x', {})).toMatchObject({ size: 6 })
    expect(await failureOf(told.write('y', Buffer.from('no')))).toBeInstanceOf(ServiceError)
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env
    delete process.env['AWS_ACCESS_KEY_ID']
    delete process.env['AWS_SECRET_ACCESS_KEY']
    const unknown = await openBucket('open')
    Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY })
    expect(await unknown.read('x', {})).toMatchObject({ size: 6 })
    const closed = await openBucket('survey', { AWS_SKIP_SIGNATURE: 'true' })
    expect(await failureOf(closed.read('once', {}))).toBeInstanceOf(ServiceError)
    const anonymous = s3Settings({ ...server.environment, AWS_SKIP_SIGNATURE: 'true' })
    const reader = await s3Reader('s3://survey/', { settings: anonymous, allowHttp: false, needsCredentials: false })
    // who may not look is told no more
    expect(await reader.open('once', { from: 0, etag: null, signal: undefined })).toMatchObject({ kind: 'absent' })
  })
})

describe('an s3 address', () => {
  it('is a bucket and a key', () => {
    expect(parseS3Address('s3://b-1/a/b c.parquet')).toEqual({ bucket: 'b-1', key: 'a/b c.parquet' })
    expect(parseS3Address('s3://bucket')).toEqual({ bucket: 'bucket', key: '' })
    for (const text of ['s3://', 's3:///key', 's3://UPPER?x', 'https://x/y']) {
      expect(() => parseS3Address(text)).toThrow(UsageError)
    }
  })

  it('with an http endpoint elsewhere is refused unless it was allowed', async () => {
    const settings = s3Settings({ AWS_ENDPOINT_URL: 'http://minio.example.org:9000', AWS_SKIP_SIGNATURE: 'true' })
    const options = { settings, needsCredentials: false }
    await expect(openS3Client({ ...options, allowHttp: false })).rejects.toThrow('plain http')
    ;(await openS3Client({ ...options, allowHttp: true })).destroy()
  })
})
