// One process at a time: a file that names its holder. What it guards stays right without it; it saves doing work twice.
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemCode } from '../../errors.ts'
import { hasEnded, type Owner, ownerHere, parseOwner } from '../../transfer/owner.ts'

/** How to wait. */
interface LockOptions {
  /** called once, when somebody else holds it */
  readonly onWait?: (holder: Owner | undefined) => void
  readonly signal?: AbortSignal
  /** a holder that gave no sign of life for so long is gone (a machine that died, a stopped process), in milliseconds */
  readonly staleMs?: number
}

/** A lock that is held. */
interface ProcessLock {
  release(): Promise<void>
}

const pollMs = 200
const beatMs = 10_000

/**
 * Waits for a lock and takes it. The lock of a process that was killed is taken over at once; of one on another machine,
 * or stopped, after `staleMs`: so nobody waits for ever.
 *
 * @throws what the system says where the lock file cannot be written, and the signal's reason
 */
export async function takeLock(path: string, options: LockOptions = {}): Promise<ProcessLock> {
  const { onWait, signal, staleMs = 120_000 } = options
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
    async release() {
      clearInterval(beat)
      // it may have been taken over meanwhile: then it is another's
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

interface Seen {
  readonly text: string
  readonly ageMs: number
}

async function look(path: string): Promise<Seen | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    return { text, ageMs: Date.now() - mtimeMs }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function isGone({ text, ageMs }: Seen, staleMs: number): boolean {
  const owner = parseOwner(text)
  // the name of the holder is written a moment after the file appears
  if (!owner) return ageMs > 5_000
  return hasEnded(owner) || ageMs > staleMs
}

/** Whether nobody who lives holds this lock. */
export async function isLockFree(path: string, staleMs = 120_000): Promise<boolean> {
  const seen = await look(path)
  return seen === undefined || isGone(seen, staleMs)
}

/** Only the lock that was seen: two who break it at once must not remove the first one's new lock. */
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

// Which process something belongs to, and whether that process still lives.
