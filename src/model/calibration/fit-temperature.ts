// The temperature of a level: one number that makes all of its probabilities surer or more careful.
import { log } from '../bundle/exact-math.ts'

/** surer or more careful than this no level is made */
const [coldest, hottest] = [1 / 64, 64]

/**
 * The temperature with the least log loss. In its inverse the loss is convex: where its slope is zero is found by halving.
 *
 * @param probabilities rows × width, row-major
 * @param truth for each row the place of its class
 * @param floor see `floorOf`
 */
export function fitTemperature(
  probabilities: Float64Array,
  width: number,
  { truth, floor }: { readonly truth: Int32Array; readonly floor: number },
): number {
  const logs = probabilities.map((p) => log(Math.max(p, floor)))
  const powers = new Float64Array(width)
  const slopeAt = (inverse: number): number => {
    let slope = 0
    for (let row = 0, start = 0; row < truth.length; row++, start += width) {
      let largest = -Infinity
      for (let i = 0; i < width; i++) largest = Math.max(largest, logs[start + i]!)
      let [sum, mean] = [0, 0]
      for (let i = 0; i < width; i++) {
        powers[i] = Math.exp((logs[start + i]! - largest) * inverse)
        sum += powers[i]!
        mean += powers[i]! * logs[start + i]!
      }
      slope += mean / sum - logs[start + truth[row]!]!
    }
    return slope
  }
  let [low, high] = [1 / hottest, 1 / coldest]
  if (slopeAt(high) <= 0) return coldest
  if (slopeAt(low) >= 0) return hottest
  while ((high - low) / high > 1e-12) {
    const middle = (low + high) / 2
    if (slopeAt(middle) > 0) high = middle
    else low = middle
  }
  return 2 / (low + high)
}
