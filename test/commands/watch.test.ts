// What a batch run's night watch finds, shown, accepted, and held to the schema of its alerts by a webhook.
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const state = join(work, 'state.json')
const model = ['--model', join(samples, 'model')]
const [header, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
  .toString()
  .trimEnd()
  .split('\n')
  .map((line) => line.split(','))

/** The sample objects six times, with oids of their own; from a place on those of some columns are null. */
function night(name: string, isMissing: (column: string) => boolean, from = 900): string {
  const missing = new Set(header!.flatMap((column, i) => (isMissing(column) ? [i] : [])))
  const lines = Array.from({ length: 6 * rows.length }, (_, n) => {
    const cells = rows[n % rows.length]!.map((cell, i) => (n >= from && missing.has(i) ? '' : cell))
    return [`ZTF${n}`, ...cells.slice(1)].join(',')
  })
  const path = join(work, name)
  writeFileSync(path, `${[header!.join(','), ...lines].join('\n')}\n`)
  return path
}

const isWise = (column: string): boolean => /W\d$/.test(column)
const bodies: unknown[] = []
let first: Awaited<ReturnType<typeof lcclf>>

beforeAll(async () => {
  const webhook = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      bodies.push(JSON.parse(Buffer.concat(parts).toString()))
      response.end()
    })
  })
  await once(webhook.listen(0, '127.0.0.1'), 'listening')
  const { port } = webhook.address() as AddressInfo
  const told = ['--watch-state', state, '--alert', `http://127.0.0.1:${port}/hook`]
  first = await lcclf([
    'classify',
    night('lost.csv', isWise),
    ...model,
    '--to',
    join(work, 'lost-classes.csv'),
    ...told,
  ])
  webhook.close()
})

const show = async (): Promise<string> => (await lcclf(['watch', 'show', '--watch-state', state])).stdout

describe('lcclf watch', () => {
  it('shows what a run found, which the run said once', async () => {
    expect(first.code).toBe(0)
    expect(first.stderr.match(/warning: WISE colours .* are missing in 100 %/g)).toHaveLength(1)
    expect(await show()).toContain('WISE colours')
  })

  it('sends alerts as the schema says', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
      JSON.parse(readFileSync(join(samples, '../schemas/watch-alert.json'), 'utf8')) as object,
    )
    expect(bodies.length).toBeGreaterThan(0)
    for (const body of bodies) expect(validate(body), JSON.stringify(validate.errors)).toBe(true)
  })

  it('accepts by name what is usual from now on, and only what is open', async () => {
    const unknown = await lcclf(['watch', 'accept', 'periods', '--watch-state', state])
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('no open alarm is about periods') })
    const accepted = await lcclf(['watch', 'accept', 'WISE colours', '--watch-state', state])
    expect(accepted).toMatchObject({ code: 0, stdout: expect.stringContaining('accepted: WISE colours') })
    const again = await lcclf(['watch', 'accept', 'WISE colours', '--watch-state', state])
    expect(again.stderr).toContain('None is open.')
  })

  it('says nothing more of what was accepted', async () => {
    const path = night('accepted.csv', isWise, 0)
    const next = await lcclf(['classify', path, ...model, '--to', join(work, 'next.csv'), '--watch-state', state])
    expect(next.code).toBe(0)
    expect(next.stderr).not.toContain('WISE colours')
  })

  it('names families of a file of the user’s', async () => {
    const families = join(work, 'families.json')
    writeFileSync(families, JSON.stringify({ 'my catalogue': ['W*', 'g-W*', 'r-W*'] }))
    const flags = ['--families', families, '--watch-state', join(work, 'other.json')]
    const { stderr } = await lcclf([
      'classify',
      join(work, 'lost.csv'),
      ...model,
      '--to',
      join(work, 'f.csv'),
      ...flags,
    ])
    expect(stderr).toMatch(/warning: my catalogue \(W1-W2, .* are missing/)
  })

  it('begins anew where its memory is damaged, and says so', async () => {
    writeFileSync(state, '{"half":')
    const path = join(work, 'lost.csv')
    const { code, stderr } = await lcclf([
      ...['classify', path, ...model, '--to', join(work, 'anew.csv'), '--watch-state', state],
    ])
    expect(code).toBe(0)
    expect(stderr).toMatch(/state\.json was damaged \(.*\): it is begun anew, and kept as .*state\.json\.damaged/)
    expect(stderr).toContain('WISE colours')
  })
})
