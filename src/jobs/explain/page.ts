// The report of an explanation: which features speak for the class and which against it, at each level.
import type { ClassExplanation, Explanation, LevelExplanation, TrainingQuantiles } from './explanation.ts'
import { barChart, contributionChart, type Bar } from '../../report/bar-charts.ts'
import { openCanvas, type Canvas } from '../../report/canvas.ts'
import { figureOf } from '../../report/figure.ts'
import { markup, type Html } from '../../report/html.ts'
import { pageOf } from '../../report/page.ts'
import { listOf, numberText, tableOf, type Column } from '../../report/table.ts'

/** features in a picture, however many --top asks for; the table has all of them */
const shownFeatures = 40

/** The text of the page. */
export async function explainPage(explanation: Explanation): Promise<string> {
  const canvas = await openCanvas()
  const { oid, model, class: name, predicted_class: predicted, probability, base, is_exact: isExact } = explanation
  const asked = name === predicted ? '' : ` This report is about ${name}.`
  return pageOf({
    title: `lcclf explain: ${oid}`,
    lead: markup`${model.name} ${model.version} calls it ${predicted}.${asked} The probability of ${name} is
    ${numberText(probability)}; of an object of which nothing is known it would be ${numberText(base)}.`,
    sections: [
      { title: 'What was explained', content: [...(isExact ? [] : [approximate]), facts(explanation)] },
      { title: 'What speaks for it', content: contributionFigures(canvas, explanation) },
      { title: 'What each level says', content: [levelFigure(canvas, explanation)] },
      { title: 'All features', content: [featureTable(explanation)] },
    ],
  })
}

const approximate = markup`<p class="warning">
  Approximate: path attribution, which favours features near the leaves. Without --approximate the contributions are
  exact Shapley values.
</p>`

function facts(explanation: Explanation): Html {
  const { oid, candid, input, model, method, probability, base, branch, additivity_error: error } = explanation
  return listOf([
    ['object', oid],
    ...(candid === null ? [] : [['candid', candid] as const]),
    ['input', input],
    ['model', `${model.name} ${model.version}`],
    ['sha256 of its manifest', model.sha256],
    ['class', branch === null ? explanation.class : `${explanation.class} (${branch})`],
    ['probability', numberText(probability)],
    ['with nothing known', numberText(base)],
    ['method', method],
    ['largest gap of base + contributions', error.toExponential(1)],
  ])
}

/** The product, then the two levels that it is the product of; each with its own largest contributions. */
function contributionFigures(canvas: Canvas, explanation: Explanation): Html[] {
  const { class: name, branch, levels } = explanation
  const of = (level: LevelExplanation | undefined, one: string) => level?.classes.find((found) => found.class === one)
  const product = of(levels[0], name)!
  const figures = [contributionFigure(canvas, explanation, { title: `Contributions to ${name}`, explained: product })]
  if (branch === null) return figures
  const top = of(
    levels.find((level, i) => i > 0 && level.branch === null),
    branch,
  )
  const within = of(
    levels.find((level) => level.branch === branch),
    name,
  )
  if (top)
    figures.push(
      contributionFigure(canvas, explanation, { title: `Contributions to the branch ${branch}`, explained: top }),
    )
  if (within) {
    const title = `Contributions to ${name}, given ${branch}`
    figures.push(contributionFigure(canvas, explanation, { title, explained: within }))
  }
  return figures
}

interface Explained {
  readonly title: string
  readonly explained: ClassExplanation
}

function contributionFigure(canvas: Canvas, explanation: Explanation, { title, explained }: Explained): Html {
  const { features, ranking } = explanation
  const sorted = explained.contributions
    .map((value, index) => ({ name: features[index]!.name, value, index }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.index - b.index)
  const shown = sorted.slice(0, Math.min(ranking.length, shownFeatures))
  const rest = sorted.slice(shown.length)
  const others: Bar = { name: `${rest.length} others`, value: rest.reduce((sum, { value }) => sum + value, 0) }
  const othersNote = rest.length > 0 ? ` The ${others.name} come to ${numberText(others.value)} together.` : ''
  const { base, probability } = explained
  return figureOf({
    title,
    note: markup`To the right: makes it more probable, to the left: less. ${numberText(base)} with nothing known, and all
    contributions, make ${numberText(probability)}.${othersNote}`,
    pictures: [
      {
        name: null,
        drawing: [
          contributionChart(canvas, {
            label: `Bar chart: ${title}, the largest first`,
            bars: shown,
            axis: 'contribution to the probability',
          }),
        ],
      },
    ],
    numbers: tableOf({
      caption: title,
      rows: [
        { name: 'with nothing known', value: base },
        ...(rest.length > 0 ? [...shown, others] : shown),
        { name: 'probability', value: probability },
      ],
      columns: [
        { heading: 'feature', cell: (bar) => bar.name, isText: true },
        { heading: 'contribution', cell: (bar) => bar.value },
      ],
    }),
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
    numbers: tableOf({
      caption: 'Probabilities of each level',
      rows: levels.flatMap(({ classifier_name: level, classes }) => classes.map((one) => ({ level, one }))),
      isSortable: true,
      columns: [
        { heading: 'level', cell: ({ level }) => level, isText: true },
        { heading: 'class', cell: ({ one }) => one.class, isText: true },
        { heading: 'probability', cell: ({ one }) => one.probability },
        { heading: 'with nothing known', cell: ({ one }) => one.base },
      ],
    }),
  })
}

/** Every feature: its value, where training had it, and its part in the class at each level. */
function featureTable({ features, levels, class: name, branch }: Explanation): Html {
  const parts = levels.flatMap((level, index) => {
    const explained = level.classes.find((one) => one.class === (index > 0 && level.branch === null ? branch : name))
    return explained ? [{ level: level.classifier_name, explained }] : []
  })
  interface Row {
    readonly feature: (typeof features)[number]
    readonly index: number
  }
  const first = parts[0]!.explained.contributions
  const rows = features
    .map((feature, index): Row => ({ feature, index }))
    .sort((a, b) => Math.abs(first[b.index]!) - Math.abs(first[a.index]!) || a.index - b.index)
  const hasTraining = features.some(({ training }) => training !== null)
  const training = (key: keyof TrainingQuantiles, heading: string): Column<Row> => ({
    heading,
    cell: ({ feature }) => feature.training?.[key] ?? null,
  })
  return tableOf({
    caption: 'Features of the object, and what each contributes; the largest contribution first',
    rows,
    isSortable: true,
    columns: [
      { heading: 'feature', cell: ({ feature }) => feature.name, isText: true },
      { heading: 'value', cell: ({ feature }) => (feature.is_missing ? 'missing' : numberText(feature.value)) },
      ...(hasTraining
        ? [
            training('q05', 'training 5 %'),
            training('q50', 'median'),
            training('q95', '95 %'),
            training('missing', 'share missing'),
          ]
        : []),
      ...parts.map(({ level, explained }): Column<Row> => ({
        heading: `to P(${explained.class}) of ${level}`,
        cell: ({ index }) => explained.contributions[index]!,
      })),
    ],
  })
}
