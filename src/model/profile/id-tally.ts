// Ids as they pass: how many come twice, and whether candids went through a float on their way.
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

/** ids of so many rows take some 230 MB */
export const mostIdRows = 2_000_000
/** of one candid in 128 every float can be; of 20 none */
const fewestCandids = 20

/** Counts repeated ids among the first two million rows; what comes later is not looked at, and `rows` says so. */
export function createIdTally(most = mostIdRows) {
  /** oid → candid of its first row */
  const firstSeen = new Map<string, bigint | null>()
  /** oid and candid of further rows */
  const othersSeen = new Set<string>()
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
    const first = firstSeen.get(oid)
    if (first === undefined) return void firstSeen.set(oid, candid)
    repeated++
    example ??= oid
    const row = `${oid}\0${candid ?? ''}`
    if (candid === first || othersSeen.has(row)) identical++
    else othersSeen.add(row)
  }

  return {
    add(oids: readonly string[], candids: readonly (bigint | null)[]): void {
      for (let i = 0; i < oids.length; i++) {
        if (rows < most) see(oids[i]!, candids[i] ?? null)
        if (areNumbers) seeForm(oids[i]!)
        const candid = candids[i] ?? 0n
        if (candid < 2n ** 53n) continue
        largeCandids++
        if (BigInt(Number(candid)) === candid) roundCandids++
      }
    },
    counts: (): IdCounts => ({
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
