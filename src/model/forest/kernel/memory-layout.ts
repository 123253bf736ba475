// Where things lie in the memory that all threads share. The other side of these numbers is assembly/layout.ts.

/** The rank of a leaf, which no other node has. */
export const LEAF = 0x7fff

/** Ranks and codes are signed: so much less than they count. */
export const LEAST_RANK = 0x8000

/** The most thresholds a column can have: codes go from 0 to this number. */
export const COLUMN_THRESHOLDS = 0xffff

/** What a missing value counts as where it goes left: less than every threshold; and where it goes right. */
export const MISSING = { left: -0x80000000, right: 0x7fffffff } as const

/** How a leaf adds to one margin; below that, the number of pairs of float64 that its fractions are. */
export const MARGIN = { float64: 0x10000, float32: 0x10001 } as const

/** Sizes of the kernel's structures in bytes. */
export const sizes = { node: 8, column: 28, level: 24, scratch: 68, shared: 12, pair: 16, set: 8, walker: 8 } as const

export const PAGE = 65_536

/** Where the kernel looks for its shuffles: on the page that belongs to the compiler, behind what it may put there. */
const SHUFFLES = 4096

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
  /** bytes of a feature */
  readonly valueBytes: 4 | 8
  readonly columns: number
  /** bytes of a row's sums in the level that takes most */
  readonly sumBytes: number
}

/** How much room a thread may have for the rows of a block: more rows a block are faster, up to where caches end. */
const SCRATCH_BYTES = 16 * 1024 * 1024
/** The kernel counts to 255 in each of 16 lanes. */
const MOST_ROWS = 4064
export const FEWEST_ROWS = 64

/** How many rows are classified in one go; a multiple of eight. */
export function blockRowsOf({ features, valueBytes, columns, sumBytes }: ScratchShape): number {
  const bytesOfRow = features * valueBytes + columns * 2 + sumBytes
  const rows = Math.floor(SCRATCH_BYTES / bytesOfRow / 8) * 8
  return Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, rows))
}

/** How many trees the kernel adds at once. */
const TREES_AT_ONCE = 4
/** Into how many bins it parts the rows of a tree. */
const MOST_BINS = 100

/** What a thread's room is made of: addresses and the bytes of an arena, in the order of the kernel's structure. */
export function takeScratch(addresses: Addresses, shape: ScratchShape, rows: number): number[] {
  // an odd number of cache lines, as the kernel's strideOf
  const stride = rows * 2 + 2 * CACHE_LINE
  // the kernel writes up to seven walkers and rows, and one set more than there are
  const walkers = Math.max(rows, 512) + 32
  const sets = (Math.max(rows, MOST_BINS) + 4) * sizes.set
  const arena = rows * 2 + CACHE_LINE
  const places = [
    rows * shape.features * shape.valueBytes,
    shape.columns * stride + CACHE_LINE,
    rows * shape.sumBytes,
    walkers * TREES_AT_ONCE * 4,
    walkers * sizes.walker,
    ...Array.from({ length: 4 }, () => sets),
    4 * arena,
  ].map((bytes) => addresses.take(bytes))
  const bins = [rows + CACHE_LINE, (MOST_BINS + 1) * 8].map((bytes) => addresses.take(bytes))
  return [...places, arena, ...bins]
}

/** Numbers in the memory, in the precision of a sum or of the rows. */
export function numbersAt(
  memory: ArrayBufferLike,
  precision: 'float32' | 'float64',
  address: number,
  length: number,
): Float32Array | Float64Array {
  return precision === 'float32' ? new Float32Array(memory, address, length) : new Float64Array(memory, address, length)
}

/** The 256 shuffles of eight lanes: those that are not in the mask come first, those that are come last, in reverse. */
export function fillShuffles(memory: ArrayBufferLike): void {
  const bytes = new Uint8Array(memory, SHUFFLES, 256 * 16)
  for (let mask = 0; mask < 256; mask++) {
    let others = mask * 16
    let chosen = others + 14
    for (let lane = 0; lane < 8; lane++) {
      const isChosen = ((mask >> lane) & 1) === 1
      const place = isChosen ? chosen : others
      bytes[place] = lane * 2
      bytes[place + 1] = lane * 2 + 1
      if (isChosen) chosen -= 2
      else others += 2
    }
  }
}
