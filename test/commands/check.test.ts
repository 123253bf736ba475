import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { importedEstimator } from '../support/imported-estimator.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const csv = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz'))).toString()
const [header, ...lines] = csv.trimEnd().split('\n') as [string, ...string[]]
const names = header.split(',')
/** the survey's spelling since 2024 */
const modern = names.map((name) => (/[/-]/.test(name) ? `${name.replace(/[/-]/g, '_')}_12` : name))
let work: string

interface Report {
  readonly command: string
  readonly inputs: readonly { readonly read: number }[]
  readonly findings: readonly { severity: string; what: string; column: string | null; message: string; hint: string }[]
}

beforeAll(() => {
  work = temporaryFolder()
  write('modern.csv', modern)
})

/** A CSV file of the samples with other names, and with each row's cells changed. */
function write(file: string, columns: readonly string[], change = (cells: string[]) => cells): string {
  const rows = lines.map((line) => change(line.split(',')).join(','))
  writeFileSync(join(work, file), `${[columns.join(','), ...rows].join('\n')}\n`)
  return join(work, file)
}

async function report(args: string[]): Promise<Report & { code: number | null }> {
  const { code, stdout } = await hostedLcclf(['check', ...args, '--json'])
  return { code, ...(JSON.parse(stdout) as Report) }
}

const bad = ({ findings }: Report) => findings.filter(({ severity }) => /failed|warning/.test(severity))

