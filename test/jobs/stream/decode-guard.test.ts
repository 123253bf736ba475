import { spawn } from 'node:child_process'
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openDecodeGuard } from '../../../src/jobs/stream/decode-guard.ts'
import { markHead, markText, readMark } from '../../../src/jobs/stream/decode-marks.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const victim = fileURLToPath(new URL('../../support/decode-victim.ts', import.meta.url))

function die(folder: string, how: string): Promise<{ readonly signal: string | null; readonly said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', victim, folder, how], { stdio: 'pipe' })
  let said = ''
  child.stderr.on('data', (data: Buffer) => (said += data.toString()))
  return new Promise((resolve) => child.once('close', (_, signal) => resolve({ signal, said })))
}

/** A guard of this process, and what it was told. */
function open(folder: string, root = '/') {
  const notes: string[] = []
  const guard = openDecodeGuard({ milliseconds: 30_000, bytes: 1e9, folder, root }, (note) => notes.push(note))
  onTestFinished(() => guard.close())
  return { ...guard, notes }
}

const place = { topic: 'features', partition: 3, offset: 17n }
const from = (offset: bigint) => [{ topic: 'features', partition: 3, offset }]
const marksIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.mark'))

describe('the guard of a stream', () => {
  it('knows which message a process was decoding when it was aborted, and refuses it after two', async () => {
    const folder = temporaryFolder()
    expect((await die(folder, 'abort')).signal).toBe('SIGABRT')
    const guard = open(folder)
    expect(await guard.look(from(10n))).toEqual([
      'a process ended while it was decoding features partition 3 offset 17: after another time it is a bad message',
    ])
    expect(guard.refusal(place)).toBeUndefined()
    await die(folder, 'abort')
    expect(await guard.look(from(10n))).toContain(
      '2 processes ended while they were decoding features partition 3 offset 17: it is not decoded again',
    )
    expect(guard.refusal(place)).toBe('the process ended twice while it was being decoded')
    expect(guard.refusal({ ...place, offset: 16n })).toBeUndefined()
    expect(guard.refusal({ ...place, partition: 2 })).toBeUndefined()
    expect(guard.notes).toEqual([])
  })

  it.each(['hang', 'grow'])('names the message and ends the process when decoding makes it %s', async (how) => {
    const folder = temporaryFolder()
    const { signal, said } = await die(folder, how)
    expect(signal).toBe('SIGKILL')
    const lines = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; message: string })
    expect(lines.at(-1)).toMatchObject({
      level: 'error',
      message: expect.stringMatching(
        /^decoding features partition 3 offset 17 takes too much \(.* MB so far\): the process ends/,
      ),
    })
    const guard = open(folder)
    expect(await guard.look(from(10n))).toHaveLength(1)
  })

  it('leaves nothing behind when nothing happened, or when the messages were passed', async () => {
    const folder = temporaryFolder()
    expect(await die(folder, 'finish')).toEqual({ signal: null, said: '' })
    expect(marksIn(folder)).toEqual([])
    await die(folder, 'abort')
    const guard = open(folder)
    expect(marksIn(folder)).toHaveLength(2)
    expect(await guard.look(from(18n))).toEqual([])
    expect(marksIn(folder)).toHaveLength(1)
    await guard.close()
    expect(marksIn(folder)).toEqual([])
  })

  it('counts processes of other machines once they are silent, and no process that lives', async () => {
    const folder = temporaryFolder()
    const mark = (name: string, owner: object): string => {
      const path = join(folder, `${name}.mark`)
      writeFileSync(path, JSON.stringify({ offset: '17', topic: 'features', partition: 3, ...owner }))
      return path
    }
    const silent = mark('silent', { pid: 1, host: 'elsewhere' })
    mark('recent', { pid: 1, host: 'elsewhere' })
    mark('living', { pid: process.ppid, host: (await import('node:os')).hostname() })
    const guard = open(folder)
    expect(await guard.look(from(0n))).toEqual([])
    const before = new Date(Date.now() - 300_000)
    utimesSync(silent, before, before)
    expect(await guard.look(from(0n))).toHaveLength(1)
    // a container's next process has the number of the one before
    mark('earlier self', { pid: process.pid, host: (await import('node:os')).hostname() })
    await guard.look(from(0n))
    expect(guard.refusal(place)).toBeDefined()
  })

  it('passes over what is no mark, whoever wrote it', async () => {
    const folder = temporaryFolder()
    const good = { offset: '17', topic: 'features', partition: 3, pid: 2 ** 22 + 1, host: 'x' }
    const texts = [
      ...['', 'null', '[]', '{', '1', '{"pid":1,"host":"x"}', 'x'.repeat(100_000)],
      ...[{ offset: 17 }, { offset: '1e3' }, { offset: '' }, { offset: '-5' }, { offset: '9'.repeat(400) }].map(
        (wrong) => JSON.stringify({ ...good, ...wrong }),
      ),
      ...[{ topic: 5 }, { partition: '3' }, { pid: 'x' }, { host: null }].map((wrong) =>
        JSON.stringify({ ...good, ...wrong }),
      ),
    ]
    texts.forEach((text, i) => writeFileSync(join(folder, `${i}.mark`), text))
    const guard = open(folder)
    expect(await guard.look(from(0n))).toEqual([])
    for (const text of texts) expect(readMark(text)).toBeUndefined()
  })

  it('says once that it can remember nothing, and goes on', async () => {
    const missing = join(temporaryFolder(), 'missing')
    const guard = open(join(missing, 'streams', 'group'), missing)
    expect(guard.notes).toEqual([
      `a message that ends the process is not known again after the next start: there is no folder ${missing}`,
    ])
    guard.enter(place)
    guard.leave()
    expect(await guard.look(from(0n))).toEqual([])
  })

  it('writes marks that are read back, as long as topics can be', () => {
    const longest = { topic: 't'.repeat(249), partition: 2 ** 31 - 1, offset: 2n ** 63n - 1n }
    expect(readMark(markText(longest)!)?.place).toEqual(longest)
    const next = `${markHead(5n)}${markText(longest)!.slice(markHead(5n).length)}`
    expect(readMark(next)?.place).toEqual({ ...longest, offset: 5n })
    expect(markText({ ...longest, topic: 'ü'.repeat(1000) })).toBeUndefined()
  })
})
