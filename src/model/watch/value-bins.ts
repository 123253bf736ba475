// Values by their own bits: a sketch of quantiles that needs no edges beforehand, and of which two are added bin by bin.

/**
 * Bins of one feature, in ascending order: 64 octaves from 2^-32 on, sixteen bins each, of both signs. A bin is at most a
 * sixteenth wide; what is smaller counts as 0, what is larger as the largest.
 */
export const binCount = 2048
const halfCount = binCount / 2
/** exponent and four bits of the fraction, of 2^-32 */
const lowestPlace = (127 - 32) << 4

/** @param bits of a float32 */
export function binOf(bits: number): number {
  const place = ((bits & 0x7fffffff) >>> 19) - lowestPlace
  const size = place < 0 ? 0 : place >= halfCount ? halfCount - 1 : place
  return bits < 0 || bits > 0x7fffffff ? halfCount - 1 - size : halfCount + size
}

const bitsOf = new Uint32Array(1)
const floatOf = new Float32Array(bitsOf.buffer)

export function binOfValue(value: number): number {
  floatOf[0] = value
  return binOf(bitsOf[0]!)
}

/** The middle of a bin. */
export function valueOfBin(bin: number): number {
  const size = bin < halfCount ? halfCount - 1 - bin : bin - halfCount
  if (size === 0) return 0
  bitsOf[0] = ((size + lowestPlace) << 19) | (1 << 18)
  return bin < halfCount ? -floatOf[0]! : floatOf[0]!
}

/** The largest value of a bin. */
export function largestOfBin(bin: number): number {
  const isNegative = bin < halfCount
  const size = isNegative ? halfCount - 1 - bin : bin - halfCount
  if (size === halfCount - 1) return isNegative ? -(2 ** 32) : Infinity
  // of a positive bin the end, of a negative one the begin
  bitsOf[0] = isNegative ? (size + lowestPlace) << 19 : ((size + lowestPlace + 1) << 19) - 1
  return isNegative && size === 0 ? -0 : isNegative ? -floatOf[0]! : floatOf[0]!
}

/** Some cells of a table that are not zero, in ascending order of their places. */
export interface SparseCounts {
  readonly places: Uint32Array
  readonly counts: Float64Array
}

export const noCounts: SparseCounts = { places: new Uint32Array(0), counts: new Float64Array(0) }

/** The cells of a table that are not zero, of the rows that are wanted. @param width cells of a row */
export function sparseOf(table: Uint32Array, width: number, isWanted: (row: number) => boolean): SparseCounts {
  const places: number[] = []
  for (let row = 0; row * width < table.length; row++) {
    if (!isWanted(row)) continue
    for (let place = row * width, end = place + width; place < end; place++) if (table[place]! > 0) places.push(place)
  }
  return { places: Uint32Array.from(places), counts: Float64Array.from(places, (place) => table[place]!) }
}

/** The sum of two. */
export function addSparse(a: SparseCounts, b: SparseCounts): SparseCounts {
  const places = new Uint32Array(a.places.length + b.places.length)
  const counts = new Float64Array(places.length)
  let [i, j, end] = [0, 0, 0]
  while (i < a.places.length || j < b.places.length) {
    const [x, y] = [a.places[i] ?? Infinity, b.places[j] ?? Infinity]
    places[end] = Math.min(x, y)
    counts[end++] = (x <= y ? a.counts[i++]! : 0) + (y <= x ? b.counts[j++]! : 0)
  }
  return { places: places.slice(0, end), counts: counts.slice(0, end) }
}

/** Without the cells that are not wanted. */
export function keepSparse({ places, counts }: SparseCounts, isWanted: (place: number) => boolean): SparseCounts {
  return { places: places.filter(isWanted), counts: counts.filter((_, i) => isWanted(places[i]!)) }
}

/** The bin that at least this share of the values does not exceed. @param bins counts of one feature, not all zero */
export function quantileBin(bins: ArrayLike<number>, share: number): number {
  let all = 0
  for (let bin = 0; bin < bins.length; bin++) all += bins[bin]!
  let seen = 0
  for (let bin = 0; bin < bins.length; bin++) {
    seen += bins[bin]!
    if (seen > 0 && seen >= share * all) return bin
  }
  return bins.length - 1
}