describe('lcclf check', () => {
  it('finds nothing odd in the samples, whatever their format', async () => {
    for (const file of ['ztf-300.parquet', 'ztf-300.csv.gz']) {
      const found = await report([join(samples, file)])
      expect([file, found.code, bad(found), found.inputs[0]!.read]).toEqual([file, 0, [], 300])
    }
  })

  it('names every missing feature, what it is called here, and the map that mends it', async () => {
    const found = await report([join(work, 'modern.csv')])
    const failed = bad(found)
    expect(found.code).toBe(3)
    expect(failed).toHaveLength(13)
    expect(failed).toContainEqual(
      expect.objectContaining({
        column: 'Power_rate_1/2',
        message: 'is missing; here it is called Power_rate_1_2_12',
        hint: '--rename-map alerce-2024',
      }),
    )
    const mended = await report([join(work, 'modern.csv'), '--rename-map', 'alerce-2024'])
    expect([mended.code, bad(mended)]).toEqual([0, []])
  })

  it('proposes no other quantity for a feature: the survey never read PPE as the Period_fit that it was', async () => {
    const path = write(
      'ppe.csv',
      names.map((name) => (name === 'Period_fit' ? 'PPE' : name)),
    )
    const found = bad(await report([path]))
    expect(found).toMatchObject([{ column: 'Period_fit', hint: null }])
    expect(found[0]!.message).toMatch(/^is missing; PPE was its name at another time, but .* classes would differ/)
  })

  it.each(['objectId', 'diaObjectId', 'object_id', 'OID', 'id'])(
    'proposes %s for the object ids, and looks at ids and values with it',
    async (column) => {
      const path = write(`${column}.csv`, [column, ...names.slice(1)])
      const found = await report([path])
      const { code, findings, inputs } = found
      const hint = `--id-column ${column}`
      expect(bad(found)).toMatchObject([{ severity: 'failed', what: 'columns', column: 'oid', hint }])
      expect([code, inputs[0]!.read]).toEqual([3, 300])
      expect(findings.filter(({ severity }) => severity === 'ok').map(({ what }) => what)).toContain('values')
      const { stdout } = await hostedLcclf(['check', path])
      expect(stdout).toContain(`\n  try: --id-column ${column}\n`)
      expect((await report([path, '--id-column', column])).code).toBe(0)
      const refused = await hostedLcclf(['classify', path])
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining(`${hint} reads the object ids`)])
    },
  )

  it('proposes ids in NDJSON as in other files, and says where nothing comes near', async () => {
    const objects = lines.slice(0, 40).map((line) => {
      const cells = line
        .split(',')
        .map((cell) => (cell === '' ? null : Number.isFinite(Number(cell)) ? Number(cell) : cell))
      return Object.fromEntries(names.map((name, i) => [name === 'oid' ? 'objectId' : name, cells[i]]))
    })
    const file = join(work, 'fink.ndjson')
    writeFileSync(file, objects.map((one) => `${JSON.stringify({ ...one, candid: undefined })}\n`).join(''))
    expect(bad(await report([file]))).toMatchObject([{ column: 'oid', hint: '--id-column objectId' }])
    const [strange] = bad(await report([write('strange.csv', ['what', ...names.slice(1)])]))
    expect(strange).toMatchObject({
      column: 'oid',
      message: 'is missing',
      hint: 'Name the column of object ids with --id-column.',
    })
  })

  it('mentions a column that may hold candids, which files do not need', async () => {
    const found = await report([write('alerts.csv', ['oid', 'candidate_id', ...names.slice(2)])])
    expect([found.code, bad(found)]).toEqual([0, []])
    expect(found.findings).toContainEqual(
      expect.objectContaining({ severity: 'ok', column: 'candid', hint: '--candid-column candidate_id' }),
    )
  })

  it('calls values usual only where it looked at them, and says at how many rows', async () => {
    const values = async (...args: string[]) =>
      (await report(args)).findings.flatMap(({ what, severity, message }) =>
        what === 'values' ? [[severity, message]] : [],
      )
    const file = join(samples, 'ztf-300.parquet')
    expect(await values(file)).toEqual([
      ['ok', '152 of 152 features are as usual (profile: 8,000 rows of ztf-8k.parquet), in 300 rows'],
    ])
    const few = '152 of 152 features have too few values in 10 rows to be compared'
    expect(await values(file, '--limit', '10')).toEqual([['skipped', few]])
    expect(await values(file, '--limit', '40')).toEqual([
      ['ok', '137 of 152 features are as usual (profile: 8,000 rows of ztf-8k.parquet), in 40 rows'],
      ['skipped', '15 of 152 features have too few values in 40 rows to be compared'],
    ])
    expect(await values(write('unread.csv', ['what', ...names.slice(1)]))).toEqual([
      ['skipped', 'not looked at, because rows cannot be read'],
    ])
  })

  it('warns of what is null, constant or in another unit, of repeated oids, and still says that classify would run', async () => {
    const place = (name: string) => names.indexOf(name)
    const path = write('odd.csv', names, (cells) => {
      cells[place('Amplitude_1')] = ''
      cells[place('sgscore1')] = '0.5'
      if (cells[place('Multiband_period')] !== '') {
        cells[place('Multiband_period')] = String(Number(cells[place('Multiband_period')]) * 1000)
      }
      return cells
    })
    const written = readFileSync(path, 'utf8')
    writeFileSync(path, `${written}${written.split('\n')[1]}\n`)
    const found = await report([path])
    expect(found.code).toBe(0)
    expect(bad(found).map(({ column, what }) => column ?? what)).toEqual([
      'ids',
      'Amplitude_1',
      'Multiband_period',
      'sgscore1',
    ])
  })

  it('says that rows would be rejected, and fails where all would be', async () => {
    const places = ['Amplitude_1', 'gal_b', 'rb'].map((name) => names.indexOf(name))
    const path = write('text.csv', names, (cells) => cells.map((cell, i) => (places.includes(i) ? 'bright' : cell)))
    const found = await report([path])
    expect(found.code).toBe(3)
    expect(bad(found).map(({ what, message }) => [what, message.replace(/ \(.*/, '')])).toEqual(
      ['Amplitude_1', 'gal_b', 'rb'].map((name) => ['rows', `300 of 300 would be rejected: ${name} is not a number`]),
    )
  })

  it('reads stdin once, whatever is missing', async () => {
    const { code, stdout } = await lcclf(['check', '-', '--from-format', 'csv'], {
      input: readFileSync(join(work, 'modern.csv')),
    })
    expect(code).toBe(3)
    expect(stdout).toContain('try: --rename-map alerce-2024')
    expect(stdout).toContain('139 of 139 features are as usual')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
  })
})

