// Which process something belongs to, and whether that process still lives.
import { hostname } from 'node:os'
import { systemCode } from '../errors.ts'

/** A process. */
export interface Owner {
  readonly pid: number
  readonly host: string
}

/** This process. */
export function ownerHere(): Owner {
  return { pid: process.pid, host: hostname() }
}

/** Reads what `JSON.stringify(ownerHere())` wrote; undefined for anything else. */
export function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host } = (JSON.parse(text) ?? {}) as Partial<Owner>
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host } : undefined
  } catch {
    return undefined
  }
}

/** Whether a process of this machine has ended; of another machine's processes nothing is known: false. */
export function hasEnded({ pid, host }: Owner): boolean {
  if (host !== hostname()) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return systemCode(error) === 'ESRCH'
  }
}
