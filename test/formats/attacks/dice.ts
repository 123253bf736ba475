// Choices of a generator that a number decides: the same number makes the same file.

export type Dice = ReturnType<typeof createDice>

/** @param seed any integer */
export function createDice(seed: number) {
  let state = seed >>> 0

  /** 0 to 1, without 1 (mulberry32) */
  function share(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** an integer from 0 to below `count` */
  const below = (count: number): number => Math.floor(share() * count)

  return {
    below,
    pick: <T>(choices: readonly T[]): T => choices[below(choices.length)]!,
    chance: (probability: number): boolean => share() < probability,
    /** mostly small, sometimes as large as that */
    size: (largest: number): number => Math.floor(largest ** share()),
    bytes: (length: number): Buffer => Buffer.from(Array.from({ length }, () => below(256))),
    times: <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i)),
  }
}

/** Counts and places that readers stumble over, around one that is right. */
export function hostileInteger(dice: Dice, right: number): number {
  return dice.pick([
    ...[right, right - 1, right + 1, right * 2, right * 1000, -right],
    ...[0, 1, -1, 7, 255, 65_535, 65_536, 2 ** 20, 2 ** 24, 2 ** 28],
    ...[2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1],
  ])
}