describe('--rename-map', () => {
  it('gives the same classes as the old names do, from every format that has names', async () => {
    const { stdout: expected } = await hostedLcclf(['classify', join(samples, 'ztf-300.csv.gz'), '--quiet'])
    const value = (cell: string) => (cell === '' ? 'null' : Number.isFinite(Number(cell)) ? cell : `"${cell}"`)
    const ndjson = lines.map(
      (line) =>
        `{${line
          .split(',')
          .map((cell, i) => `"${modern[i]}":${value(cell)}`)
          .join(',')}}`,
    )
    writeFileSync(join(work, 'modern.ndjson'), `${ndjson.join('\n')}\n`)
    for (const file of ['modern.csv', 'modern.ndjson']) {
      const { stdout } = await hostedLcclf(['classify', join(work, file), '--rename-map', 'alerce-2024', '--quiet'])
      expect([file, stdout === expected]).toEqual([file, true])
    }
  })

  it('passes over what is not there, gives way to --rename, and must be known', async () => {
    const usual = await hostedLcclf([
      'classify',
      join(samples, 'ztf-300.parquet'),
      '--rename-map',
      'alerce-2024',
      '--quiet',
    ])
    expect(usual.code).toBe(0)
    const other = modern.map((name) => (name === 'W1_W2_12' ? 'mine' : name))
    const path = write('mine.csv', [...other, 'W1_W2'], (cells) => [...cells, 'no number'])
    const args = ['classify', path, '--rename-map', 'alerce-2024', '--quiet']
    expect((await hostedLcclf(args)).code).toBe(3)
    expect((await hostedLcclf([...args, '--rename', 'mine=W1-W2'])).code).toBe(0)
    const unknown = await hostedLcclf(['classify', path, '--rename-map', 'alerce'])
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('Known are: alerce-2024')])
  })
})

describe('a model with a profile', () => {
  it('tells at the end of classify what is badly off, and nothing of usual inputs', async () => {
    const place = names.indexOf('Amplitude_2')
    const path = write('gone.csv', names, (cells) => cells.map((cell, i) => (i === place ? '' : cell)))
    const { stderr } = await hostedLcclf(['classify', path, '--to', join(work, 'gone.parquet')])
    expect(stderr).toContain('a feature is unusual (Amplitude_2: all 300 rows that were looked at lack it')
    const usual = await hostedLcclf(['classify', join(samples, 'ztf-300.parquet'), '--to', join(work, 'usual.parquet')])
    expect(usual.stderr).not.toContain('unusual')
  })

  it('warns with --watch-quality while it classifies, and in the receipt, and changes no answer', async () => {
    const place = names.indexOf('Amplitude_2')
    const path = write('watch.csv', names, (cells) => cells.map((cell, i) => (i === place ? '' : cell)))
    const args = ['classify', path, path.replace('watch', 'gone'), '--batch-size', '100']
    const { stdout: expected } = await hostedLcclf(args)
    const receipt = join(work, 'receipt.json')
    const { stdout, stderr } = await hostedLcclf([...args, '--watch-quality', '--receipt', receipt])
    expect(stdout).toBe(expected)
    expect(stderr.match(/warning: Amplitude_2 \(light-curve statistics\) is missing in 100 %/g)).toHaveLength(1)
    const { notes } = JSON.parse(readFileSync(receipt, 'utf8')) as { notes: string[] }
    expect(notes[0]).toContain('night watch: Amplitude_2')
  })

  it('shows usual values beside those of an explained object', async () => {
    const args = ['explain', join(samples, 'ztf-300.parquet'), '--oid', 'ZTF19aaaaaab', '--approximate']
    const { stdout } = await hostedLcclf([...args, '--json'])
    const { ranking } = JSON.parse(stdout) as { ranking: { training: { q50: number } | null }[] }
    expect(ranking[0]!.training?.q50).toBeTypeOf('number')
    expect((await hostedLcclf(args)).stdout).toMatch(/usual 5 % +median +95 %/)
  })
})

describe('a model that keeps missing and infinite values', () => {
  it('is compared with its profile, in which null is null and every value lies', async () => {
    const folder = temporaryFolder()
    const rows = join(folder, 'lgb-multi.csv')
    const { model } = await importedEstimator(folder, 'lgb-multi', ['--profile', rows])
    const same = await report([rows, '--model', model])
    expect(same.code).toBe(0)
    expect(bad(same)).toEqual([])
    const lines = readFileSync(rows, 'utf8').trimEnd().split('\n')
    const without = lines.map((line, i) => (i === 0 ? line : line.replace(/^(o\d+),[^,]*/, '$1,')))
    writeFileSync(join(folder, 'without.csv'), `${without.join('\n')}\n`)
    expect(bad(await report([join(folder, 'without.csv'), '--model', model]))).toEqual([
      expect.objectContaining({ column: 'f0', message: expect.stringContaining('lack it; usual is') as string }),
    ])
  })
})
