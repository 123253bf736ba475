// Where things lie in the memory that all threads share. The other side of these numbers is assembly/layout.ts.

/** The rank of a leaf: no code exceeds it. */
export const LEAF = 0xffff

/** The most thresholds a column can have: codes go from 0 to this number. */
export const COLUMN_THRESHOLDS = 0xffff

/** Sizes of the kernel's structures in bytes. */
export const sizes = { node: 8, column: 16, level: 12, scratch: 64, shared: 20, pair: 16, set: 16, walker: 8 } as const

export const PAGE = 65_536

const CACHE_LINE = 64
/** addresses below belong to the compiler */
const FIRST = PAGE

export type Addresses = ReturnType<typeof createAddresses>

/** Hands out addresses, each at the start of a cache line. */
export function createAddresses() {
  let next = FIRST
  return {
    take(bytes: number): number {
      const address = next
      next += Math.ceil(bytes / CACHE_LINE) * CACHE_LINE
      return address
    },
    /** One past the last byte taken. */
    end: () => next,
  }
}

/** What the size of a thread's room depends on. */
export interface ScratchShape {
  readonly features: number
  readonly columns: number
  /** float64 pairs a row of the level with most classes */
  readonly pairs: number
}

/** How much room a thread may have for the rows of a block: more rows a block are faster, up to where caches end. */
const SCRATCH_BYTES = 16 * 1024 * 1024
const MOST_ROWS = 2048
const FEWEST_ROWS = 64

/** How many rows are classified in one go; a multiple of eight. */
export function blockRowsOf({ features, columns, pairs }: ScratchShape): number {
  const bytesOfRow = features * 4 + columns * 2 + pairs * sizes.pair
  const rows = Math.floor(SCRATCH_BYTES / bytesOfRow / 8) * 8
  return Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, rows))
}

/** The addresses of a thread's room, in the order of the kernel's structure. */
export function takeScratch(addresses: Addresses, shape: ScratchShape, rows: number): number[] {
  // an odd number of cache lines, as the kernel's strideOf
  const stride = rows * 2 + 2 * CACHE_LINE
  // the kernel writes up to seven walkers, one set and seven lanes more than there are
  const walkers = Math.max(rows, 512) + 32
  const sets = (rows + 4) * sizes.set
  const arena = rows * 2 + 32
  return [
    rows * shape.features * 4,
    shape.columns * stride + CACHE_LINE,
    rows * shape.pairs * sizes.pair,
    walkers * sizes.walker,
    walkers * 4,
    ...Array.from({ length: 4 }, () => sets),
    ...Array.from({ length: 4 }, () => arena),
  ].map((bytes) => addresses.take(bytes))
}

/** The 512 shuffles: the lanes of a mask brought to the front, then the lanes that are not in it. */
export function fillShuffles(bytes: Uint8Array): void {
  for (let mask = 0; mask < 256; mask++) {
    let chosen = mask * 16
    let others = 4096 + mask * 16
    for (let lane = 0; lane < 8; lane++) {
      const isChosen = ((mask >> lane) & 1) === 1
      const place = isChosen ? chosen : others
      bytes[place] = lane * 2
      bytes[place + 1] = lane * 2 + 1
      if (isChosen) chosen += 2
      else others += 2
    }
  }
}
