import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DataError, ServiceError } from '../../../src/errors.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { S3SourceSpec } from '../../../src/connectors/s3/address.ts'
import { fetchObject, fetchParquetFooter } from '../../../src/connectors/s3/s3-source.ts'
import { testSource } from '../../contract/source-contract.ts'
import { openTestBucket, type TestBucket } from '../../support/s3-objects.ts'
import { type S3Server, startS3Server, whyNoS3Server } from '../../support/s3-server.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { features, fixture, readOnce, readOptions } from '../../support/objects.ts'
import { seeders, seedFile } from '../files/seed-files.ts'

const why = await whyNoS3Server()
let server: S3Server
let here: TestBucket
let temporary: string

/** puts an object there and answers what a listing says of it */
async function put(key: string, bytes: Uint8Array, format: S3SourceSpec['format'] = 'csv'): Promise<S3SourceSpec> {
  await here.bucket.write(key, bytes)
  const { size, etag } = (await here.bucket.stat(key))!
  return { kind: 's3', address: `s3://survey/${key}`, place: here.place(key), format, size, etag }
}

/** A way to the server that ends each of the first connections after so many bytes of its answers. */
async function startCutter(
  cuts: number,
  bytesEach: number,
): Promise<{ endpoint: string; server: Server; cut(): number }> {
  let cut = 0
  const relay = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1')
    let passed = 0
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      passed += chunk.length
      client.write(chunk)
      if (passed < bytesEach || cut >= cuts) return
      cut++
      client.resetAndDestroy()
      upstream.destroy()
    })
    upstream.on('end', () => client.end())
    for (const socket of [client, upstream]) socket.on('error', () => undefined)
    client.on('close', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  const { port } = relay.address() as { port: number }
  return { endpoint: `http://127.0.0.1:${port}`, server: relay, cut: () => cut }
}

