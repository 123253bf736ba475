// The contract of inputs where they are not files, and where a model's profile comes from.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { createDatabase, type TestDatabase } from '../support/postgres-database.ts'
import { sharedPostgres } from '../support/postgres-shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { unpackPickles } from '../support/unpacked-pickles.ts'

const csv = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz'))).toString()
const [header, ...lines] = csv.trimEnd().split('\n') as [string, ...string[]]
const names = header.split(',')
const rows = lines.map((line) => line.split(','))
/** the survey's spelling since 2024 */
const modern = names.map((name) => (/[/-]/.test(name) ? `${name.replace(/[/-]/g, '_')}_12` : name))
const isText = (name: string): boolean => rows.some((cells) => Number.isNaN(Number(cells[names.indexOf(name)])))

let database: TestDatabase
let work: string

beforeAll(async () => {
  work = temporaryFolder()
  database = await createDatabase(await sharedPostgres(), { tables: 'none' })
  const quoted = (name: string): string => `"${name}"`
  const columns = names.map((name, i) => {
    const type = isText(name) ? 'text' : name === 'candid' ? 'bigint' : 'float8'
    return `${quoted(modern[i]!)} ${type}`
  })
  await database.query(`CREATE TABLE night (place int, ${columns.join(', ')})`)
  for (const [place, cells] of rows.entries()) {
    await database.query(
      `INSERT INTO night VALUES (${[place, ...cells.map((cell) => (cell === '' ? 'NULL' : `'${cell}'`))].join(', ')})`,
    )
  }
})

afterAll(() => database.drop())

const query = (): string => `${database.url}?query=${encodeURIComponent('SELECT * FROM night ORDER BY place')}`
const renamed = ['--rename-map', 'alerce-2024']

describe('features under their names of 2024', () => {
  it('are checked and classified out of Postgres as out of a file', async () => {
    const { stdout: expected } = await hostedLcclf(['classify', join(samples, 'ztf-300.csv.gz'), '--quiet'])
    const without = await hostedLcclf(['check', query(), '--json'])
    expect(without.code).toBe(3)
    expect(without.stdout).toContain('--rename-map alerce-2024')
    expect(without.stdout + without.stderr).not.toContain(new URL(database.url).password || 'nothing')
    expect((await hostedLcclf(['check', query(), ...renamed])).code).toBe(0)
    const { stdout } = await hostedLcclf(['classify', query(), ...renamed, '--quiet'])
    expect(stdout).toBe(expected)
  })

  it('are classified out of Arrow as out of a file', async () => {
    const { stdout: expected } = await hostedLcclf(['classify', join(samples, 'ztf-300.csv.gz'), '--quiet'])
    const column = (name: string): unknown[] | BigInt64Array => {
      const cells = rows.map((row) => row[names.indexOf(name)]!)
      if (name === 'candid') return BigInt64Array.from(cells, BigInt)
      return isText(name) ? cells : cells.map((cell) => (cell === '' ? null : Number(cell)))
    }
    const table = tableFromArrays(Object.fromEntries(names.map((name, i) => [modern[i]!, column(name)])))
    const path = join(work, 'modern.arrow')
    writeFileSync(path, tableToIPC(table, 'file'))
    expect((await hostedLcclf(['check', path])).code).toBe(3)
    const { stdout } = await hostedLcclf(['classify', path, ...renamed, '--quiet'])
    expect(stdout).toBe(expected)
  })
})

describe('the profile of a model', () => {
  const imported = async (name: string, ...more: string[]): Promise<string> => {
    const pickles = join(work, 'pickles')
    if (!existsSync(pickles)) unpackPickles('1.5.2', pickles)
    const out = join(work, name)
    const args = ['model', 'import', pickles, '--name', 'forest', '--version', '1', '--out', out, ...more]
    expect((await hostedLcclf(args)).code).toBe(0)
    return out
  }

  it('is what --profile says of a file: its rows, what is missing in each feature, and the classes', async () => {
    const out = await imported('profiled', '--profile', join(samples, 'ztf-300.parquet'))
    const profile = JSON.parse(readFileSync(join(out, 'profile.json'), 'utf8')) as {
      rows: number
      features: { name: string; missing: number; values: { minimum: number; maximum: number } }[]
    }
    expect(profile.rows).toBe(300)
    for (const { name, missing, values: ends } of profile.features) {
      const values = rows.map((row) => row[names.indexOf(name)]!).filter((cell) => cell !== '')
      const numbers = values.map((cell) => Math.fround(Number(cell)))
      const found = [ends.minimum, ends.maximum].map(Math.fround)
      const expected = [Math.min(...numbers), Math.max(...numbers)]
      expect([name, missing, found]).toEqual([name, 300 - values.length, expected])
    }
    const { stdout } = await hostedLcclf(['check', join(samples, 'ztf-300.parquet'), '--model', out])
    expect(stdout).toContain('profile: 300 rows of ztf-300.parquet')
    expect((await hostedLcclf(['model', 'verify', out])).code).toBe(0)
  })

  it('is not made of rows that nobody has seen, and then nothing else of the bundle is another', async () => {
    const out = await imported('plain')
    expect(existsSync(join(out, 'profile.json'))).toBe(false)
    const profiled = await imported('profiled-again', '--profile', join(samples, 'ztf-300.parquet'))
    for (const file of ['forest.arrow', 'leaves.arrow', 'covers.arrow', 'golden.arrow']) {
      expect([file, readFileSync(join(out, file)).equals(readFileSync(join(profiled, file)))]).toEqual([file, true])
    }
    const checked = await hostedLcclf(['check', join(samples, 'ztf-300.parquet'), '--model', out])
    expect([checked.code, checked.stdout]).toEqual([0, expect.stringContaining('no profile')])
  })
})
