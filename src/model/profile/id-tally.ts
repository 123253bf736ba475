// Ids as they pass: how many come twice, and whether candids went through a float on their way.
import { crc32 } from 'node:zlib'
import { isFloatText, isIntegerText } from '../../pipeline/row-ids.ts'

/** What was seen of the ids. */
export interface IdCounts {
  /** rows whose oid had been there before */
  readonly repeated: number
  /** of these, rows whose candid had been there with it too, or that have none */
  readonly identical: number
  /** the first oid that came again */
  readonly example: string | null
  /** rows that were looked at: all, or as many as memory should hold */
  readonly rows: number
  /** every candid is one that a float64 could hold, which of so many would be no coincidence */
  readonly areCandidsRounded: boolean
  /** oids that are written as floats are (`1.5e17`), where every oid is a number; else 0 */
  readonly floatOids: number
  /** the first of them */
  readonly floatExample: string | null
}

/** See createIdTally. */
interface IdTally {
  add(oids: readonly string[], candids: readonly (bigint | null)[]): void
  counts(): IdCounts
}

/** two sets of 64-bit hashes, 256 MB in all when they are full */
const mostRows = 8_000_000
/** of one candid in 128 every float can be; of 20 none */
const fewestCandids = 20

/**
 * Counts repeated ids among the first eight million rows. Ids are kept as 64-bit hashes: among eight million a repetition
 * that is none turns up once in half a million runs.
 */
export function createIdTally(most = mostRows): IdTally {
  const oidsSeen = createHashSet()
  const rowsSeen = createHashSet()
  let rows = 0
  let repeated = 0
  let identical = 0
  let example: string | null = null
  let largeCandids = 0
  let roundCandids = 0
  let areNumbers = true
  let floatOids = 0
  let floatExample: string | null = null

  /** An id of another kind may look like a float by chance; among numbers it is none. */
  function seeForm(oid: string): void {
    if (isFloatText(oid)) {
      floatOids++
      floatExample ??= oid
    } else if (!isIntegerText(oid)) areNumbers = false
  }

  function see(oid: string, candid: bigint | null): void {
    rows++
    const isNewRow = rowsSeen.add(`${oid}\0${candid ?? ''}`)
    if (oidsSeen.add(oid)) return
    repeated++
    example ??= oid
    if (!isNewRow) identical++
  }

  return {
    add(oids, candids) {
      for (let i = 0; i < oids.length; i++) {
        if (rows < most) see(oids[i]!, candids[i] ?? null)
        if (areNumbers) seeForm(oids[i]!)
        const candid = candids[i] ?? 0n
        if (candid < 2n ** 53n) continue
        largeCandids++
        if (BigInt(Number(candid)) === candid) roundCandids++
      }
    },
    counts: () => ({
      repeated,
      identical,
      example,
      rows,
      areCandidsRounded: largeCandids >= fewestCandids && roundCandids === largeCandids,
      floatOids: areNumbers ? floatOids : 0,
      floatExample: areNumbers ? floatExample : null,
    }),
  }
}

interface HashSet {
  /** whether the text was new */
  add(text: string): boolean
}

/** Open addressing over pairs of 32 bits; (0, 0) is a free place. */
function createHashSet(): HashSet {
  let size = 1 << 12
  let slots = new Uint32Array(size * 2)
  let count = 0

  function put(low: number, high: number): boolean {
    let place = low & (size - 1)
    for (;;) {
      const first = slots[place * 2]!
      const second = slots[place * 2 + 1]!
      if (first === 0 && second === 0) break
      if (first === low && second === high) return false
      place = (place + 1) & (size - 1)
    }
    slots[place * 2] = low
    slots[place * 2 + 1] = high
    return true
  }

  function grow(): void {
    const old = slots
    size *= 2
    slots = new Uint32Array(size * 2)
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] !== 0 || old[i + 1] !== 0) put(old[i]!, old[i + 1]!)
    }
  }

  return {
    add(text) {
      if (count * 4 >= size * 3) grow()
      const isNew = put(crc32(text), mixed(text) || 1)
      if (isNew) count++
      return isNew
    },
  }
}

/** MurmurHash3's steps over UTF-16 units: unrelated to the CRC beside it. */
function mixed(text: string): number {
  let hash = 0x12345678 ^ text.length
  for (let i = 0; i < text.length; i++) {
    let unit = Math.imul(text.charCodeAt(i), 0xcc9e2d51)
    unit = (unit << 15) | (unit >>> 17)
    hash ^= Math.imul(unit, 0x1b873593)
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
