import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf, samples, startLcclf } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const parquet = join(samples, 'ztf-300.parquet')
const csv = join(samples, 'ztf-300.csv.gz')
let work: string

beforeEach(() => {
  work = temporaryFolder()
})

const lines = (text: string) => text.trimEnd().split('\n')
const readLines = (name: string) => lines(readFileSync(join(work, name), 'utf8'))
const sampleCsv = () => lines(gunzipSync(readFileSync(csv)).toString())

/** waits until a run has begun to write beside its result */
async function partialIn(folder: string): Promise<void> {
  while (!readdirSync(folder).some((name) => name.endsWith('.partial'))) await sleep(20)
}

describe('lcclf classify', () => {
  it('says that the sample model is a demonstration, and writes CSV to a pipe', async () => {
    const { code, stdout, stderr } = await lcclf(['classify', parquet])
    expect(code).toBe(0)
    expect(stderr).toContain('demonstration')
    expect(stderr).toContain('300 read, 300 classified')
    const [header, ...rows] = lines(stdout)
    expect(header).toBe(
      'oid,candid,class,probability,classifier_version,AGN,Blazar,CV/Nova,QSO,YSO,CEP,DSCT,E,LPV,Periodic-Other,RRL,SLSN,SNII,SNIa,SNIbc,' +
        'top/Periodic,top/Stochastic,top/Transient,stochastic/AGN,stochastic/Blazar,stochastic/CV/Nova,stochastic/QSO,stochastic/YSO,' +
        'periodic/CEP,periodic/DSCT,periodic/E,periodic/LPV,periodic/Periodic-Other,periodic/RRL,' +
        'transient/SLSN,transient/SNII,transient/SNIa,transient/SNIbc',
    )
    expect(rows).toHaveLength(300)
  })

  it('gives the same rows from Parquet, from CSV and through a pipe', async () => {
    const fromParquet = await lcclf(['classify', parquet, '--quiet'])
    const fromCsv = await lcclf(['classify', csv, '--quiet'])
    const piped = await lcclf(['classify', '-', '--from-format', 'csv', '--quiet'], {
      input: `${sampleCsv().join('\n')}\n`,
    })
    expect(fromCsv.stdout).toBe(fromParquet.stdout)
    expect(piped.stdout).toBe(fromParquet.stdout)
  })

  it('knows by its first bytes what comes through a pipe, unless it is told', async () => {
    const { stdout } = await lcclf(['classify', parquet, '--quiet'])
    for (const input of [readFileSync(parquet), readFileSync(csv), `${sampleCsv().join('\n')}\n`]) {
      expect((await lcclf(['classify', '-', '--quiet'], { input })).stdout).toBe(stdout)
    }
    const told = await lcclf(['classify', '-', '--from-format', 'csv', '-q'], { input: readFileSync(parquet) })
    expect([told.code, told.stderr]).toEqual([3, expect.stringContaining('stdin is a Parquet file, not CSV')])
    const cut = await lcclf(['classify', '-', '-q'], { input: readFileSync(parquet).subarray(0, 20_000) })
    expect([cut.code, cut.stderr]).toEqual([3, expect.stringContaining('stdin is cut off')])
  })

  it('writes several outputs in one run, each with every row', async () => {
    const outputs = ['a.parquet', 'b.csv', 'c.ndjson', 'd.arrow', 'e.tsv.gz'].flatMap((name) => ['--to', name])
    const { code, stdout } = await lcclf(['classify', parquet, ...outputs, '--json'], { cwd: work })
    expect(code).toBe(0)
    const receipt = JSON.parse(stdout)
    expect(receipt.outputs.map((output: { objects: number }) => output.objects)).toEqual([300, 300, 300, 300, 300])
    expect(receipt).toMatchObject({ schemaVersion: 1, command: 'classify', balanced: true, exitCode: 0 })
    expect(readLines('b.csv')).toHaveLength(301)
    expect(readLines('c.ndjson')).toHaveLength(300)
    expect(readdirSync(work).sort()).toEqual(['a.parquet', 'b.csv', 'c.ndjson', 'd.arrow', 'e.tsv.gz'])
  })

  it('writes the 33 rows of the Probability table in the long layout', async () => {
    await lcclf(['classify', parquet, '--layout', 'long', '--to', 'long.csv'], { cwd: work })
    const [header, ...rows] = readLines('long.csv')
    expect(header).toBe('oid,classifier_name,classifier_version,class_name,probability,ranking')
    expect(rows).toHaveLength(300 * 33)
  })

  it('does not overwrite a result unless told to', async () => {
    writeFileSync(join(work, 'old.csv'), 'precious')
    const refused = await lcclf(['classify', parquet, '--to', 'old.csv'], { cwd: work })
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('--overwrite')
    expect(readFileSync(join(work, 'old.csv'), 'utf8')).toBe('precious')
    expect((await lcclf(['classify', parquet, '--to', 'old.csv', '--overwrite'], { cwd: work })).code).toBe(0)
    expect(readLines('old.csv')).toHaveLength(301)
  })

  it('keeps one bad row from costing the others, and keeps it with its reason', async () => {
    const [header, first, second, third] = sampleCsv()
    const bad = second!.split(',').with(5, 'twelve').join(',')
    writeFileSync(join(work, 'night.csv'), `${[header, first, bad, `${third},extra`, third].join('\n')}\n`)
    const args = [
      'classify',
      'night.csv',
      '--to',
      'out.csv',
      '--rejects',
      'rejects.ndjson',
      '--receipt',
      'receipt.json',
    ]
    const { code, stderr } = await hostedLcclf(args, { cwd: work })
    expect(code).toBe(0)
    expect(stderr).toContain('2 rejected')
    expect(readLines('out.csv')).toHaveLength(3)
    const rejects = readLines('rejects.ndjson').map((line) => JSON.parse(line))
    expect(rejects).toEqual([
      {
        oid: second!.split(',')[0],
        where: 'night.csv line 3',
        reason: expect.stringContaining('is not a number'),
        value: 'twelve',
      },
      { oid: third!.split(',')[0], where: 'night.csv line 4', reason: 'wrong number of fields' },
    ])
    const receipt = JSON.parse(readFileSync(join(work, 'receipt.json'), 'utf8'))
    expect(receipt.inputs[0]).toMatchObject({ read: 4, classified: 2, rejected: 2, duplicates: 0 })
    const strict = await hostedLcclf([...args, '--overwrite', '--max-rejected', '1'], { cwd: work })
    expect(strict.code).toBe(3)
    expect(strict.stderr).toContain('more rows were lost than --max-rejected 1 allows (exit 3); the others are written')
    expect(readLines('out.csv')).toHaveLength(3)
  })

  it('names every missing column and the nearest there is, before the first row', async () => {
    const renamed = sampleCsv().join('\n').replace('Amplitude_1,', 'amplitude_1,').replace('gal_b,', 'galb,')
    writeFileSync(join(work, 'night.csv'), renamed)
    const { code, stderr } = await hostedLcclf(['classify', 'night.csv', '--to', 'out.csv'], { cwd: work })
    expect(code).toBe(3)
    expect(stderr).toMatch(/Amplitude_1.*amplitude_1/)
    expect(stderr).toMatch(/gal_b.*galb/)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(existsSync(join(work, 'out.csv'))).toBe(false)
    const renames = ['--rename', 'amplitude_1=Amplitude_1', '--rename', 'galb=gal_b']
    expect((await hostedLcclf(['classify', 'night.csv', '--to', 'out.csv', ...renames], { cwd: work })).code).toBe(0)
  })

  it('publishes nothing into one output if one of several inputs cannot be read', async () => {
    writeFileSync(join(work, 'bad.parquet'), 'PAR1 this is no Parquet PAR1')
    const { code, stderr } = await hostedLcclf(['classify', parquet, 'bad.parquet', '--to', 'out.csv'], { cwd: work })
    expect(code).toBe(3)
    expect(stderr).toContain('bad.parquet')
    expect(readdirSync(work)).toEqual(['bad.parquet'])
  })

  it('does the other inputs of a folder run, and exits 3 at the end', async () => {
    mkdirSync(join(work, 'nights/sub'), { recursive: true })
    writeFileSync(join(work, 'nights/bad.parquet'), 'PAR1 this is no Parquet PAR1')
    copyFileSync(parquet, join(work, 'nights/good.parquet'))
    copyFileSync(csv, join(work, 'nights/sub/more.csv.gz'))
    const { code, stderr } = await hostedLcclf(['classify', 'nights', '--to', 'out/'], { cwd: work })
    expect(code).toBe(3)
    expect(stderr).toContain('bad.parquet')
    const made = readdirSync(join(work, 'out'), { recursive: true }).sort()
    expect(made).toEqual([
      'good.parquet',
      'good.parquet.receipt.json',
      'sub',
      'sub/more.parquet',
      'sub/more.parquet.receipt.json',
    ])
  })

  it('resumes: what is done is passed over, what changed is done again, with the reason', async () => {
    mkdirSync(join(work, 'nights'))
    for (const name of ['a', 'b', 'c']) copyFileSync(parquet, join(work, `nights/${name}.parquet`))
    const args = ['classify', 'nights', '--to', 'out/', '--resume']
    expect((await hostedLcclf(args, { cwd: work })).code).toBe(0)
    const again = await hostedLcclf(args, { cwd: work })
    expect(again.stderr).toContain('3 of 3 inputs are done already')
    copyFileSync(join(samples, 'ztf-300.parquet'), join(work, 'nights/b.parquet'))
    writeFileSync(join(work, 'out/c.parquet.receipt.json'), '{"schemaVersion":1')
    const third = await hostedLcclf(args, { cwd: work })
    expect(third.stderr).toMatch(/b\.parquet again: it was modified/)
    expect(third.stderr).toMatch(/c\.parquet again: its receipt cannot be read/)
    const otherOptions = await hostedLcclf([...args, '--layout', 'long'], { cwd: work })
    expect(otherOptions.stderr).toMatch(/a\.parquet again: it was classified with other options/)
    const plain = await hostedLcclf(['classify', 'nights', '--to', 'out/'], { cwd: work })
    expect(plain.code).toBe(2)
    expect(plain.stderr).toContain('--resume')
  })

  it('has every row once after kill -9 at random moments and --resume', { timeout: 180_000 }, async () => {
    mkdirSync(join(work, 'nights'))
    const [header, ...rows] = sampleCsv()
    for (let i = 0; i < 60; i++) {
      const some = rows.slice(i * 5, i * 5 + 5)
      writeFileSync(join(work, `nights/n${i}.csv`), `${[header, ...some].join('\n')}\n`)
    }
    const args = ['classify', 'nights', '--to', 'out/', '--to-format', 'csv', '--resume', '--threads', '1', '--quiet']
    const done = () => (existsSync(join(work, 'out')) ? readdirSync(join(work, 'out')).length : 0)
    for (let kill = 0; kill < 6; kill++) {
      const enough = done() + 1 + Math.floor(Math.random() * 12)
      const child = startLcclf(args, { cwd: work })
      const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)))
      while (done() < enough && child.exitCode === null) await sleep(1)
      child.kill('SIGKILL')
      expect(await ended).toBe('SIGKILL')
    }
    expect((await lcclf(args, { cwd: work })).code).toBe(0)
    const results = readdirSync(join(work, 'out')).filter((name) => name.endsWith('.csv') && !name.startsWith('.'))
    expect(results).toHaveLength(60)
    const oids = results.flatMap((name) =>
      readLines(`out/${name}`)
        .slice(1)
        .map((line) => line.split(',')[0]),
    )
    expect(oids.sort()).toEqual(rows.map((row) => row.split(',')[0]).sort())
  })

  it('leaves nothing half behind when it is killed or interrupted', { timeout: 120_000 }, async () => {
    const big = join(work, 'big.csv')
    const [header, ...rows] = sampleCsv()
    writeFileSync(big, `${[header, ...Array.from({ length: 60 }, () => rows.join('\n'))].join('\n')}\n`)
    for (const [signal, expected] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGKILL', null],
    ] as const) {
      const child = startLcclf(['classify', 'big.csv', '--to', 'out.csv', '--threads', '1'], { cwd: work })
      await partialIn(work)
      child.kill(signal)
      const code = await new Promise((resolve) => child.on('exit', resolve))
      expect(code).toBe(expected)
      expect(existsSync(join(work, 'out.csv'))).toBe(false)
      if (signal !== 'SIGKILL') expect(readdirSync(work)).toEqual(['big.csv'])
    }
  })

  it('ends with success when the reader of stdout goes away', async () => {
    const child = startLcclf(['classify', parquet, '--to', '-'], { cwd: work })
    child.stdout!.once('data', () => child.stdout!.destroy())
    const code = await new Promise((resolve) => child.on('exit', resolve))
    expect(code).toBe(0)
  })

  it('reads no more than --limit rows, and shards that add up to all rows', async () => {
    const limited = await hostedLcclf(['classify', parquet, csv, '--limit', '301', '--to', '-'], { cwd: work })
    expect(lines(limited.stdout)).toHaveLength(302)
    const parts = await Promise.all(
      [1, 2, 3].map((i) => hostedLcclf(['classify', parquet, '--shard', `${i}/3`, '--quiet'], { cwd: work })),
    )
    const oids = parts.flatMap(({ stdout }) =>
      lines(stdout)
        .slice(1)
        .map((line) => line.split(',')[0]),
    )
    expect(oids.sort()).toEqual(
      sampleCsv()
        .slice(1)
        .map((line) => line.split(',')[0])
        .sort(),
    )
  })

  it('keeps the newest of each oid with --duplicates newest, and counts the others', async () => {
    const [header, ...rows] = sampleCsv()
    const older = rows.slice(0, 10).map((row) => row.split(',').with(1, '1').join(','))
    writeFileSync(join(work, 'night.csv'), `${[header, ...older, ...rows].join('\n')}\n`)
    const newest = ['classify', 'night.csv', '--duplicates', 'newest', '--to', 'out.csv', '--json']
    const receipt = JSON.parse((await hostedLcclf(newest, { cwd: work })).stdout)
    expect(receipt.inputs[0]).toMatchObject({ read: 310, classified: 300, duplicates: 10, rejected: 0 })
    const all = await hostedLcclf(['classify', parquet, '--quiet'])
    expect(readFileSync(join(work, 'out.csv'), 'utf8')).toBe(all.stdout)
  })

  it('filters with the SQL of --where, and cannot be made to read or write another file by it', async () => {
    const chosen = await hostedLcclf(['classify', parquet, '--where', '"W1-W2" IS NOT NULL AND "Power_rate_1/2" > 0'])
    expect(chosen.code).toBe(0)
    const read = Number(/(\d+) read/.exec(chosen.stderr)![1])
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(300)
    for (const sql of [
      'no_such_column > 1',
      "1=1) UNION SELECT * FROM read_csv('/etc/passwd') --",
      `EXISTS (SELECT * FROM read_text('${join(work, 'secret.txt')}'))`,
      `1=1); COPY (SELECT 1) TO '${join(work, 'stolen.csv')}' --`,
    ]) {
      writeFileSync(join(work, 'secret.txt'), 'secret')
      const refused = await hostedLcclf(['classify', parquet, '--where', sql], { cwd: work })
      expect([sql, refused.code]).toEqual([sql, 2])
      expect(refused.stderr).not.toContain('secret\n')
    }
    expect(existsSync(join(work, 'stolen.csv'))).toBe(false)
    expect((await hostedLcclf(['classify', csv, '--where', 'true'])).code).toBe(2)
  })

  it.each([
    ['an unknown flag', ['--frobnicate'], 2],
    ['more threads than any machine has', ['--threads', '5000'], 2],
    ['a bad value', ['--shard', '5/3'], 2],
    ['an impossible pair', ['--json'], 2],
    ['an output below a file', ['--to', `${parquet}/out.csv`], 2],
    ['a model that is not there', ['--model', 'no_such_model@1.0.0', '--to', 'out.csv'], 4],
  ])('exits as promised for %s, with and without --json', async (_, args, code) => {
    const plain = await hostedLcclf(['classify', parquet, ...args], { cwd: work })
    expect(plain.code).toBe(code)
    expect(plain.stderr).toMatch(/^lcclf: /m)
    expect(plain.stderr).not.toMatch(/^\s+at /m)
    const json = await hostedLcclf(['classify', parquet, ...args, '--json'], { cwd: work })
    expect(json.code).toBe(code)
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } })
  })

  it('writes nothing with --dry-run, and says what it would do', async () => {
    const { code, stdout } = await hostedLcclf(['classify', parquet, '--to', 'out.parquet', '--dry-run', '--json'], {
      cwd: work,
    })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ dryRun: true, outputs: ['out.parquet'], inputs: [{ address: parquet }] })
    expect(readdirSync(work)).toEqual([])
  })
})
