// An explanation as text for a person at a terminal.
import type { Explanation, LevelExplanation, RankedFeature } from './explanation.ts'
import { harmless, shownNumber, textColumn, textTable, type TextColumn, columnsOf } from '../../terminal/text-table.ts'

const decimals = 4

/** What the model says, and which features say so. */
export function explainText(explanation: Explanation): string {
  const parts = [
    headLines(explanation),
    rankingTable(explanation),
    ...levelLines(explanation),
    [closingLine(explanation)],
  ]
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function headLines(explanation: Explanation): string[] {
  const { oid, candid, model, predicted_class: predicted, class: name, probability, base, branch } = explanation
  const ids = candid === null ? harmless(oid) : `${harmless(oid)} (candid ${candid})`
  const asked = name === predicted ? `is ${name}` : `is ${predicted}; this is about ${name}`
  const way = branch === null ? '' : ` (${branch})`
  return [
    `${ids} ${asked}, says ${model.name} ${model.version}`,
    `P(${name})${way} = ${shownNumber(probability, decimals)}; with nothing known of an object it would be ${shownNumber(base, decimals)}`,
  ]
}

function rankingTable({ ranking, others, branch, class: name }: Explanation): string[] {
  const hasLevels = branch !== null
  const hasTraining = ranking.some(({ training }) => training !== null)
  const columns: TextColumn[] = [
    textColumn('feature', [...ranking.map((one) => one.name), `${others.features} others`]),
    { heading: 'value', cells: ranking.map(valueText), isNumber: true },
    ...(hasTraining ? [textColumn('usual 5 %, median, 95 %', ranking.map(trainingText))] : []),
    signedColumn(`to P(${name})`, [...ranking.map((one) => one.contribution), others.contribution]),
    ...(hasLevels
      ? [
          signedColumn(
            `to P(${branch})`,
            ranking.map((one) => one.top_contribution),
          ),
          signedColumn(
            `to P(${name}, if ${branch})`,
            ranking.map((one) => one.branch_contribution),
          ),
        ]
      : []),
  ]
  return textTable(columns)
}

function valueText({ value, is_missing: isMissing }: RankedFeature): string {
  return isMissing ? 'missing' : String(Number(value.toPrecision(6)))
}

function trainingText({ training }: RankedFeature): string {
  if (training === null) return ''
  return [training.q05, training.q50, training.q95].map((value) => Number(value.toPrecision(3))).join(', ')
}

function signedColumn(heading: string, values: readonly (number | null)[]): TextColumn {
  const cells = values.map((value) =>
    value === null ? '' : `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(decimals)}`,
  )
  return { heading, cells, isNumber: true }
}

function levelLines({ levels }: Explanation): string[][] {
  return levels.map(({ classifier_name: name, classes }: LevelExplanation) => {
    const column = columnsOf(classes)
    return [
      name,
      ...textTable([
        column.text('class', (one) => one.class),
        column.number('probability', (one) => one.probability, decimals),
        column.number('base', (one) => one.base, decimals),
      ]),
    ]
  })
}

function closingLine({ is_exact: isExact, additivity_error: error }: Explanation): string {
  const method = isExact
    ? 'Exact Shapley values (path-dependent TreeSHAP)'
    : 'APPROXIMATE: path attribution, which favours features near the leaves; without --approximate it is exact'
  return `${method}. Base and contributions add up to the probability (largest gap ${error.toExponential(1)}).`
}
