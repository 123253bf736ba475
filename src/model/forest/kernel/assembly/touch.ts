// Fetching ahead. There is no instruction for it, so bytes are read that nobody waits for: many lines are on their way from
// memory at once, where a search or a walk would wait for one after the other.
import { Scratch } from './layout'

/** Brings everything between two addresses into the cache; reads up to three lines more. */
export function touch(scratch: Scratch, from: usize, to: usize): void {
  let read: u32 = 0
  for (let at = from; at < to; at += 256) {
    read |= load<u32>(at, 0) | load<u32>(at, 64) | load<u32>(at, 128) | load<u32>(at, 192)
  }
  // so that no compiler finds the reads useless
  scratch.touched = read
}
