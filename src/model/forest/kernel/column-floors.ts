// A column's thresholds as the kernel searches them: a tree of 16 ways, floor upon floor.
import { COLUMN_THRESHOLDS } from './memory-layout.ts'

/** Numbers of a line: compared at once. */
const LINE = 16

/** How many numbers each floor of a column takes, the thresholds first; up to four floors, the last of one line. */
function floorSizes(count: number): number[] {
  // one number more than there are, at least, is above every key: so no search ends behind the last line
  const sizes = [(Math.floor(count / LINE) + 1) * LINE]
  for (let lines = sizes[0]! / LINE; lines > 1; lines = sizes.at(-1)! / LINE) {
    sizes.push(Math.ceil(lines / LINE) * LINE)
  }
  return sizes
}

/** How many numbers the columns of a feature take that has so many thresholds, or fewer. */
export function numbersOf(thresholds: number): number {
  const whole = Math.floor(thresholds / COLUMN_THRESHOLDS)
  const rest = thresholds % COLUMN_THRESHOLDS
  return whole * sumOf(COLUMN_THRESHOLDS) + (rest === 0 ? 0 : sumOf(rest))
}

function sumOf(count: number): number {
  return floorSizes(count).reduce((sum, size) => sum + size, 0)
}

/**
 * Fills up a column's thresholds and writes the floors above them.
 *
 * @param words the memory; the thresholds are at the address `first`, `bytes` each, sorted and distinct
 * @returns the addresses of the floors, and where the next column can begin
 */
export function raiseFloors(
  words: Uint32Array,
  { first, count, bytes }: { first: number; count: number; bytes: 4 | 8 },
): { floors: number[]; end: number } {
  const wide = bytes / 4
  const floors: number[] = []
  let next = first
  let filled = count
  for (const size of floorSizes(count)) {
    const floor = next / 4
    floors.push(next)
    for (let word = floor + filled * wide; word < floor + size * wide; word += wide) {
      words[word + wide - 1] = 0x7fffffff
      if (wide === 2) words[word] = 0xffffffff
    }
    next += size * bytes
    // the largest of each line, for the floor above
    filled = size / LINE
    if (filled === 1) break
    for (let line = 0; line < filled; line++) {
      const largest = floor + ((line + 1) * LINE - 1) * wide
      for (let word = 0; word < wide; word++) words[next / 4 + line * wide + word] = words[largest + word]!
    }
  }
  return { floors, end: next }
}
