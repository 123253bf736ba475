// The report of an explanation: which features speak for the class and which against it, at each level.
import { captionNumber, numberText, type Table } from '../../formats/table.ts'
import { type Bar, barChart, type Canvas, openCanvas, waterfallChart } from '../../report/charts.ts'
import { type Html, markup } from '../../report/html.ts'
import { figureOf, type KeyFigures, listOf, pageOf, tableOf } from '../../report/page.ts'
import { type ClassExplanation, explainedName, explainedValue } from './explain-levels.ts'
import { explainedParts, type Explanation, largestFirst } from './explain-object.ts'
import { featureTable, levelTable, sumOf } from './tables.ts'
import { demonstrationNote } from '../../model/store/model-reference.ts'

/** features in a picture, however many --top asks for; the table has all of them */
const shownFeatures = 40

export async function explainPage(explanation: Explanation): Promise<string> {
  const canvas = await openCanvas()
  const { oid, model, class: name, predicted_class: predicted, probability, base, space } = explanation
  const { is_exact: isExact } = explanation
  const asked = name === predicted ? '' : ` This report is about ${name}.`
  const value = numberText(explainedValue({ ...explanation, contributions: [] }))
  const [of, it] = space === 'probability' ? ['', 'it'] : [`, of a ${sumOf(space)} of ${value}`, 'that']
  const figures = explainedParts(explanation.levels, explanation).map((part) =>
    contributionFigure(canvas, explanation, part),
  )
  return pageOf({
    title: `lcclf explain: ${oid}`,
    lead: markup`${model.name} ${model.version} calls it ${predicted}.${asked} The probability of ${name} is
    ${captionNumber(probability)}${of}; with nothing known about the object ${it} would be ${captionNumber(base)}.${demonstrationNote(`${model.name}_${model.version}`)}`,
    key: keyFigures(explanation),
    sections: [
      {
        title: 'What speaks for it',
        content: [...(isExact ? [] : [approximate]), markup`<div class="figures">${figures}</div>`],
      },
      { title: 'What each level says', content: [levelFigure(canvas, explanation)] },
      { title: 'What was explained', content: [facts(explanation)] },
      { title: 'All features', content: [tableOf(featureTable(explanation, explanation.features.length))] },
    ],
  })
}

/** How sure, and what decides. */
function keyFigures(explanation: Explanation): KeyFigures {
  const { class: name, probability, levels, features } = explanation
  const [whole] = explainedParts(levels, explanation)
  const { contributions } = whole!.explained
  const order = largestFirst(contributions)
  const strongest = order[0]
  const against = order.find((i) => contributions[i]! < 0)
  const second = [...(levels[0]?.classes ?? [])]
    .filter((one) => one.class !== name)
    .sort((a, b) => b.probability - a.probability)[0]
  return [
    [numberText(probability), `probability of ${name}`],
    ...(second ? [[numberText(second.probability), `probability of ${second.class}, the next`] as const] : []),
    ...(strongest === undefined ? [] : [[features[strongest]!.name, 'feature with the largest contribution'] as const]),
    [against === undefined ? 'none' : features[against]!.name, 'strongest feature against it'],
    [features.filter((one) => one.is_missing).length, `of ${features.length} features missing`],
  ]
}

const approximate = markup`<p class="warning">
  Approximate: path attribution, which favours features near the leaves. Without --approximate the contributions are
  exact Shapley values.
</p>`

function facts(explanation: Explanation): Html {
  const { oid, candid, input, model, method, probability, base, branch, space } = explanation
  const { additivity_error: error } = explanation
  return listOf([
    ['object', oid],
    ...(candid === null ? [] : [['candid', candid] as const]),
    ['input', input],
    ['model', `${model.name} ${model.version}`],
    ['sha256 of its manifest', model.sha256],
    ['class', branch === null ? explanation.class : `${explanation.class} (${branch})`],
    ['probability', numberText(probability)],
    ...(space === 'probability'
      ? []
      : [[sumOf(space), numberText(explainedValue({ ...explanation, contributions: [] }))] as const]),
    ['with nothing known', numberText(base)],
    ['method', method],
    ['largest gap of base + contributions', error.toExponential(1)],
  ])
}

/** One part of the explanation, with its own largest contributions. */
function contributionFigure(
  canvas: Canvas,
  { features, ranking, space }: Explanation,
  { name, explained }: { name: string; explained: ClassExplanation },
): Html {
  const title = `Contributions to ${explainedName(space, name)}`
  const bars = largestFirst(explained.contributions).map((i): Bar => ({
    name: features[i]!.name,
    value: explained.contributions[i]!,
  }))
  const shown = Math.min(ranking.length, shownFeatures)
  const { base } = explained
  const value = explainedValue(explained)
  const rest = bars.slice(shown)
  const others: Bar = { name: `${rest.length} others`, value: rest.reduce((sum, { value }) => sum + value, 0) }
  const first = { name: 'with nothing known', value: base }
  const last = { name: sumOf(space), value }
  const steps = [...bars.slice(0, shown), ...(rest.length > 0 ? [others] : [])]
  const label = `Waterfall: ${title}, the largest first`
  const numbers: Table<Bar> = {
    caption: title,
    rows: [first, ...steps, last],
    columns: [
      { heading: 'feature', cell: ({ name }) => name, isText: true },
      { heading: 'contribution', cell: ({ value }) => value },
    ],
  }
  return figureOf({
    title,
    note: markup`From the ${sumOf(space)} with nothing known about the object (${captionNumber(base)}) to that of the object
    (${captionNumber(value)}): what each feature adds or takes away, the largest first. Each bar begins where the one above it ends.`,
    pictures: [{ name: null, drawing: [waterfallChart(canvas, { label, first, steps, last, axis: sumOf(space) })] }],
    numbers: tableOf(numbers),
  })
}

function levelFigure(canvas: Canvas, { levels }: Explanation): Html {
  return figureOf({
    title: 'Probabilities of each level',
    note: 'The first level is the product of the others: of a branch, and of a class within it.',
    pictures: levels.map(({ classifier_name: name, classes }, index) => {
      const largest = [...classes].sort((a, b) => b.probability - a.probability).slice(0, shownFeatures)
      const shown = new Set(largest)
      const bars = classes.filter((one) => shown.has(one)).map((one) => ({ name: one.class, value: one.probability }))
      const label = `Bar chart: probability of each class of ${name}`
      return { name, drawing: [barChart(canvas, { label, bars, axis: 'probability', most: 1, color: index })] }
    }),
    numbers: tableOf(levelTable(...levels)),
  })
}
