// A folder that lcclf writes: may it, and how much room is there?
import { access, constants, mkdtemp, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { messageOf, systemCode } from '../../errors.ts'
import type { Check, Finding } from './check.ts'
import { byteText } from '../../formats/byte-text.ts'

/** below it sorting, joining and downloads may not fit */
const neededSpace = 1e9

/** @param use what is written there */
export function diskCheck(folder: string, use: string): Check {
  const name = 'disk'
  return {
    name,
    about: folder,
    async look(): Promise<Finding[]> {
      const existing = await nearestFolder(folder)
      const problem = await whyNotWritable(existing)
      if (problem !== undefined) {
        const hint = 'Make it writable, or name another folder: TMPDIR, LCCLF_HOME or XDG_CACHE_HOME.'
        return [{ name, status: 'failed', message: `${folder} (${use}) cannot be written: ${problem}`, hint }]
      }
      const { bavail, bsize } = await statfs(existing)
      const free = bavail * bsize
      const will = existing === resolve(folder) ? 'writable' : 'will be made'
      const message = `${folder} (${use}): ${will}, ${byteText(free)} free`
      if (free >= neededSpace) return [{ name, status: 'ok', message }]
      return [{ name, status: 'warning', message, hint: 'Free some space there, or name another folder.' }]
    },
  }
}

/** The folder itself, or the first above it that exists. */
export async function nearestFolder(folder: string): Promise<string> {
  for (let place = resolve(folder); ; place = dirname(place)) {
    const found = await stat(place).catch(() => undefined)
    if (found || place === dirname(place)) return place
  }
}

/** What the system says against a new file in a folder; undefined if it may be written. */
export async function whyNotWritable(folder: string): Promise<string | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK)
    // access says nothing of full disks, nor of read-only mounts everywhere
    await rm(await mkdtemp(join(folder, '.lcclf-doctor-')), { recursive: true })
    return undefined
  } catch (error) {
    return systemCode(error) ?? messageOf(error)
  }
}