describe.skipIf(why)('an object as an input', () => {
  beforeAll(async () => {
    server = await startS3Server(['survey'])
    here = await openTestBucket(server)
    temporary = temporaryFolder()
    process.env['TMPDIR'] = temporary
  })

  afterAll(() => {
    here.close()
    server.close()
  })

  // the others go the same way, and are tested as files
  for (const seeder of seeders.filter(({ format }) => ['parquet', 'csv', 'avro'].includes(format))) {
    testSource(
      `s3, ${seeder.name}`,
      async () => {
        const folder = await mkdtemp(join(temporary, 'seed-'))
        let spec: S3SourceSpec | undefined
        return {
          async seed(seed) {
            const { path, format, address } = await seedFile(seeder, seed, folder)
            const key = `${randomBytes(6).toString('hex')}/seed`
            spec = { ...(await put(key, await readFile(path), format)), address }
          },
          open: (options) => openSource(spec!, options),
          remove: () => rm(folder, { recursive: true }),
        }
      },
      {
        hasFreeKeys: seeder.format === 'ndjson' || seeder.name === 'Avro maps',
        hasAnyKeys: seeder.name === 'Avro maps',
        hasColumns: seeder.format !== 'avro',
      },
    )
  }

  /** files of objects that are there now */
  const filesHeld = (): string[] =>
    readdirSync(temporary, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /lcclf-inputs-.*\bobject(\.part)?$/.test(name),
    )

  it('is known by its size and ETag, and its file is gone when it is closed', async () => {
    const spec = await put('night.csv', readFileSync(fixture('objects.csv')))
    const source = await openSource(spec, readOptions({ features }))
    expect(filesHeld()).toHaveLength(1)
    expect(source.identity).toEqual({
      address: 's3://survey/night.csv',
      size: spec.size,
      etag: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    await source.close()
    await source.close()
    expect(filesHeld()).toEqual([])
  })

  it('that changed since it was listed, or is gone, is not read', async () => {
    const spec = await put('moving.csv', readFileSync(fixture('objects.csv')))
    await here.bucket.write('moving.csv', Buffer.concat([readFileSync(fixture('objects.csv')), Buffer.from('\n')]))
    const failure = openSource(spec, readOptions({ features }))
    await expect(failure).rejects.toThrow(DataError)
    await expect(failure).rejects.toThrow('s3://survey/moving.csv changed after the run began')
    await here.bucket.remove('moving.csv')
    await expect(openSource(spec, readOptions({ features }))).rejects.toThrow('no longer there')
    expect(filesHeld()).toEqual([])
  })

  it('is resumed where the connection broke', async () => {
    const bytes = randomBytes(12 << 20)
    const spec = await put('large.bin', bytes)
    const relay = await startCutter(3, 2 << 20)
    const object = await fetchObject({ ...spec, place: here.place('large.bin', relay.endpoint) })
    expect(relay.cut()).toBe(3)
    expect((await readFile(object.path)).equals(bytes)).toBe(true)
    await object.remove()
    relay.server.close()
    expect(filesHeld()).toEqual([])
  })

  it('that is replaced while the connection is broken is not half old and half new', async () => {
    const spec = await put('swapped.bin', randomBytes(12 << 20))
    const relay = await startCutter(1, 2 << 20)
    const fetching = fetchObject({ ...spec, place: here.place('swapped.bin', relay.endpoint) })
    const outcome = expect(fetching).rejects.toThrow('changed after the run began')
    while (relay.cut() === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    await here.bucket.write('swapped.bin', randomBytes(12 << 20))
    await outcome
    relay.server.close()
    expect(filesHeld()).toEqual([])
  })

  it('is aborted by the signal', async () => {
    const spec = await put('aborted.bin', randomBytes(12 << 20))
    const controller = new AbortController()
    controller.abort()
    await expect(fetchObject(spec, controller.signal)).rejects.toMatchObject({ name: 'AbortError' })
    expect(filesHeld()).toEqual([])
  })

  it('as Parquet is known by its footer alone when no rows are wanted', async () => {
    // a column chunk that is no Parquet, before a footer that is
    const night = await readFile(fixture('pyarrow-zstd.parquet'))
    const whole = await put('footer.parquet', night, 'parquet')
    const padding = Buffer.alloc(3 << 20, 'x')
    const padded = Buffer.concat([night.subarray(0, 4), padding, night.subarray(4)])
    const spec = await put('padded.parquet', padded, 'parquet')
    const footer = await fetchParquetFooter(spec)
    const bytes = await readFile(footer.path)
    expect(bytes.length).toBe(padded.length)
    expect(bytes.subarray(1000, 2 << 20).every((byte) => byte === 0)).toBe(true)
    expect(bytes.subarray(-200_000).equals(padded.subarray(-200_000))).toBe(true)
    await footer.remove()
    const options = readOptions({ features, isForSchema: true })
    const fromWhole = await openSource(whole, options)
    const fromFooter = await openSource(spec, options)
    expect(fromFooter.schema).toEqual(fromWhole.schema)
    await fromWhole.close()
    await fromFooter.close()
    await expect(openSource(spec, readOptions({ features: ['absent'], isForSchema: true }))).rejects.toThrow('absent')
  })

  it('gives the rows of the file it was', async () => {
    const file = fixture('pyarrow-zstd.parquet')
    const spec = await put('same.parquet', await readFile(file), 'parquet')
    const expected = await readOnce(
      await openSource({ kind: 'file', address: file, path: file, format: 'parquet' }, readOptions({ features })),
    )
    expect(await readOnce(await openSource(spec, readOptions({ features })))).toEqual(expected)
  })

  it('says so where temporary files cannot be made', async () => {
    const spec = await put('x.csv', readFileSync(fixture('objects.csv')))
    rmSync(temporary, { recursive: true })
    const failure = openSource(spec, readOptions({ features }))
    await expect(failure).rejects.toThrow(ServiceError)
    await expect(failure).rejects.toThrow(`the temporary folder ${temporary} cannot be used`)
    mkdirSync(temporary)
    await (await openSource(spec, readOptions({ features }))).close()
  })
})
