// A batch's rows as the kernel takes them: what the steps of each part make of them, side by side.
import type { Features, Preprocessing } from '../../pipeline/preprocess.ts'
import { seenFeatures, seenRows, whyNoAnswer } from '../bundle/answers.ts'
import { exactJson, type Part } from '../bundle/parts.ts'

/** What the rows of a model go through before its trees. */
export interface RowRules {
  readonly parts: readonly Part[]
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
}

/** Lays out the kernel's rows: parts with the same steps share their features. */
export function layOutRows({ parts, features, preprocessing }: RowRules) {
  const inputs = new Map<string, { steps: Part['steps']; names: readonly string[]; first: number }>()
  let width = 0
  const firstFeatures = parts.map(({ steps }) => {
    const key = exactJson(steps)
    const known = inputs.get(key)
    if (known !== undefined) return known.first
    const first = width
    const names = seenFeatures(steps, features)
    inputs.set(key, { steps, names, first })
    width += names.length
    return first
  })
  const isRounded =
    preprocessing.precision === undefined || parts.every(({ steps }) => steps.at(-1)?.kind === 'float32')
  return { inputs: [...inputs.values()], firstFeatures, width, isFloat64: !isRounded }
}

/** What fills the kernel's rows with those of a batch, preprocessed. */
export function createRowFiller(rules: RowRules) {
  const { inputs, width } = layOutRows(rules)
  const isAsRead = inputs.length === 1 && inputs[0]!.steps.length === 0

  /** @param onRefused is told of rows whose features the trees do not take, once or more for each */
  return (
    matrix: Features,
    rowCount: number,
    into: Features,
    onRefused: (row: number, reason: string) => void,
  ): void => {
    if (isAsRead) return into.set(matrix)
    const raw = Float64Array.from(matrix)
    for (const { steps, names, first } of inputs) {
      const { values, isRounded } = seenRows(steps, raw, rowCount, onRefused)
      for (let row = 0, i = 0; row < rowCount; row++) {
        const start = row * width + first
        for (let f = 0; f < names.length; f++, i++) {
          const value = values[i]!
          const seen = isRounded ? Math.fround(value) : value
          into[start + f] = seen
          if (seen - seen === 0 || steps.length === 0) continue
          const why = whyNoAnswer(names[f]!, { value, seen, rules: rules.preprocessing })
          if (why !== undefined) onRefused(row, why)
        }
      }
    }
  }
}
