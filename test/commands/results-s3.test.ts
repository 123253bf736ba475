import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DiffReport } from '../../src/jobs/diff/diff-predictions.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { openTestBucket, type TestBucket } from '../support/s3-objects.ts'
import { startS3Server, whyNoS3Server, type S3Server } from '../support/s3-server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const why = await whyNoS3Server()
const fixtures = fileURLToPath(new URL('../fixtures/evaluation/', import.meta.url))
const drawn = join(fixtures, 'drawn.csv')
const drawnLabels = join(fixtures, 'drawn-labels.csv')

let server: S3Server
let here: TestBucket

describe.skipIf(why)('results and labels in a bucket', () => {
  beforeAll(async () => {
    server = await startS3Server(['survey'])
    here = await openTestBucket(server)
    await here.bucket.write('drawn.csv.gz', gzipSync(readFileSync(drawn)))
    await here.bucket.write('labels.csv', readFileSync(drawnLabels))
  })

  afterAll(() => {
    here.close()
    server.close()
  })

  it('say what they say in files, and leave no temporary file', async () => {
    const temporary = temporaryFolder()
    const env = { ...server.environment, TMPDIR: temporary }
    const about = async (results: string, labels: string): Promise<unknown> => {
      const { stdout, stderr } = await lcclf(['evaluate', results, '--labels', labels, '--json'], { env })
      expect(stderr).toBe('')
      const report = JSON.parse(stdout) as Record<'predictions' | 'labels', { address: string }>
      expect([report.predictions.address, report.labels.address]).toEqual([results, labels])
      return { ...report, predictions: null, labels: null }
    }
    const fetched = await about('s3://survey/drawn.csv.gz?classifier_version=drawn_1.0', 's3://survey/labels.csv')
    expect(fetched).toEqual(await about(drawn, drawnLabels))
    expect(readdirSync(temporary)).toEqual([])
    await here.bucket.write('night/a.csv.gz', gzipSync(readFileSync(drawn)))
    expect(await about('s3://survey/night/?classifier_version=drawn_1.0', drawnLabels)).toEqual(
      await about(drawn, drawnLabels),
    )
    const absent = await lcclf(['diff', 's3://survey/none.parquet', drawn], { env })
    expect(absent).toMatchObject({ code: 3, stdout: '' })
    expect(absent.stderr).toContain('s3://survey/none.parquet: there is no such object')
  })

  it('are explained by features in the bucket', async () => {
    const work = temporaryFolder()
    const [names, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
      .toString()
      .trimEnd()
      .split('\n')
    const isLost = names!.split(',').map((name) => /W[23]/.test(name))
    const lost = rows.map((row) =>
      row
        .split(',')
        .map((text, i) => (isLost[i] ? '' : text))
        .join(),
    )
    await here.bucket.write('rows/old.csv.gz', readFileSync(join(samples, 'ztf-300.csv.gz')))
    await here.bucket.write('rows/new.csv', Buffer.from([names, ...lost].join('\n')))
    const places = ['s3://survey/rows/old.csv.gz', 's3://survey/rows/new.csv']
    const run = (...args: string[]) => lcclf(args, { cwd: work, env: { ...server.environment, TMPDIR: work } })
    for (const [i, place] of places.entries())
      expect((await run('classify', place, '--to', `${i}.parquet`)).code).toBe(0)
    const features = ['--features-a', places[0]!, '--features-b', places[1]!]
    const { stdout } = await run('diff', '0.parquet', '1.parquet', '--why', ...features, '--json')
    const { why: explained, changed } = JSON.parse(stdout) as DiffReport
    expect(explained).toMatchObject({ causes: [{ cause: 'WISE colours: now missing', objects: changed }] })
    expect(readdirSync(work).sort()).toEqual(['0.parquet', '1.parquet'])
  })
})
