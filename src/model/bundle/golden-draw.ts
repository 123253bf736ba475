// Golden inputs for a model that comes without: drawn from the forest's own thresholds, always the same.
import type { Forest } from './forest.ts'

/** How many objects are drawn. */
const rowCount = 64
/** thresholds kept for each feature: enough to be different in every row */
const mostThresholds = 256

/**
 * Values where an engine goes wrong if it can: exactly on a threshold, one float32 beside it, missing, infinite, huge,
 * zero of both signs. Never one that preprocessing leaves infinite.
 *
 * @returns rowCount × features, row-major, before preprocessing
 */
export function drawGoldenInputs(
  forests: readonly Pick<Forest, 'feature' | 'threshold'>[],
  featureCount: number,
): { rowCount: number; inputs: Float64Array } {
  const pools = thresholdsByFeature(forests, featureCount)
  const random = randomNumbers(20_200_914)
  const inputs = new Float64Array(rowCount * featureCount)
  for (let i = 0; i < inputs.length; i++) inputs[i] = drawValue(pools[i % featureCount]!, random)
  return { rowCount, inputs }
}

const oddValues = [NaN, Infinity, -Infinity, 1e33, 1e32, -999, 0, -0, -1e30, 1e-45, 1e300]

function drawValue(thresholds: readonly number[], random: () => number): number {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  const kind = random()
  if (thresholds.length === 0 || kind < 0.1) return pick(oddValues)
  const threshold = pick(thresholds)
  const nearest = Math.fround(threshold)
  if (kind < 0.3) return threshold
  if (kind < 0.5) return nearest
  if (kind < 0.7) return nextFloat32(nearest, 1)
  if (kind < 0.9) return nextFloat32(nearest, -1)
  return threshold + (random() - 0.5) * Math.max(1, Math.abs(threshold))
}

/** The float32 beside a float32, upwards or downwards. */
export function nextFloat32(value: number, direction: 1 | -1): number {
  const floats = Float32Array.of(value)
  const bits = new Int32Array(floats.buffer)
  if (value === 0) return direction * 2 ** -149
  bits[0]! += value > 0 === direction > 0 ? 1 : -1
  return floats[0]!
}

function thresholdsByFeature(
  forests: readonly Pick<Forest, 'feature' | 'threshold'>[],
  featureCount: number,
): number[][] {
  const pools = Array.from({ length: featureCount }, (): number[] => [])
  for (const { feature, threshold } of forests) {
    // spread over the forest: the first trees alone would be enough for a broken reader of the last
    const step = Math.max(1, Math.floor(feature.length / (featureCount * mostThresholds)))
    for (let row = 0; row < feature.length; row += step) {
      const pool = feature[row]! >= 0 ? pools[feature[row]!]! : undefined
      // 1.3 and later can hold infinite thresholds; huge ones would be turned into something else first
      if (pool && pool.length < mostThresholds * forests.length && Math.abs(threshold[row]!) < 1e30)
        pool.push(threshold[row]!)
    }
  }
  return pools
}

/** Mulberry32: small, known, and the same everywhere. Numbers in [0, 1). */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
