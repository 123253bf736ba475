// A batch's rows as the kernel takes them: what the steps of each part make of them, side by side.
import type { Features, Preprocessing } from '../../pipeline/preprocess.ts'
import { seesFeaturesAsRead, whyNoAnswer } from '../bundle/answers.ts'
import type { Part } from '../bundle/parts.ts'
import { transformRows } from '../bundle/steps.ts'

/** What the rows of a model go through before its trees. */
export interface RowRules {
  readonly parts: readonly Part[]
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
}

/** One list of steps, and where in a row of the kernel its features are. */
interface Input {
  readonly part: Part
  readonly first: number
  readonly width: number
}

/** Lays out the kernel's rows: parts with the same steps share their features. */
export function layOutRows({ parts, features }: RowRules) {
  const inputs = new Map<string, Input>()
  const firstFeatures: number[] = []
  let width = 0
  for (const part of parts) {
    const { steps, compares } = part
    const key = JSON.stringify([steps, compares])
    let input = inputs.get(key)
    if (input === undefined) {
      // a step may leave columns out
      const own =
        steps.length === 0 ? features.length : transformRows(steps, new Float64Array(features.length), 1).length
      input = { part, first: width, width: own }
      inputs.set(key, input)
      width += own
    }
    firstFeatures.push(input.first)
  }
  return { inputs: [...inputs.values()], firstFeatures, width, isFloat64: parts.some(({ compares }) => compares) }
}

/** What fills the kernel's rows with those of a batch, preprocessed. */
export function createRowFiller(rules: RowRules) {
  const { inputs, width } = layOutRows(rules)
  const { features, preprocessing } = rules
  const isAsRead = inputs.length === 1 && seesFeaturesAsRead(inputs[0]!.part, preprocessing)

  /** @param onRefused is told of rows whose features the trees do not take, once or more for each */
  return (
    matrix: Features,
    rowCount: number,
    into: Features,
    onRefused: (row: number, reason: string) => void,
  ): void => {
    if (isAsRead) return into.set(matrix)
    const raw = Float64Array.from(matrix)
    for (const { part, first, width: own } of inputs) {
      const values = part.steps.length === 0 ? raw : transformRows(part.steps, raw, rowCount)
      const isFloat32 = part.compares === undefined
      const isChecked = seesFeaturesAsRead(part, preprocessing)
      for (let row = 0, i = 0; row < rowCount; row++) {
        const start = row * width + first
        for (let f = 0; f < own; f++, i++) {
          const value = values[i]!
          const compared = isFloat32 ? Math.fround(value) : value
          into[start + f] = compared
          if (isChecked || compared - compared === 0) continue
          const why = whyNoAnswer(features[f], { value, compared, rules: preprocessing })
          if (why !== undefined) onRefused(row, why)
        }
      }
    }
  }
}
