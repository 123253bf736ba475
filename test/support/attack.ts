// Attacks that know a format: a chooser for their generators, how many there are, and the bounds that each must keep.
import fc from 'fast-check'
import { expect } from 'vitest'

/** Chooses at random, the same for the same seed. */
export interface Chooser {
  /** 0 to below 1 */
  next(): number
  /** 0 to `below` − 1 */
  whole(below: number): number
  /** true so often */
  chance(probability: number): boolean
  of<T>(items: readonly T[]): T
}

function chooserOf(seed: number): Chooser {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (below: number): number => Math.floor(next() * below)
  return { next, whole, chance: (probability) => next() < probability, of: (items) => items[whole(items.length)]! }
}

/** Numbers that a count or a length may claim to be. */
export const claims: readonly bigint[] = [
  ...[0n, 1n, 2n, 63n, 64n, 1000n, 20_000n, 1n << 20n, 1n << 31n, (1n << 31n) - 1n, 1n << 32n, 1n << 53n, 1n << 60n],
  ...[(1n << 63n) - 1n, -1n, -2n, -1000n, -(1n << 31n), -(1n << 53n), -(1n << 62n)],
]

/** how many times as many attacks as in every run of the tests */
const times = Number(process.env['LCCLF_ATTACKS'] ?? 1)
const mostMs = 2000
const mostBytes = 700e6

/**
 * Runs attacks, each with its own seed. None may take more than two seconds, or grow the process by more than 700 MB.
 *
 * @param usual how many in every run of the tests
 * @param attack makes one; answers what meets it, which throws where the answer is not what it must be
 */
export async function attacks(usual: number, attack: (choose: Chooser) => () => unknown): Promise<void> {
  const before = process.memoryUsage.rss()
  let slowest = 0
  const numRuns = Math.round(usual * times)
  const seed = times === 1 ? 14 : Date.now() & 0x7fffffff
  await fc.assert(
    fc.asyncProperty(fc.nat(0x7fffffff), async (one) => {
      const meet = attack(chooserOf(one))
      const started = process.cpuUsage()
      await meet()
      const { user, system } = process.cpuUsage(started)
      // of the processor, not of the clock: others may be busy
      const took = (user + system) / 1000
      slowest = Math.max(slowest, took)
      expect(took, `milliseconds of the attack with seed ${one}`).toBeLessThan(mostMs)
      expect(process.memoryUsage.rss() - before, `bytes after the attack with seed ${one}`).toBeLessThan(mostBytes)
    }),
    { numRuns, seed, endOnFailure: true },
  )
  if (times === 1) return
  const grown = Math.round((process.memoryUsage.rss() - before) / 1e6)
  console.info(`${numRuns} attacks, the slowest took ${Math.round(slowest)} ms; the process has grown by ${grown} MB`)
}
