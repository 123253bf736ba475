// A lock file that names its holder: one process at a time.
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemCode } from '../errors.ts'
import { hasEnded, type Owner, ownerHere, parseOwner } from '../owner.ts'

const pollMs = 200
const usualStaleMs = 120_000
const beatMs = 10_000

/**
 * Waits for a lock and takes it: one process at a time. What it guards is safe without it; it saves doing work twice.
 *
 * The lock of a process that was killed is taken over at once; that of one on another machine, or stopped, after `staleMs`
 * without a sign of life: so nobody waits forever.
 *
 * @param options.onWait called once, when another process holds it
 * @throws the system's error where the lock file cannot be written, and the signal's reason
 */
export async function takeLock(
  path: string,
  options: { onWait?: (holder: Owner | undefined) => void; signal?: AbortSignal; staleMs?: number } = {},
) {
  const { onWait, signal, staleMs = usualStaleMs } = options
  await mkdir(dirname(path), { recursive: true })
  const token = JSON.stringify({ ...ownerHere(), token: randomBytes(8).toString('hex') })
  let hasWaited = false
  while (!(await create(path, token))) {
    const seen = await look(path)
    if (seen && isGone(seen, staleMs)) {
      await breakLock(path, seen.text)
      continue
    }
    if (!hasWaited && seen) onWait?.(parseOwner(seen.text))
    hasWaited = true
    await delay(pollMs, undefined, signal ? { signal } : {})
  }
  const beat = setInterval(() => {
    const now = new Date()
    void utimes(path, now, now).catch(() => undefined)
  }, beatMs)
  beat.unref()
  return {
    async release(): Promise<void> {
      clearInterval(beat)
      // it may have been taken over meanwhile
      if ((await look(path))?.text === token) await rm(path, { force: true })
    },
  }
}

async function create(path: string, token: string): Promise<boolean> {
  try {
    await writeFile(path, token, { flag: 'wx' })
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

async function look(path: string): Promise<{ text: string; ageMs: number } | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    return { text, ageMs: Date.now() - mtimeMs }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function isGone({ text, ageMs }: { text: string; ageMs: number }, staleMs: number): boolean {
  const owner = parseOwner(text)
  // the holder's name is written a moment after the file appears
  if (!owner) return ageMs > 5_000
  return hasEnded(owner) || ageMs > staleMs
}

export async function isLockFree(path: string): Promise<boolean> {
  const seen = await look(path)
  return seen === undefined || isGone(seen, usualStaleMs)
}

/** Removes only the lock that was seen: of two who break it at once, none may remove the other's new lock. */
async function breakLock(path: string, seen: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error
  }
  const taken = await readFile(aside, 'utf8')
  if (taken !== seen) await create(path, taken)
  await rm(aside, { force: true })
}
