// The kernel: exact trees over memory that the host lays out. No allocation, no runtime, no state of its own.
import { Level, Scratch } from './layout'
import { partTrees } from './partition'
import { beginSums } from './sums'
import { walkTrees } from './walk'
export { rankFloat32, rankFloat64 } from './rank'

/** Fewer rows than this walk every tree on their own. */
const WALK_BELOW: u32 = 48

/**
 * The sums of one level's trees for `rows` rows whose codes are ready: leaf fractions added in tree order, in float64, not
 * yet divided by the number of trees; or margins, from their bases on.
 */
export function sumTrees(level: Level, scratch: Scratch, rows: u32): void {
  beginSums(level, scratch, rows)
  if (rows < WALK_BELOW) walkTrees(level, scratch, rows)
  else partTrees(level, scratch, rows)
}
