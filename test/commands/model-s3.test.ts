import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf, samples, type Outcome } from '../support/lcclf.ts'
import { startS3Server, whyNoS3Server, type S3Server } from '../support/s3-server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { unpackPickles } from '../support/unpacked-pickles.ts'

const why = await whyNoS3Server()
const sample = join(samples, 'model')
let server: S3Server

function run(args: string[], env: Record<string, string> = {}, work = temporaryFolder()): Promise<Outcome> {
  return hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: join(work, 'home'), ...server.environment, ...env } })
}

describe.skipIf(why)('a model in a bucket', () => {
  beforeAll(async () => {
    server = await startS3Server(['survey'])
  })

  afterAll(() => server.close())

  it('is published with an index, found by name, and verified on its way back', async () => {
    const pushed = await run(['model', 'push', sample, 's3://survey/models', '--json'])
    expect([pushed.code, pushed.stderr]).toEqual([0, expect.stringContaining('is published')])
    expect(JSON.parse(pushed.stdout)).toMatchObject({ address: 's3://survey/models/sample_forest/1.5.2/' })
    const pulled = await run(['model', 'pull', 's3://survey/models', '--name', 'sample_forest', '--json'])
    expect(pulled.code).toBe(0)
    const manifest = readFileSync(join(sample, 'manifest.json'))
    expect(JSON.parse(pulled.stdout)).toMatchObject({ sha256: createHash('sha256').update(manifest).digest('hex') })
    const again = await run(['model', 'push', sample, 's3://survey/models/'])
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('is already there')])
  })

  it('is not replaced by another, nor its index by somebody else’s', async () => {
    const work = temporaryFolder()
    await run(['model', 'push', sample, 's3://survey/shared/'])
    const versions = ['2', '3', '4'].map((version) => {
      const bundle = join(work, version)
      cpSync(sample, bundle, { recursive: true })
      const text = readFileSync(join(bundle, 'manifest.json'), 'utf8')
      writeFileSync(join(bundle, 'manifest.json'), text.replace('"version": "1.5.2"', `"version": "${version}"`))
      return bundle
    })
    const outcomes = await Promise.all(
      // processes of their own, so that they meet
      versions.map((bundle) => lcclf(['model', 'push', bundle, 's3://survey/shared/'], { env: server.environment })),
    )
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0])
    const index = JSON.parse(readFileSync(join(server.bucketFolder('survey'), 'shared/lcclf-index.json'), 'utf8')) as {
      models: { version: string }[]
    }
    expect(index.models.map(({ version }) => version)).toEqual(['1.5.2', '2', '3', '4'])
    const text = readFileSync(join(sample, 'manifest.json'), 'utf8')
    writeFileSync(join(versions[0]!, 'manifest.json'), text)
    writeFileSync(join(versions[0]!, 'manifest.json'), `${text} `)
    const other = await run(['model', 'push', versions[0]!, 's3://survey/shared/'])
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('another bundle')])
  })

  it('in the form of pickles is imported', async () => {
    const folder = join(server.bucketFolder('survey'), 'pickles/1.0.0')
    unpackPickles('0.22.2', folder)
    const named = ['--name', 'forest', '--version', '1.0.0']
    const { code, stderr } = await run(['model', 'pull', 's3://survey/pickles/1.0.0', ...named])
    expect([code, stderr]).toEqual([0, expect.stringContaining('reproduced in every bit')])
  })

  it('that is missing, refused or does not answer ends with advice and no secret', async () => {
    const absent = await run(['model', 'pull', 's3://survey/absent/'])
    expect([absent.code, absent.stderr]).toEqual([4, expect.stringContaining('no model there')])
    const bucket = await run(['model', 'pull', 's3://nowhere/x/'])
    expect([bucket.code, bucket.stderr]).toEqual([5, expect.stringContaining('no such bucket')])
    const secret = 'wrong-secret-0123456789'
    const wrong = await run(['model', 'push', sample, 's3://survey/x/'], { AWS_SECRET_ACCESS_KEY: secret })
    expect([wrong.code, wrong.stderr]).toEqual([5, expect.stringContaining('AWS_SECRET_ACCESS_KEY')])
    expect(wrong.stderr + wrong.stdout).not.toContain(secret)
    const nobody = await run(['model', 'push', sample, 's3://survey/x/'], { AWS_SKIP_SIGNATURE: 'true' })
    expect([nobody.code, nobody.stderr]).toEqual([5, expect.stringContaining('no credentials')])
    const http = await run(['model', 'pull', 's3://survey/x/'], { AWS_ENDPOINT_URL: 'http://minio.example.org' })
    expect([http.code, http.stderr]).toEqual([2, expect.stringContaining('plain http')])
    const gone = await run(['model', 'push', sample, 's3://survey/x/'], { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' })
    expect([gone.code, gone.stderr]).toEqual([5, expect.stringContaining('refused')])
    expect(existsSync(join(server.bucketFolder('survey'), 'x'))).toBe(false)
    expect(readdirSync(server.bucketFolder('survey')).sort()).toEqual(expect.arrayContaining(['models', 'shared']))
  })
})
