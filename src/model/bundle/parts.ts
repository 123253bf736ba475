// What stands around the trees: how features are transformed first, and how the trees' leaves become probabilities.
import { ModelError } from '../../errors.ts'
import { type Calibration, readCalibration } from './calibration.ts'
import { checkerOf, type Checker, type Manifest, type ManifestLevel, parseJson } from './manifest.ts'
import { readStep, type Step } from './steps.ts'
import { readSum, type Sum } from './sums.ts'

/**
 * A level's classifier, or one of several whose probabilities are averaged (the folds of a CalibratedClassifierCV). Part i
 * has forest i of the bundle. Its trees' leaves are averaged, or add up to margins (`sum`) that become probabilities.
 */
export interface Part {
  /** index into the manifest's levels; the parts of a level are side by side */
  readonly level: number
  readonly trees: number
  readonly nodes: number
  /** done to every row's features in float64, in this order; empty for features as they are read */
  readonly steps: readonly Step[]
  /** null where leaves are class fractions, which are averaged */
  readonly sum: Sum | null
  /** null where the probabilities are used as they are */
  readonly calibration: Calibration | null
}

/** In the bundle only where a part is more than a forest that averages. */
export const partsFile = 'parts.json'

/** One part a level, and nothing around its trees. */
export function plainParts(levels: readonly Pick<ManifestLevel, 'trees' | 'nodes'>[]): Part[] {
  return levels.map(({ trees, nodes }, level) => ({ level, trees, nodes, steps: [], sum: null, calibration: null }))
}

export function isPlain({ steps, sum, calibration }: Part): boolean {
  return steps.length === 0 && sum === null && calibration === null
}

/** The names of a booster's margins, where they are the model's own: it has one part, and nothing comes after the link. */
export function marginsOf(parts: readonly Part[]): readonly string[] | undefined {
  const [part, ...others] = parts
  return others.length === 0 && part?.calibration === null ? part.sum?.margins : undefined
}

/** Why an ONNX graph cannot carry these forests; undefined where it can. */
export function whyNotOnnx({
  manifest: { preprocessing },
  parts,
}: {
  readonly manifest: Pick<Manifest, 'preprocessing'>
  readonly parts: readonly Part[]
}): string | undefined {
  if (parts.some(({ steps }) => steps.length > 0)) return 'an ONNX graph does not carry the steps before its trees'
  if (parts.some(({ calibration }) => calibration !== null)) return 'an ONNX graph does not carry its calibration'
  if (new Set(parts.map(({ level }) => level)).size < parts.length)
    return 'an ONNX graph does not carry a mean of forests'
  if (parts.length > 0 && preprocessing.precision === 'float64')
    return 'its trees compare float64 numbers, and those of an ONNX graph float32'
  return undefined
}

export function encodeParts(parts: readonly Part[]): Uint8Array {
  return Buffer.from(`${exactJson(parts)}\n`)
}

/** Numbers are written so that they come back in every bit. */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => storable(inner))
}

/** JSON has neither NaN nor infinities nor −0. */
function storable(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array)
  if (typeof value !== 'number') return value
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : value
  return String(value)
}

/**
 * Reads parts.json.
 *
 * @throws ModelError for what is not the parts of so many levels
 */
export function decodeParts(text: string, levels: number): Part[] {
  const check = checkerOf(partsFile)
  const parts = check.list(parseJson(text, partsFile), 'list of parts').map((value) => readPart(check, value))
  const isInOrder = parts.every(({ level }, index) => {
    const before = parts[index - 1]?.level ?? -1
    return level === before || level === before + 1
  })
  if (!isInOrder || parts.at(-1)?.level !== levels - 1) {
    throw new ModelError(`${partsFile}: does not have the parts of ${levels} levels in their order`)
  }
  return parts
}

function readPart(check: Checker, value: unknown): Part {
  const part = check.record(value, 'part')
  const trees = check.count(part['trees'], 'trees of a part')
  const sum = part['sum'] === null ? null : readSum(check, part['sum'])
  if (sum !== null && sum.targets.length !== trees) throw check.error('targets of a sum')
  return {
    level: check.count(part['level'], 'level of a part'),
    trees,
    nodes: check.count(part['nodes'], 'nodes of a part'),
    steps: check.list(part['steps'], 'steps of a part').map((step) => readStep(check, step)),
    sum,
    calibration: part['calibration'] === null ? null : readCalibration(check, part['calibration']),
  }
}
