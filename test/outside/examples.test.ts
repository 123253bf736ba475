import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { importModel } from '../../src/model/import-model.ts'
import { unpackFixture } from '../support/fixture-folders.ts'
import { committedIn, produce } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { commandEnvironment, samples } from '../support/lcclf.ts'
import { plainAlert, seedRun } from '../support/seed-run.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const examples = join(root, 'examples')
const tsx = import.meta.resolve('tsx')
const work = temporaryFolder()
const input = join(samples, 'ztf-300.parquet')

/** Runs an example as a reader would; it fails if the example does. */
function run(name: string, args: readonly string[] = [], env: Record<string, string> = {}): Promise<string[]> {
  return runFile(join(examples, `${name}.ts`), args, env)
}

async function runFile(file: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const program = ['--import', tsx, file, ...args]
  const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: work, env: commandEnvironment(env) })
  return stdout.trimEnd().split('\n')
}

describe('the examples', () => {
  it('are all run here, and listed for readers', () => {
    const here = readFileSync(fileURLToPath(import.meta.url), 'utf8')
    const list = readFileSync(join(examples, 'README.md'), 'utf8')
    const names = readdirSync(examples).filter((name) => name.endsWith('.ts'))
    expect(names.filter((name) => !here.includes(`'${name.slice(0, -3)}'`) || !list.includes(name))).toEqual([])
  })

  it('classify objects in memory', async () => {
    const lines = await run('objects-in-memory')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^ZTF18aaaaaaa \S+ 0\.\d{3}$/)
  })

  it('classify a file', async () => {
    const output = join(work, 'file.parquet')
    expect(await run('file-to-file', [input, output])).toEqual(['300 read, 300 classified, 0 rejected; balanced: true'])
    expect(existsSync(output)).toBe(true)
  })

  it('tell what went wrong, with the exit code of the command', async () => {
    const failed = await run('file-to-file', ['missing.parquet', 'o.csv']).catch((error: { code: number }) => error)
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining('missing.parquet') as string })
  })

  it('write to a sink of their own', async () => {
    const lines = await run('custom-sink', [input, join(work, 'sink.csv')])
    const counts = lines.slice(0, -1).map((line) => Number(/ (\d+)$/.exec(line)![1]))
    expect(counts.reduce((sum, count) => sum + count)).toBe(300)
    expect(lines.at(-1)).toBe('balanced: true')
  })

  it('read from a source of their own', async () => {
    const output = join(work, 'source.ndjson')
    const lines = await run('custom-source', [output])
    expect(lines).toEqual(['100 rows are safe', '100 rows are safe', '50 rows are safe', `250 objects in ${output}`])
    expect(readFileSync(output, 'utf8').trimEnd().split('\n')).toHaveLength(250)
  })
})

describe('the library in the docs', () => {
  it('does what it shows, in a folder that has the package installed', async () => {
    const [, code] = /```ts\n(.*?)```/s.exec(readFileSync(join(root, 'docs/library.md'), 'utf8'))!
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules/lcclf'))
    copyFileSync(input, join(work, 'night.parquet'))
    writeFileSync(join(folder, 'program.mts'), code!)
    const lines = await runFile(join(folder, 'program.mts'))
    expect(lines).toEqual([expect.stringMatching(/^\S+ 0\.\d+$/), '300 true'])
    expect(existsSync(join(work, 'classified.parquet'))).toBe(true)
  })
})

const kafka = await kafkaForTests()

describe.skipIf(!kafka)('the example of a stream', () => {
  afterAll(() => kafka?.remove())

  it('prints what arrives and commits behind it', async () => {
    const model = join(temporaryFolder(), 'bundle')
    await importModel({ source: unpackFixture('sklearn-0.22.2'), name: 'forest', version: '1.0.0', out: model })
    const topic = await kafka!.createTopic('features-of-an-example', 2)
    const values = seedRun('input')
    await produce(
      kafka!,
      topic,
      values.map((value) => ({ key: plainAlert(value).oid, value })),
    )
    const from = `kafka://${kafka!.server}/${topic}?group=example`
    const lines = await run('custom-stream', [from, '--until-caught-up'], { LCCLF_MODEL: model })
    const printed = lines.map((line) => JSON.parse(line) as { oid: string; supernova: number })
    expect(printed.map(({ oid }) => oid).sort()).toEqual(values.map((value) => plainAlert(value).oid).sort())
    const committed = await committedIn(kafka!, 'example', topic)
    expect(committed.reduce((sum, offset) => sum + Number(offset), 0)).toBe(values.length)
  })
})
