import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openRejectsLog } from '../../../src/jobs/classify/rejects-log.ts'
import { UsageError } from '../../../src/errors.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let path: string

beforeEach(() => {
  path = join(temporaryFolder(), 'rejects.ndjson')
})

const read = () => readFileSync(path, 'utf8')
const one = { oid: 'ZTF18aaabskg', where: 'night.csv line 3', reason: 'gal_b is not a number', value: 'x' }

describe('the log of rejects', () => {
  it('appears whole when the run has ended, in place of an older one', async () => {
    writeFileSync(path, 'older\n')
    const log = await openRejectsLog(path, 'whole')
    await log.write([one])
    expect(read()).toBe('older\n')
    await log.publish()
    await log.close()
    expect(read()).toBe(`${JSON.stringify(one)}\n`)
  })

  it('leaves the older one if the run does not end', async () => {
    writeFileSync(path, 'older\n')
    const log = await openRejectsLog(path, 'whole')
    await log.write([one])
    await log.close()
    expect(read()).toBe('older\n')
  })

  it('grows in place, and goes on after a line that a killed run left half', async () => {
    const first = await openRejectsLog(path, 'growing')
    await first.write([one])
    await first.sync()
    expect(read()).toBe(`${JSON.stringify(one)}\n`)
    await first.close()
    writeFileSync(path, `${read()}{"oid":"half`)
    const second = await openRejectsLog(path, 'resumed')
    await second.write([one])
    await second.publish()
    await second.close()
    expect(read()).toBe(`${JSON.stringify(one)}\n{"oid":"half\n${JSON.stringify(one)}\n`)
  })

  it('keeps the message of a rejected row out of it', async () => {
    const message = { topic: 't', partition: 0, offset: 1n, timestamp: 0n, key: null, value: null }
    const log = await openRejectsLog(path, 'growing')
    await log.write([{ ...one, message }])
    await log.close()
    expect(read()).toBe(`${JSON.stringify(one)}\n`)
  })

  it('is a matter of the command line where it cannot be written', async () => {
    writeFileSync(path, 'a file')
    await expect(openRejectsLog(join(path, 'below', 'rejects.ndjson'), 'whole')).rejects.toThrow(UsageError)
    expect(read()).toBe('a file')
  })
})
