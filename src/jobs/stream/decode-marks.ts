// Which message a process is decoding, in a small file that outlives it: the format, and what ended processes left behind.
import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { GuardedPlace } from '../../connectors/kafka/spec.ts'
import { hasEnded, type Owner, ownerHere, parseOwner } from '../../owner.ts'

/** A mark is one line of JSON of this length; its head, which has the offset, is written anew for every message. */
export const markLength = 1024
const head = '{"offset":"'
const offsetDigits = 20
export const headLength = head.length + offsetDigits + 1

/** The head of a mark; undefined: nothing is being decoded. */
export function markHead(offset: bigint | undefined): string {
  return `${head}${(offset === undefined ? '-' : String(offset)).padStart(offsetDigits)}"`
}

/** A whole mark; undefined for a place that has no room in one. */
export function markText({ offset, ...others }: GuardedPlace): string | undefined {
  const rest = JSON.stringify({ ...others, ...ownerHere() }).slice(1)
  const text = `${markHead(offset)},${rest}`
  return Buffer.byteLength(text) < markLength
    ? `${text.padEnd(markLength - 1 - (Buffer.byteLength(text) - text.length))}\n`
    : undefined
}

/** What a mark says: whose it is, and the message, if one was being decoded. Undefined for what is no mark. */
export function readMark(
  text: string,
): { readonly owner: Owner; readonly place: GuardedPlace | undefined } | undefined {
  const owner = parseOwner(text)
  if (!owner) return undefined
  const { offset, topic, partition, isBatch } = JSON.parse(text) as Readonly<Record<string, unknown>>
  if (typeof offset !== 'string' || typeof topic !== 'string' || !Number.isSafeInteger(partition)) return undefined
  const digits = offset.trim()
  if (digits === '-') return { owner, place: undefined }
  if (!/^\d{1,19}$/.test(digits)) return undefined
  return {
    owner,
    place: { topic, partition: partition as number, offset: BigInt(digits), ...(isBatch === true ? { isBatch } : {}) },
  }
}

/** what processes write to their marks when nothing else has happened */
export const beatMs = 30_000
/** a mark of another machine, or of a number that another process has by now, is left behind when it is silent for so long */
const silentMs = 4 * beatMs
const forgottenMs = 30 * 24 * 3600 * 1000
/** more than any group has members: what else lies there is none of ours */
const mostMarks = 10_000

/**
 * The messages that processes were decoding when they ended, each once for each process.
 *
 * @param own names of marks that are this process's
 * @param isDone of messages that no process will read again, whose marks are removed, as are those of ended processes that
 *   were decoding nothing
 */
export async function leftBehind(
  folder: string,
  own: ReadonlySet<string>,
  isDone: (place: GuardedPlace) => boolean,
): Promise<GuardedPlace[]> {
  const names = await readdir(folder).catch(() => [])
  const left: GuardedPlace[] = []
  for (const name of names.filter((name) => name.endsWith('.mark') && !own.has(name)).slice(0, mostMarks)) {
    const path = join(folder, name)
    const found = await lookAt(path)
    if (!found || !isLeft(found)) continue
    if (found.place && !isDone(found.place) && found.ageMs < forgottenMs) left.push(found.place)
    else await unlink(path).catch(() => undefined)
  }
  return left
}

async function lookAt(path: string) {
  try {
    const { size, mtimeMs } = await stat(path)
    if (size > markLength) return undefined
    const mark = readMark(await readFile(path, 'utf8'))
    return mark && { ...mark, ageMs: Date.now() - mtimeMs }
  } catch {
    // another process has removed it
    return undefined
  }
}

function isLeft({ owner, ageMs }: { owner: Owner; ageMs: number }): boolean {
  // in a container every process has the number of the one before
  const isEarlierSelf = owner.pid === process.pid && owner.host === hostname()
  return isEarlierSelf || hasEnded(owner) || ageMs > silentMs
}

/** A place in words. */
export function shownPlace({ topic, partition, offset, isBatch }: GuardedPlace): string {
  const where = `${topic} partition ${partition} offset ${offset}`
  return isBatch === true ? `the record batch at ${where}` : where
}
