import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Receipt } from '../../src/jobs/classify/receipt.ts'
import { s3Inputs } from '../../src/connectors/s3-inputs.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf, type Outcome, samples, startLcclf } from '../support/lcclf.ts'
import { openTestBucket, type TestBucket } from '../support/s3-objects.ts'
import { type S3Server, startS3Server, whyNoS3Server } from '../support/s3-server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const why = await whyNoS3Server()
const night = readFileSync(join(samples, 'ztf-300.parquet'))
const csv = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
const [header, ...rows] = csv.toString().trimEnd().split('\n') as [string, ...string[]]
const part = (from: number, to: number): Buffer => Buffer.from(`${[header, ...rows.slice(from, to)].join('\n')}\n`)

let server: S3Server
let here: TestBucket
/** objects on their way are in it, and nothing stays */
let temporary: string

function run(args: string[], env: Record<string, string> = {}, cwd = temporaryFolder()): Promise<Outcome> {
  return hostedLcclf(['classify', ...args, '--quiet'], {
    cwd,
    env: { ...server.environment, TMPDIR: temporary, ...env },
  })
}

/** The same in a process of its own: clients with other credentials, and what goes with the process. */
function runAlone(args: readonly string[], env: Record<string, string>): Promise<Outcome> {
  const cwd = mkdtempSync(join(temporary, 'run-'))
  return lcclf(['classify', ...args, '--quiet'], { cwd, env: { ...server.environment, TMPDIR: temporary, ...env } })
}

