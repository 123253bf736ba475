// Whose something is, by the mark in its name: a process that lives, one that has ended, one that nobody here knows.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasEnded, leftBehind, ownerHere, ownerMark } from '../src/owner.ts'
import { openReplacement } from '../src/whole-file.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

async function endedPid(): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid!
}

const machine = ownerMark().split('-')[1]!

describe('what a process left', () => {
  it('is known by its mark where the process was of this machine and has ended', async () => {
    const pid = await endedPid()
    const ended = `night-${pid}-${machine}`
    const others = [`night-${ownerMark()}`, `night-${pid}-00000000`, `day-${pid}-${machine}`, `night-${pid}`, 'night-x']
    expect(leftBehind([...others, ended, `${ended}abc.partial`], 'night-')).toEqual([ended, `${ended}abc.partial`])
  })

  it('is nobody’s to judge where processes are counted apart, as in containers that share the machine’s name', async () => {
    const pid = await endedPid()
    expect(hasEnded({ pid, host: hostname() })).toBe(true)
    expect(hasEnded({ ...ownerHere(), pid })).toBe(true)
    expect(hasEnded({ pid, host: hostname(), space: 'pid:[1]' })).toBe(false)
    expect(hasEnded({ pid, host: 'elsewhere' })).toBe(false)
  })

  it('of a file is removed by whoever writes the same, also under the longest names', async () => {
    const pid = await endedPid()
    for (const name of ['night.csv', `${'夜'.repeat(83)}.csv`]) {
      const begin = (folder: string) => openReplacement({ path: join(folder, name), address: name, overwrite: false })
      const elsewhere = temporaryFolder()
      const other = await begin(elsewhere)
      const [partial] = readdirSync(elsewhere)
      await other.close()
      const folder = temporaryFolder()
      const kept = '.other.csv.1-0000000000000000.partial'
      for (const left of [partial!.replace(`.${process.pid}-`, `.${pid}-`), kept]) writeFileSync(join(folder, left), '')
      await (await begin(folder)).close()
      expect(readdirSync(folder)).toEqual([kept])
    }
  })
})
