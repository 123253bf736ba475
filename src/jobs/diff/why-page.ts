// The part of a comparison's report that says why objects changed class.
import { percentText } from '../../formats/table.ts'
import { barChart, type Canvas } from '../../report/charts.ts'
import { type Html, markup } from '../../report/html.ts'
import { figureOf, listOf, tableOf } from '../../report/page.ts'
import type { WhyReport } from './explain-changes.ts'
import { causeTable } from './why-tables.ts'

/** causes in a picture, and in a table: --top may ask for more than a page can hold */
const drawnCauses = 12
const shownCauses = 200

/** What made objects change class: a picture, a table, and what was looked at. */
export function whyContent(canvas: Canvas, why: WhyReport): Html[] {
  const { a, b, approximate, explained, near_ties: nearTies, near_tie_below: bound } = why
  const modelOf = ({ model }: WhyReport['a']): string => `${model.name} ${model.version}`
  return [
    markup`<p>A cause is the smallest set of families of features whose old values, put into the new row, give the object
    its old class back. The model itself was asked, for every set.</p>`,
    ...(explained === 0 ? [] : [causeFigure(canvas, why)]),
    tableOf(causeTable(why, shownCauses)),
    listOf([
      ['objects that changed class', why.changed],
      ['of those, explained', explained],
      [
        `near a tie: their class led by ${bound} or less before`,
        `${nearTies} (${percentText(nearTies / (explained || 1))})`,
      ],
      ['features of A', a.features.join(', ')],
      ['features of B', b.features.join(', ')],
      ['models', modelOf(a) === modelOf(b) ? modelOf(a) : `${modelOf(a)}, ${modelOf(b)}`],
      ['not in the features of A, of B', `${a.without_features.objects}, ${b.without_features.objects}`],
      [
        'of which the model says something else, in A, in B',
        `${a.not_reproduced.objects}, ${b.not_reproduced.objects}`,
      ],
      ['approximate: more than eight families differ', approximate],
    ]),
  ]
}

function causeFigure(canvas: Canvas, { causes }: WhyReport): Html {
  const bars = causes.slice(0, drawnCauses).map(({ cause: name, objects: value }) => ({ name, value }))
  const most = Math.max(...bars.map(({ value }) => value))
  const chart = { label: 'Bars: objects by what made them change class', bars, axis: 'objects', most, color: 0 }
  return figureOf({
    title: 'What made objects change class',
    note: 'Each object counts once. Long names are cut here; the table has all of them.',
    pictures: [{ name: null, drawing: [barChart(canvas, chart)] }],
    numbers: tableOf({
      caption: 'Objects by cause',
      rows: causes.slice(0, shownCauses),
      columns: [
        { heading: 'cause', cell: ({ cause }) => cause, isText: true },
        { heading: 'objects', cell: ({ objects }) => objects },
        { heading: 'examples', cell: ({ examples }) => examples.join(', '), isText: true },
      ],
    }),
  })
}
