// Every block of commands in README.md and docs/ is run as it stands, page by page, in a folder that has what the pages
// speak of; or a comment before it says why not.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unpackFixture } from '../support/fixture-folders.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { produce } from '../support/kafka-client.ts'
import { kafkaForTests } from '../support/kafka.ts'
import { commandEnvironment, samples, type Outcome } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { startS3Server, whyNoS3Server, type S3Server } from '../support/s3-server.ts'
import { plainAlert, seedRun } from '../support/seed-run.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Block {
  readonly line: number
  readonly commands: string
  readonly whyNot: string | undefined
}

/** The ```bash blocks of a text, each with the comments right before it. */
function blocksOf(text: string): Block[] {
  const lines = text.split('\n')
  return lines.flatMap((line, at) => {
    if (line !== '```bash') return []
    const end = lines.indexOf('```', at)
    const comments = lines.slice(0, at).reverse()
    const before = comments.slice(
      0,
      comments.findIndex((above) => !above.startsWith('<!--')),
    )
    const [, whyNot] = /<!-- not run: (.+) -->/.exec(before.join('\n')) ?? []
    return [{ line: at + 1, commands: lines.slice(at + 1, end).join('\n'), whyNot }]
  })
}

const pages = ['README.md', ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })]
  .map((path) => (path === 'README.md' ? path : join('docs', path)))
  .concat(['docs/README.md'])
  .filter((path, at, all) => path.endsWith('.md') && !path.startsWith('docs/reference/') && all.indexOf(path) === at)
  .map((path) => ({ path, blocks: blocksOf(readFileSync(join(root, path), 'utf8')) }))
  .filter(({ blocks }) => blocks.length > 0)

/**
 * A command that the waiting process can run: no pipes, redirections, loops and variables. A stream and a doctor end their
 * process; what S3 fetches is removed when it ends.
 */
const plainCommand = /^lcclf (?!stream|doctor|.*s3:)(?:[^"'|;&<>$()`\\]|'[^']*'|"[^"$`\\]*")*$/

/** One command a line, without comments. */
function commandLines(commands: string): string[] {
  return commands
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
}

function wordsOf(line: string): string[] {
  const words = line.match(/(?:[^\s"']|'[^']*'|"[^"]*")+/g) ?? []
  return words.map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single, double) => `${single ?? double}`))
}

const outputFlags = new Set(['--to', '--out', '--report', '--receipt'])

/** Pages show outputs under the names that others read: what the command would refuse to replace goes first. */
function removeOutputs(words: readonly string[], folder: string): void {
  if (words.includes('--resume')) return
  words.forEach((word, at) => {
    const output = words[at + 1]
    if (outputFlags.has(word) && output !== undefined && !/^-$|:\/\//.test(output))
      rmSync(join(folder, output), { recursive: true, force: true })
  })
}

const kafka = await kafkaForTests()
const whyNoS3 = await whyNoS3Server()
const today = new Date()
let template: string
let home: string
let server: string
let s3: S3Server | undefined
const databases: TestDatabase[] = []

beforeAll(async () => {
  template = temporaryFolder()
  home = temporaryFolder()
  prepareFolder(template)
  const model = join(samples, 'model')
  const stored = join(home, 'models/hierarchical_random_forest/1.0.0')
  mkdirSync(stored, { recursive: true })
  cpSync(model, stored, { recursive: true })
  await hostedLcclf(['classify', 'night.parquet', '--model', 'bundle/', '--to', 'classified.parquet'], {
    cwd: template,
  })
  for (const name of ['yesterday', 'today', 'version-1.0', 'version-1.1'])
    cpSync(join(template, 'classified.parquet'), join(template, `${name}.parquet`))
  server = await sharedPostgres()
  if (whyNoS3 === undefined) {
    s3 = await startS3Server(['survey'])
    const bucket = s3.bucketFolder('survey')
    for (const folder of ['nights', 'pickles'])
      cpSync(join(template, folder), join(bucket, folder), { recursive: true })
  }
  if (kafka) {
    await kafka.createTopic('features', 1)
    const timestamp = BigInt(today.getTime())
    const messages = seedRun('input').map((value) => ({ key: plainAlert(value).oid, value, timestamp }))
    await produce(kafka, 'features', messages)
  }
})

afterAll(async () => {
  for (const database of databases) await database.drop()
  s3?.close()
  await kafka?.remove()
})

/** What pages take for granted: nights, results, labels, a bundle, pickles, a deployment's settings. */
function prepareFolder(folder: string): void {
  const night = join(samples, 'ztf-300.parquet')
  for (const name of ['ztf-300.parquet', 'ztf-300.csv.gz', 'ztf-300-labels.csv'])
    cpSync(join(samples, name), join(folder, name))
  cpSync(join(samples, 'ztf-300-labels.csv'), join(folder, 'labels.csv'))
  mkdirSync(join(folder, 'nights'))
  for (const name of ['night.parquet', 'nights/2026-11-21.parquet', 'nights/2026-11-22.parquet'])
    cpSync(night, join(folder, name))
  cpSync(join(samples, 'model'), join(folder, 'bundle'), { recursive: true })
  const pickles = unpackFixture('sklearn-1.5.2')
  cpSync(pickles, join(folder, 'pickles'), { recursive: true })
  const sums = readdirSync(pickles).map((name) => {
    const sum = createHash('sha256')
      .update(readFileSync(join(pickles, name)))
      .digest('hex')
    return `${sum}  ${name}\n`
  })
  writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''))
  cpSync(join(root, 'test/fixtures/config/production.yaml'), join(folder, 'config.yaml'))
}

