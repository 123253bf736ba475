// The tables of an explanation, and its text for a person at a terminal.
import type { Cell, Column, Table } from '../../formats/table.ts'
import { captionedTable, harmless, paragraphs, shownNumber } from '../../terminal/text-table.ts'
import { type ClassExplanation, explainedName, explainedValue, type LevelExplanation } from './explain-levels.ts'
import { explainedParts, type Explanation, largestFirst, type TrainingQuantiles } from './explain-object.ts'

const decimals = 4
const trainingHeadings = { q05: 'usual 5 %', q50: 'median', q95: '95 %', missing: 'share missing' } as const

interface FeatureRow {
  readonly name: string
  readonly value: Cell
  readonly training: TrainingQuantiles | null
  /** one for each of `explainedParts` */
  readonly contributions: readonly number[]
}

/** Features with the largest contributions to the class, as many as are `shown`, and all others together. */
export function featureTable(explanation: Explanation, shown: number): Table<FeatureRow> {
  const { features } = explanation
  const parts = explainedParts(explanation.levels, explanation)
  const order = largestFirst(parts[0]!.explained.contributions)
  const rest = order.slice(shown)
  const rows = order.slice(0, shown).map((i): FeatureRow => {
    const { name, value, is_missing: isMissing, training } = features[i]!
    const contributions = parts.map(({ explained }) => explained.contributions[i]!)
    return { name, value: isMissing ? 'missing' : value, training, contributions }
  })
  const others: FeatureRow = {
    name: `${rest.length} others`,
    value: '',
    training: null,
    contributions: parts.map(({ explained }) => rest.reduce((sum, i) => sum + explained.contributions[i]!, 0)),
  }
  const training = Object.entries(trainingHeadings).map(([key, heading]): Column<FeatureRow> => ({
    heading,
    cell: (row) => row.training?.[key as keyof TrainingQuantiles] ?? '',
    isShare: key === 'missing',
  }))
  return {
    caption: 'Features of the object and what each contributes, the largest contribution first',
    rows: rest.length > 0 ? [...rows, others] : rows,
    isSortable: true,
    columns: [
      { heading: 'feature', cell: ({ name }) => name, isText: true },
      { heading: 'value', cell: ({ value }) => value },
      ...(features.some((feature) => feature.training !== null) ? training : []),
      ...parts.map(({ name }, part): Column<FeatureRow> => ({
        heading: `to ${explainedName(explanation.space, name)}`,
        cell: ({ contributions }) => contributions[part]!,
        decimals,
        isSigned: true,
      })),
    ],
  }
}

export function levelTable(
  ...levels: readonly LevelExplanation[]
): Table<readonly [level: string, one: ClassExplanation]> {
  const isOne = levels.length === 1
  return {
    caption: isOne ? levels[0]!.classifier_name : 'Probabilities of each level',
    rows: levels.flatMap(({ classifier_name: level, classes }) => classes.map((one) => [level, one] as const)),
    isSortable: true,
    columns: [
      { heading: isOne ? undefined : 'level', cell: ([level]) => level, isText: true },
      { heading: 'class', cell: ([, one]) => one.class, isText: true },
      { heading: 'probability', cell: ([, one]) => one.probability, decimals },
      ...explainedColumns(levels),
      { heading: 'with nothing known', cell: ([, one]) => one.base, decimals },
    ],
  }
}

/** What base and contributions add up to, where that is not the probability. */
function explainedColumns(
  levels: readonly LevelExplanation[],
): Column<readonly [level: string, one: ClassExplanation]>[] {
  const { margin, uncalibrated_probability: uncalibrated } = levels[0]!.classes[0]!
  if (margin === undefined && uncalibrated === undefined) return []
  const heading = margin === undefined ? 'before calibration' : 'margin'
  return [{ heading, cell: ([, explained]) => explainedValue(explained), decimals }]
}

/** What the model says, and which features say so. */
export function explainText(explanation: Explanation): string {
  const { ranking, levels, is_exact: isExact, space, additivity_error: error } = explanation
  const method = isExact
    ? 'Exact Shapley values (path-dependent TreeSHAP)'
    : 'APPROXIMATE: path attribution, which favours features near the leaves; omit --approximate for exact values'
  return paragraphs([
    headLines(explanation),
    captionedTable(featureTable(explanation, ranking.length)),
    ...levels.map((level) => captionedTable(levelTable(level))),
    [`${method}. Base and contributions add up to the ${sumOf(space)} (largest gap ${error.toExponential(1)}).`],
  ])
}

const sums = {
  probability: 'probability',
  margin: 'margin',
  uncalibrated_probability: 'probability before calibration',
  uncalibrated_margin: 'margin before calibration',
} as const

/** What base and contributions add up to. */
export function sumOf(space: Explanation['space']): string {
  return sums[space]
}

function headLines(explanation: Explanation): string[] {
  const { oid, candid, model, predicted_class: predicted, class: name, probability, base, branch, space } = explanation
  const ids = candid === null ? harmless(oid) : `${harmless(oid)} (candid ${candid})`
  const asked = name === predicted ? `is ${name}` : `is ${predicted}; this is about ${name}`
  const way = branch === null ? '' : ` (${branch})`
  const value = shownNumber(explainedValue({ ...explanation, contributions: [] }), decimals)
  const [of, it] = space === 'probability' ? ['', 'it'] : [`, of a ${sumOf(space)} of ${value}`, 'that']
  return [
    `${ids} ${asked}, says ${model.name} ${model.version}`,
    `P(${name})${way} = ${shownNumber(probability, decimals)}${of}; with nothing known about the object ${it} would be ${shownNumber(base, decimals)}`,
  ].map(harmless)
}
