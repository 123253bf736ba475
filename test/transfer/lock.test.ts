import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { isLockFree, takeLock } from '../../src/transfer/lock.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let path: string

beforeEach(() => {
  path = join(temporaryFolder(), 'x.lock')
})

describe('a lock', () => {
  it('is held by one at a time', async () => {
    let holders = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const lock = await takeLock(path)
        most = Math.max(most, ++holders)
        await new Promise((resolve) => setTimeout(resolve, 5))
        holders--
        await lock.release()
      }),
    )
    expect(most).toBe(1)
    expect(existsSync(path)).toBe(false)
  })

  it('of a process that was killed is taken over at once', async () => {
    const child = spawn('sleep', ['100'])
    writeFileSync(path, JSON.stringify({ pid: child.pid, host: hostname(), token: 'x' }))
    expect(await isLockFree(path)).toBe(false)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await isLockFree(path)).toBe(true)
    await (await takeLock(path)).release()
    expect(existsSync(path)).toBe(false)
  })

  it('of another machine is taken over once it shows no sign of life', async () => {
    writeFileSync(path, JSON.stringify({ pid: 1, host: 'elsewhere', token: 'x' }))
    const waited: unknown[] = []
    const controller = new AbortController()
    const waiting = takeLock(path, { onWait: (holder) => waited.push(holder), signal: controller.signal })
    await expect.poll(() => waited).toEqual([{ pid: 1, host: 'elsewhere' }])
    controller.abort()
    await expect(waiting).rejects.toThrow('abort')
    const longAgo = new Date(Date.now() - 1000_000)
    utimesSync(path, longAgo, longAgo)
    await (await takeLock(path)).release()
  })

  it('that was lost to another is not taken from it', async () => {
    const lock = await takeLock(path)
    writeFileSync(path, JSON.stringify({ pid: process.pid, host: hostname(), token: 'another' }))
    await lock.release()
    expect(existsSync(path)).toBe(true)
  })

  it('that cannot be written is an error, not a wait', async () => {
    writeFileSync(path, '')
    await expect(takeLock(join(path, 'below'))).rejects.toThrow()
  })
})