/** The survey's tables with the samples in them, as its pipeline leaves them before the classifier. */
async function databaseOf(page: string): Promise<TestDatabase> {
  const database = await createDatabase(server, page === 'docs/moving.md' ? { tables: 'none' } : { withHistory: true })
  databases.push(database)
  if (page === 'docs/moving.md') return database
  const csv = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz'))).toString()
  const [names, ...rows] = csv
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))
  await database.addObjects(rows.map(([oid]) => oid!))
  await database.query(`INSERT INTO feature_version (version) VALUES ('1.1.6') ON CONFLICT DO NOTHING`)
  await database.query(
    `INSERT INTO feature (oid, name, value, fid, version)
     SELECT o.oid, n.name, v.value, 0, '1.1.6' FROM unnest($1::text[]) WITH ORDINALITY o(oid, i),
     unnest($2::text[]) WITH ORDINALITY n(name, k),
     unnest($3::float8[]) WITH ORDINALITY v(value, at) WHERE v.at = (o.i - 1) * $4::int + n.k`,
    [
      rows.slice(0, 10).map(([oid]) => oid),
      names!.slice(2),
      rows.slice(0, 10).flatMap((row) => row.slice(2).map((text) => (text === '' ? null : Number(text)))),
      names!.length - 2,
    ],
  )
  return database
}

/** of the deployment whose config.yaml is there */
const settings = {
  ...{ KAFKA_SERVER: 'broker:9092', KAFKA_USERNAME: 'me', KAFKA_PASSWORD: 'hush' },
  ...{ MODEL_PATH: 'bundle', SCHEMAS: join(root, 'test/fixtures/kafka') },
}

interface Places {
  readonly folder: string
  readonly env: Record<string, string>
  readonly database: TestDatabase | undefined
}

/** The page's places are ours; a stream ends once it has read what is there. */
function inOurPlaces(commands: string, { database }: Places): string {
  return commands
    .replaceAll(/kafka:\/\/broker(:9092)?\//g, `kafka://${kafka?.server}/`)
    .replaceAll(/postgres:\/\/\w+@db\/\w+/g, database?.url ?? 'postgres://nobody@nowhere')
    .replaceAll(/--on \d{4}-\d\d-\d\d/g, `--on ${today.toISOString().slice(0, 10)}`)
    .replaceAll(/--metrics-port \d+/g, '--metrics-port 0')
    .replaceAll(/^lcclf stream (?!.*(--dry-run|--until-caught-up)).*$/gm, '$& --until-caught-up')
}

function runLine(line: string, { folder, env }: Places): Promise<Outcome> {
  if (plainCommand.test(line)) {
    const [, ...words] = wordsOf(line)
    removeOutputs(words, folder)
    return hostedLcclf(words, { cwd: folder, env })
  }
  const script = `lcclf() { node '${join(root, 'bin/run.js')}' "$@"; }\n${line}`
  return new Promise((resolve) => {
    const options = { cwd: folder, env: commandEnvironment(env) }
    execFile('bash', ['-euo', 'pipefail', '-c', script], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    )
  })
}

describe('the commands of the docs', () => {
  it('are run, or say why not', () => {
    const blocks = pages.flatMap((page) => page.blocks)
    const run = blocks.filter(({ whyNot }) => whyNot === undefined)
    // a page that is added has its blocks run; fewer means that the search has gone wrong
    expect(run.length).toBeGreaterThanOrEqual(30)
    expect(blocks.length - run.length).toBeLessThan(run.length)
    // what is typed stands in ```bash, where it is run
    const unnamed = pages.flatMap(({ path }) =>
      [...readFileSync(join(root, path), 'utf8').matchAll(/^```(sh|shell|zsh)?\n(?:\$ )?(?:lcclf|npx lcclf) /gm)].map(
        () => path,
      ),
    )
    expect(unnamed).toEqual([])
  })

  describe.each(pages.filter(({ blocks }) => blocks.some(({ whyNot }) => whyNot === undefined)))(
    '$path',
    ({ path, blocks }) => {
      const run = blocks.filter(({ whyNot }) => whyNot === undefined)
      const text = run.map(({ commands }) => commands).join('\n')
      const lacks = (/kafka:\/\//.test(text) && !kafka) || (/s3:\/\//.test(text) && whyNoS3 !== undefined)

      it.skipIf(lacks)(`does what its ${run.length} blocks say`, async () => {
        const folder = temporaryFolder()
        cpSync(template, folder, { recursive: true })
        const ownHome = temporaryFolder()
        cpSync(home, ownHome, { recursive: true })
        const env = { LCCLF_HOME: ownHome, LC_ALL: 'C.UTF-8', ...settings, ...s3?.environment }
        const database = text.includes('postgres://') ? await databaseOf(path) : undefined
        const places = { folder, env, database }
        for (const { line, commands } of run) {
          for (const command of commandLines(commands).map((typed) => inOurPlaces(typed, places))) {
            const { code, stderr } = await runLine(command, places)
            expect(code, `${path}:${line}: ${command}\n${stderr}`).toBe(0)
          }
        }
      })
    },
  )
})
