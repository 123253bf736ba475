// Shares, watched one block after the other: many tests at once, whose false alarms all together are bounded.

/** A range in which a share is as usual. Above 1, or below 0: nothing is unusual on that side. */
export interface Band {
  readonly low: number
  readonly high: number
}

/** Objects in a block, of which tests take notice together. */
export const blockRows = 100
/**
 * As long as every share stays in its band, whatever it does there, false alarms of all tests together are at least so many
 * objects apart on average.
 */
const objectsBetweenFalseAlarms = 10_000_000
/** natural logarithm of how much likelier it is that a share is back in its band than that it is not */
const enoughForReturn = 10

/** How much likelier an alternative must be, as a logarithm, if there are so many tests. */
export function thresholdFor(tests: number): number {
  return Math.log((objectsBetweenFalseAlarms / blockRows) * tests)
}

export type SequentialTests = ReturnType<typeof createTests>

/**
 * Tests of shares. Each compares "the share is within its band" with alternatives beyond it, whose odds are a `factor` of the
 * band's end: the logarithm of the likelihood ratio is added up and never falls below 0 (a CUSUM). Its exponential is
 * an e-detector: it stays below the Shiryaev–Roberts sum, which grows by at most 1 a block on average while the share is in
 * its band, so the average time to a false alarm is at least e^threshold blocks; of many tests their number less.
 *
 * @param factors of the odds: above 1 beyond the upper end, below 1 beyond the lower
 * @param threshold natural logarithm
 */
export function createTests(series: number, factors: readonly number[], threshold: number) {
  const width = factors.length
  const evidence = new Float64Array(series * width)
  const perHit = new Float64Array(series * width)
  const perMiss = new Float64Array(series * width)
  /** block of which the evidence is the first */
  const begun = new Int32Array(series * width)
  /** the alternative that was found to be true, or −1 */
  const found = new Int16Array(series).fill(-1)
  const back = new Float64Array(series)
  const backBegun = new Int32Array(series)

  /** Likelier that it is back than that it is not. */
  function lookBack(s: number, hits: number, misses: number, block: number): boolean {
    const test = s * width + found[s]!
    const more = -(hits * perHit[test]! + misses * perMiss[test]!)
    const sum = back[s]! + more
    if (sum <= 0) backBegun[s] = block + 1
    back[s] = Math.max(0, sum)
    return back[s] >= enoughForReturn
  }

  return {
    alternatives: width,
    /** @param band undefined: nothing is known, and nothing tested */
    setBand(s: number, band: Band | undefined): void {
      factors.forEach((factor, k) => {
        const test = s * width + k
        const end = band === undefined ? 1 : factor > 1 ? band.high : band.low
        const isTestable = band !== undefined && end > 0 && end < 1
        const odds = isTestable ? (end / (1 - end)) * factor : 1
        const share = odds / (1 + odds)
        perHit[test] = isTestable ? Math.log(share / end) : 0
        perMiss[test] = isTestable ? Math.log((1 - share) / (1 - end)) : 0
      })
    },
    /**
     * Takes a block.
     *
     * @param hits by series
     * @param trials by series; with `each`, by so many series
     * @returns series that are not as usual any more, and series that are again
     */
    see(hits: Uint16Array, trials: Uint16Array, block: number, each = 1): { fired: number[]; returned: number[] } {
      const fired: number[] = []
      const returned: number[] = []
      for (let s = 0, test = 0; s < series; s++) {
        const hit = hits[s]!
        const miss = trials[each === 1 ? s : Math.floor(s / each)]! - hit
        if (found[s]! >= 0) {
          if (lookBack(s, hit, miss, block)) returned.push(s)
          test += width
          continue
        }
        let isOver = false
        for (const end = test + width; test < end; test++) {
          const before = evidence[test]!
          const sum = before + hit * perHit[test]! + miss * perMiss[test]!
          if (sum > 0) {
            if (before === 0) begun[test] = block
            evidence[test] = sum
            isOver ||= sum >= threshold
          } else if (before > 0) evidence[test] = 0
        }
        if (isOver) fired.push(s)
      }
      return { fired, returned }
    },
    /** The alternative for which there is most evidence, how much of what would be enough, and the block with which it began. */
    strongest(s: number) {
      let best = s * width
      for (let test = best + 1; test < (s + 1) * width; test++) if (evidence[test]! > evidence[best]!) best = test
      return { alternative: best - s * width, share: evidence[best]! / threshold, block: begun[best]! }
    },
    /** Whether an alternative lies beyond the upper end of the band. */
    isAbove: (alternative: number): boolean => factors[alternative]! > 1,
    /** From now on the series is asked whether it is back. */
    markFound(s: number, alternative: number, block: number): void {
      found[s] = alternative
      back[s] = 0
      backBegun[s] = block
    },
    isFound: (s: number): boolean => found[s]! >= 0,
    /** the first block that is as usual again, as far as is known */
    returnedAt: (s: number): number => backBegun[s]!,
    /** Begins anew. */
    forget(s: number, block: number): void {
      found[s] = -1
      for (let test = s * width; test < (s + 1) * width; test++) {
        evidence[test] = 0
        begun[test] = block
      }
    },
  }
}
