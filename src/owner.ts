// Whose something on the disk is: a process of a machine, and whether that process has ended.
import { createHash } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemCode } from './errors.ts'

export interface Owner {
  readonly pid: number
  readonly host: string
  /** the space of process numbers: containers may share a machine's name and count their processes apart */
  readonly space?: string | undefined
}

const space = spaceOfNumbers()

export function ownerHere(): Owner {
  return { pid: process.pid, host: hostname(), space }
}

/** Reads what `JSON.stringify(ownerHere())` wrote; undefined for anything else. */
export function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host, space: counted } = (JSON.parse(text) ?? {}) as Partial<Record<keyof Owner, unknown>>
    const isOwner = isPid(pid) && typeof host === 'string' && ['string', 'undefined'].includes(typeof counted)
    return isOwner ? { pid, host, ...(typeof counted === 'string' ? { space: counted } : {}) } : undefined
  } catch {
    return undefined
  }
}

/** Whether a process of this machine has ended; of another machine's processes nothing is known: false. */
export function hasEnded(owner: Owner): boolean {
  if (owner.host !== hostname() || (owner.space !== undefined && owner.space !== space)) return false
  try {
    process.kill(owner.pid, 0)
    return false
  } catch (error) {
    return systemCode(error) === 'ESRCH'
  }
}

/** This process in a file's name: its number, and eight digits for its machine. */
export function ownerMark(): string {
  return `${process.pid}-${machineDigits()}`
}

/**
 * Of the names in a folder, those of processes that have ended: `prefix`, the mark of the process, and whatever follows.
 * Of another machine's processes nothing is known, so what they left stays.
 */
export function leftBehind(names: readonly string[], prefix: string): string[] {
  return names.filter((name) => {
    if (!name.startsWith(prefix)) return false
    const [, pid, machine] = /^(\d+)-([0-9a-f]{8})/.exec(name.slice(prefix.length)) ?? []
    return machine === machineDigits() && isPid(Number(pid)) && hasEnded({ ...ownerHere(), pid: Number(pid) })
  })
}

function machineDigits(): string {
  const { host } = ownerHere()
  return createHash('sha256')
    .update(`${host}\n${space ?? ''}`)
    .digest('hex')
    .slice(0, 8)
}

function isPid(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Only Linux has several. */
function spaceOfNumbers(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}
