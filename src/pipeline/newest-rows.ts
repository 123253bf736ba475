// Which row of each object is the newest.

/** The rows that were chosen. */
export interface NewestRows {
  /** @param row its number among all rows seen, from 0 */
  has(row: number): boolean
}

/** Sees each row once, in order. */
export interface NewestRowsDecision {
  see(oid: string, candid: bigint | null): void
  /** Nothing may be seen after this. */
  decide(): NewestRows
}

/** See NewestRowsDecision. Numbers are kept in typed arrays: an object costs its id and some 60 bytes. */
export function createNewestRows(): NewestRowsDecision {
  const slots = new Map<string, number>()
  let candids = new BigInt64Array(1024)
  let hasCandid = new Uint8Array(1024)
  let rows = new Float64Array(1024)
  let rowCount = 0

  function grow(): void {
    const length = rows.length * 2
    const [oldCandids, oldHasCandid, oldRows] = [candids, hasCandid, rows]
    candids = new BigInt64Array(length)
    candids.set(oldCandids)
    hasCandid = new Uint8Array(length)
    hasCandid.set(oldHasCandid)
    rows = new Float64Array(length)
    rows.set(oldRows)
  }

  function put(slot: number, candid: bigint | null, row: number): void {
    candids[slot] = candid ?? 0n
    hasCandid[slot] = candid === null ? 0 : 1
    rows[slot] = row
  }

  return {
    see(oid, candid) {
      const row = rowCount++
      const slot = slots.get(oid)
      if (slot === undefined) {
        const next = slots.size
        if (next === rows.length) grow()
        slots.set(oid, next)
        put(next, candid, row)
        return
      }
      const isNewer = candid === null ? hasCandid[slot] === 0 : hasCandid[slot] === 0 || candid >= candids[slot]!
      if (isNewer) put(slot, candid, row)
    },
    decide() {
      const bits = new Uint8Array(Math.ceil(rowCount / 8))
      for (let slot = 0; slot < slots.size; slot++) {
        const row = rows[slot]!
        bits[Math.floor(row / 8)]! |= 1 << (row % 8)
      }
      slots.clear()
      return { has: (row) => (bits[Math.floor(row / 8)]! & (1 << (row % 8))) !== 0 }
    },
  }
}