async function put(objects: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [key, bytes] of Object.entries(objects)) await here.bucket.write(key, bytes)
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe.skipIf(why)('lcclf classify with a bucket', () => {
  beforeAll(async () => {
    server = await startS3Server(['survey'])
    here = await openTestBucket(server)
    temporary = temporaryFolder()
  })

  afterAll(() => {
    here.close()
    server.close()
  })

  it('reads and writes every format as files are, bit for bit, and the receipt names both', async () => {
    const work = temporaryFolder()
    await put({ 'in/night.parquet': night })
    const names = ['o.parquet', 'o.csv', 'o.csv.gz', 'o.tsv', 'o.ndjson', 'o.arrow']
    const local = ['classify', join(samples, 'ztf-300.parquet'), ...names.flatMap((name) => ['--to', name])]
    expect((await hostedLcclf(local, { cwd: work })).code).toBe(0)
    const to = names.flatMap((name) => ['--to', `s3://survey/formats/${name}`])
    const { code, stdout } = await run(['s3://survey/in/night.parquet', ...to, '--json'])
    expect(code).toBe(0)
    for (const name of names) {
      expect([name, sha256(await here.bytes(`formats/${name}`))]).toEqual([
        name,
        sha256(readFileSync(join(work, name))),
      ])
    }
    const receipt = JSON.parse(stdout) as Receipt
    expect(receipt).toMatchObject({ balanced: true, exitCode: 0 })
    const etag = createHash('md5').update(night).digest('hex')
    expect(receipt.inputs).toEqual([
      expect.objectContaining({ address: 's3://survey/in/night.parquet', size: night.length, etag, read: 300 }),
    ])
    expect(receipt.outputs.map(({ address, objects }) => [address, objects])).toEqual(
      names.map((name) => [`s3://survey/formats/${name}`, 300]),
    )
  })

  it('reads a prefix as a folder: known suffixes, sorted, each in its format, into one output', async () => {
    const names = header.split(',')
    const cell = (text: string): string => (text === '' ? 'null' : text)
    const lines = rows.slice(200).map((row) => {
      const [oid, ...numbers] = row.split(',')
      const members = numbers.map((text, i) => `${JSON.stringify(names[i + 1])}:${cell(text)}`)
      return `{"oid":${JSON.stringify(oid)},${members.join(',')}}`
    })
    await put({
      'mixed/a.csv': part(0, 100),
      'mixed/b/c.tsv': Buffer.from(part(100, 200).toString().replaceAll(',', '\t')),
      'mixed/d.ndjson': Buffer.from(lines.join('\n')),
      'mixed/_SUCCESS': Buffer.from(''),
      'mixed/_old/e.csv': part(0, 5),
      'mixed/notes.txt': Buffer.from('no data'),
      'mixed/a.csv.receipt.json': Buffer.from('{}'),
      'mixed.csv': part(0, 5),
    })
    const found = await run(['s3://survey/mixed/'])
    const local = await run([join(samples, 'ztf-300.csv.gz')])
    expect(found.code).toBe(0)
    expect(found.stdout === local.stdout).toBe(true)
    const withoutSlash = await run(['s3://survey/mixed', '--limit', '150', '--json', '--to', 'o.csv'])
    const { inputs } = JSON.parse(withoutSlash.stdout) as Receipt
    expect(inputs.map(({ address, read }) => [address, read])).toEqual([
      ['s3://survey/mixed/a.csv', 100],
      ['s3://survey/mixed/b/c.tsv', 50],
    ])
    const matched = await run(['s3://survey/mixed/**/*.{tsv,ndjson}', '--json', '--to', 'o.csv'])
    expect((JSON.parse(matched.stdout) as Receipt).inputs.map(({ address }) => address)).toEqual([
      's3://survey/mixed/b/c.tsv',
      's3://survey/mixed/d.ndjson',
    ])
  })

  it('filters, shards and drops duplicates as with files', async () => {
    await put({ 'twice/a.parquet': night })
    const input = 's3://survey/twice/a.parquet'
    const local = join(samples, 'ztf-300.parquet')
    const flags = ['--where', "oid < 'ZTF18aaaaabz'", '--shard', '2/3', '--duplicates', 'newest']
    const [remote, file] = await Promise.all([run([input, ...flags]), run([local, ...flags])])
    expect([remote.code, remote.stdout]).toEqual([0, file.stdout])
    expect(remote.stdout.split('\n').length).toBeGreaterThan(5)
  })

  it('writes a prefix with receipts, and resumes by the ETag', { timeout: 180_000 }, async () => {
    await put({ 'nights/a.csv': part(0, 10), 'nights/b/c.csv': part(10, 20), 'nights/d.csv': part(20, 30) })
    const args = ['s3://survey/nights/', '--to', 's3://survey/nights/out/', '--to-format', 'csv']
    const loud = (more: string[] = []) =>
      hostedLcclf(['classify', ...args, ...more], { env: { ...server.environment, TMPDIR: temporary } })
    expect((await loud()).code).toBe(0)
    expect(await here.keys('nights/out/')).toEqual([
      'nights/out/a.csv',
      'nights/out/a.csv.receipt.json',
      'nights/out/b/c.csv',
      'nights/out/b/c.csv.receipt.json',
      'nights/out/d.csv',
      'nights/out/d.csv.receipt.json',
    ])
    const refused = await loud()
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('s3://survey/nights/out/a.csv exists')])
    expect((await loud(['--resume'])).stderr).toContain('3 of 3 inputs are done already')
    // a result that is not what its receipt says
    const whole = await here.bytes('nights/out/a.csv')
    for (const [bytes, reason] of [
      [whole.subarray(0, 100), 'its result has 100 bytes where the receipt says'],
      [Buffer.from(whole).fill('x', 50), 'its result has another ETag than the receipt says'],
    ] as const) {
      await put({ 'nights/out/a.csv': bytes })
      expect((await loud(['--resume'])).stderr).toContain(`nights/a.csv again: ${reason}`)
      expect((await here.bytes('nights/out/a.csv')).equals(whole)).toBe(true)
    }
    // as many bytes, another ETag
    await put({ 'nights/b/c.csv': part(11, 21), 'nights/out/d.csv.receipt.json': Buffer.from('{"schema') })
    const third = await loud(['--resume'])
    expect(third.stderr).toMatch(/nights\/b\/c\.csv again: its (ETag|size) changed/)
    expect(third.stderr).toContain('nights/d.csv again: its receipt cannot be read')
    expect(third.stderr).toContain('1 of 3 inputs are done already')
    const receipt = JSON.parse((await here.bytes('nights/out/b/c.csv.receipt.json')).toString()) as Receipt
    expect(receipt.inputs[0]).toMatchObject({ etag: createHash('md5').update(part(11, 21)).digest('hex'), read: 10 })
    await here.bucket.remove('nights/out/a.csv')
    expect((await loud(['--resume'])).stderr).toContain('nights/a.csv again: its result is gone')
  })

  it('skips a bad object of a prefix, and with one output publishes nothing', async () => {
    const bad = Buffer.concat([Buffer.from('PAR1'), Buffer.alloc(400_000), Buffer.from('PAR1')])
    await put({ 'bad/a.parquet': bad, 'bad/b.parquet': night })
    const one = await run(['s3://survey/bad/', '--to', 's3://survey/bad.csv', '--to', 'local.csv'])
    expect([one.code, one.stderr]).toEqual([3, expect.stringContaining('s3://survey/bad/a.parquet')])
    expect(one.stderr).not.toContain(temporary)
    expect(await here.bucket.stat('bad.csv')).toBeUndefined()
    const each = await run(['s3://survey/bad/', '--to', 's3://survey/bad-out/'])
    expect([each.code, each.stderr]).toEqual([3, expect.stringContaining('s3://survey/bad/a.parquet')])
    expect(await here.keys('bad-out/')).toEqual(['bad-out/b.parquet', 'bad-out/b.parquet.receipt.json'])
    expect(await here.openUploads()).toEqual([])
  })

  it('publishes none of several outputs when one of them cannot be', async () => {
    const work = temporaryFolder()
    await put({ 'there.csv': Buffer.from('precious') })
    const to = ['--to', 'local.csv', '--to', 's3://survey/new.csv', '--to', 's3://survey/there.csv']
    const { code, stderr } = await run([join(samples, 'ztf-300.parquet'), ...to], {}, work)
    expect([code, stderr]).toEqual([2, expect.stringContaining('s3://survey/there.csv exists already')])
    expect(readdirSync(work)).toEqual([])
    expect(await here.bucket.stat('new.csv')).toBeUndefined()
    expect(await here.openUploads()).toEqual([])
  })

  it('leaves no object when it is interrupted or killed, and after a signal no parts', async () => {
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGKILL', null],
    ] as const) {
      const key = `ended-by-${signal}.csv`
      const args = ['classify', '-', '--from-format', 'csv', '--to', `s3://survey/${key}`]
      const child = startLcclf(args, { env: { ...server.environment, TMPDIR: temporary } })
      const ended = new Promise((resolve) => child.on('exit', resolve))
      child.stdin!.on('error', () => undefined)
      child.stdin!.write(csv)
      while (!(await here.openUploads()).includes(key) && child.exitCode === null) await sleep(20)
      child.kill(signal)
      expect(await ended).toBe(code)
      expect(await here.bucket.stat(key)).toBeUndefined()
      expect((await here.openUploads()).includes(key)).toBe(signal === 'SIGKILL')
    }
  })

  it('removes the temporary files of killed runs, and leaves none itself', async () => {
    const own = temporaryFolder()
    const litter = join(own, 'lcclf-inputs-killed')
    mkdirSync(litter)
    copyFileSync(join(samples, 'ztf-300.parquet'), join(litter, 'object'))
    const host = execFileSync('hostname', { encoding: 'utf8' }).trim()
    writeFileSync(join(litter, 'owner.json'), JSON.stringify({ pid: 2 ** 22 + 1, host }))
    await put({ 'tidy.csv': part(0, 2) })
    expect((await runAlone(['s3://survey/tidy.csv', '--to', 'o.csv'], { TMPDIR: own })).code).toBe(0)
    expect(readdirSync(own)).toEqual([])
  })

  it('skips results by the rules for files: below a prefix, and never what was named', async () => {
    await put({ 'rules/a.csv': part(0, 1), 'rules/out/b.csv': part(0, 1) })
    const found = async (address: string, ...outputFolders: string[]) => {
      const options = { fromFormat: undefined, outputFolders, environment: server.environment }
      return (await s3Inputs(address, options)).map(({ relativePath }) => relativePath)
    }
    expect(await found('s3://survey/rules/a.csv', 's3://survey/', 's3://survey/rules/')).toEqual(['a.csv'])
    expect(await found('s3://survey/rules', 's3://survey')).toEqual(['a.csv', 'out/b.csv'])
    expect(await found('s3://survey/rules/*.csv', 's3://survey/rules/')).toEqual(['a.csv'])
    expect(await found('s3://survey/rules/', 's3://survey/rules/out/', 's3://other/rules/')).toEqual(['a.csv'])
    expect(await found('s3://survey/rules/out/', 's3://survey/rules/out/')).toEqual(['b.csv'])
    await put({ 'only/out/b.csv': part(0, 1) })
    await expect(found('s3://survey/only/', 's3://survey/only/out/')).rejects.toThrow('no input files below')
    await expect(found('s3://survey/only/**/*.csv', 's3://survey/only/out/')).rejects.toThrow('no object matches')
  })

  it('lists more objects than one answer holds', async () => {
    const folder = join(server.bucketFolder('survey'), 'many')
    mkdirSync(folder)
    const names = Array.from({ length: 1100 }, (_, i) => `${String(i).padStart(4, '0')}.csv`)
    for (const name of names) writeFileSync(join(folder, name), '')
    const options = { fromFormat: undefined, outputFolders: ['s3://survey/many/0'], environment: server.environment }
    const found = await s3Inputs('s3://survey/many/', options)
    expect(found.map(({ relativePath }) => relativePath)).toEqual(names)
    const some = await s3Inputs('s3://survey/many/*7?.csv', options)
    expect(some.map(({ relativePath }) => relativePath)).toEqual(names.filter((name) => /7\d\.csv$/.test(name)))
  })

  it(
    'says what is wrong with a bucket, an object, a key or an address, and no secret',
    { timeout: 180_000 },
    async () => {
      await put({ 'in/x.parquet': night })
      const secret = 'wrong-secret-0123456789'
      const input = 's3://survey/in/x.parquet'
      const cases: [string[], Record<string, string>, number, string][] = [
        [['s3://nowhere/x.csv'], {}, 5, 'There is no such bucket'],
        [[join(samples, 'ztf-300.parquet'), '--to', 's3://nowhere/x.csv'], {}, 5, 'There is no such bucket'],
        [['s3://survey/absent.csv'], {}, 3, 's3://survey/absent.csv: there is no such object or prefix'],
        [['s3://survey/in/*.csv'], {}, 3, 'no object matches'],
        [['s3://survey/in/'], { AWS_SECRET_ACCESS_KEY: secret }, 5, 'AWS_SECRET_ACCESS_KEY is wrong'],
        [[input], { AWS_SECRET_ACCESS_KEY: secret }, 5, 'AWS_SECRET_ACCESS_KEY is wrong'],
        [[input], { AWS_ACCESS_KEY_ID: 'nobody' }, 5, 's3://survey/in/x.parquet'],
        [[input], { AWS_SKIP_SIGNATURE: 'true' }, 5, 's3://survey/in/x.parquet: refused (403 AccessDenied)'],
        [[input, '--to', 's3://survey/y.csv'], { AWS_SKIP_SIGNATURE: 'true' }, 5, 'AccessDenied'],
        [[input], { TMPDIR: join(samples, 'README.md') }, 5, 'set TMPDIR to a folder'],
        [[input, '--receipt', 's3://survey/r.json', '--to', 'o.csv'], {}, 2, 'expected a file on this machine'],
        [[input, '--rejects', 's3://survey/r.ndjson', '--to', 'o.csv'], {}, 2, 'expected a file on this machine'],
        [[input, '--to', 's3://survey/noformat'], {}, 2, 'does not say which format'],
        [[`s3://key:${secret}@survey/x.csv`], {}, 2, 'not an s3 address'],
        [[`https://survey.s3.amazonaws.com/x.csv?X-Amz-Signature=${secret}`], {}, 2, 'https://'],
      ]
      const outcomes: Outcome[] = []
      for (let from = 0; from < cases.length; from += 3) {
        outcomes.push(...(await Promise.all(cases.slice(from, from + 3).map(([args, env]) => runAlone(args, env)))))
      }
      for (const [i, [args, , code, text]] of cases.entries()) {
        const outcome = outcomes[i]!
        expect([args, outcome.code, outcome.stderr]).toEqual([args, code, expect.stringContaining(text)])
        expect(outcome.stderr + outcome.stdout).not.toContain(secret)
      }
    },
  )
})
