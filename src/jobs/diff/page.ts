// The report of a comparison: who changed class, how far the objects moved, and how the classes shifted.
import { captionNumber, percentText, type Table } from '../../formats/table.ts'
import { type Canvas, histogramChart, matrixFigure, openCanvas, shareChart } from '../../report/charts.ts'
import { type Html, markup } from '../../report/html.ts'
import { figureOf, type KeyFigures, listOf, pageOf, tableOf } from '../../report/page.ts'
import type { DiffReport, DiffSide, MovedObject } from './diff-predictions.ts'
import type { LevelDiff } from './level-diff.ts'
import {
  calibratedText,
  levelTable,
  movementTable,
  objectCaptions,
  objectTable,
  shiftTable,
  sideTable,
  transitionMatrix,
} from './tables.ts'
import { whyContent } from './why-page.ts'
import { demonstrationNote } from '../../model/store/model-reference.ts'

/** objects of each ranking: --top may ask for more than a page can hold */
const shownObjects = 1000
const shownClasses = 60

export async function diffPage(report: DiffReport): Promise<string> {
  const canvas = await openCanvas()
  const { a, b, common, changed, changed_share: share, levels, limit, why } = report
  return pageOf({
    title: 'lcclf diff: two results compared',
    lead: markup`${changed} of ${common} objects (${percentText(share)}) have another class in B (${b.address}${calibratedText(report, 'b')}) than in A
    (${a.address}${calibratedText(report, 'a')}).${demonstrationNote(a.classifier_version, b.classifier_version)}`,
    key: keyFigures(report),
    sections: [
      {
        title: 'How far objects moved',
        content: [movementFigure(canvas, report), rankedTable(objectCaptions.moved, report.most_moved)],
      },
      { title: 'Objects that changed class', content: [rankedTable(objectCaptions.changed, report.changed_objects)] },
      ...(why === null ? [] : [{ title: 'Why they changed class', content: whyContent(canvas, why) }]),
      ...levels.map((level) => ({
        title: level.classifier_name,
        content: [
          matrixFigure(canvas, transitionMatrix(level), {
            note: 'Rows: class in A; columns: class in B; entries: numbers of objects. Colour shows the share of the row.',
            label: 'Matrix: classes of A in rows, of B in columns; the table has the counts',
            rowAxis: 'A',
            columnAxis: 'B',
          }),
          shiftFigure(canvas, level),
        ],
      })),
      {
        title: 'What was compared',
        content: [
          ...(limit?.exceeded === true
            ? [markup`<p class="warning">More changed than --fail-if-changed ${limit.text} allows.</p>`]
            : []),
          tableOf(sideTable(report)),
          factsOf(report),
          tableOf(levelTable(levels)),
          ...onlyTable('A', a),
          ...onlyTable('B', b),
        ],
      },
    ],
  })
}

/** How many changed, how far they moved, and what is odd. */
function keyFigures({ common, changed, changed_share: share, movement, levels, a, b, limit }: DiffReport): KeyFigures {
  const { rows, columns, counts } = transitionMatrix(levels[0]!)
  const moves = counts.flatMap((row, i) =>
    row.flatMap((count, j) => (rows[i] === columns[j] ? [] : [{ count, what: `${rows[i]!} → ${columns[j]!}` }])),
  )
  const most = moves.reduce((best, one) => (one.count > best.count ? one : best), { count: 0, what: '' })
  return [
    [`${changed} (${percentText(share)})`, `of ${common} objects changed class`],
    [captionNumber(movement.mean), 'mean distance of the probabilities, from 0 to 1'],
    [captionNumber(movement.max), 'largest distance'],
    ...(most.count > 0 ? [[most.what, `the most frequent change: ${most.count} objects`] as const] : []),
    [`${a.only_here.objects}, ${b.only_here.objects}`, 'objects in A alone, and in B alone'],
    ...(limit === null || limit === undefined
      ? []
      : [[limit.exceeded ? 'no' : 'yes', `within --fail-if-changed ${limit.text}`] as const]),
  ]
}

function factsOf({
  common,
  changed_without_moving: unmoved,
  levels_only_in_a: onlyA,
  levels_only_in_b: onlyB,
}: DiffReport): Html {
  return listOf([
    ['objects on both sides', common],
    ['changed class with the same probabilities, by the order of classes alone', unmoved],
    ...(onlyA.length > 0 ? [['levels of A alone', onlyA.join(', ')] as const] : []),
    ...(onlyB.length > 0 ? [['levels of B alone', onlyB.join(', ')] as const] : []),
  ])
}

function onlyTable(name: string, { only_here: { objects, first } }: DiffSide): Html[] {
  if (objects === 0) return []
  const rows = first.slice(0, shownObjects)
  const part = rows.length < objects ? `: ${rows.length} of ${objects}; --csv lists all` : ''
  const columns: Table<string>['columns'] = [{ heading: 'oid', cell: (oid) => oid, isText: true }]
  return [tableOf({ caption: `Objects of ${name} alone${part}`, rows, columns })]
}

function rankedTable(caption: string, objects: readonly MovedObject[]): Html {
  const rows = objects.slice(0, shownObjects)
  const part = rows.length < objects.length ? `: ${rows.length} of the ${objects.length} requested` : ''
  return tableOf(objectTable(`${caption}${part}`, rows))
}

function movementFigure(canvas: Canvas, { movement }: DiffReport): Html {
  const { mean, median, p95, p99, max, histogram } = movement
  const chart = {
    label: 'Histogram: objects by how far their probabilities moved',
    bins: histogram.map(({ from, to, objects: value }) => ({ from, to, value })),
    xAxis: 'distance',
    yAxis: 'objects',
    color: 0,
  }
  return figureOf({
    title: 'How far the probabilities moved',
    note: markup`Half the sum of the absolute differences over the leaf classes: 0 if nothing moved, 1 if everything did. Mean
    ${captionNumber(mean)}, median ${captionNumber(median)}, 95 % below ${captionNumber(p95)}, 99 % below
    ${captionNumber(p99)}, maximum ${captionNumber(max)}.`,
    pictures: [{ name: null, drawing: [histogramChart(canvas, chart)] }],
    numbers: tableOf(movementTable(movement)),
  })
}

function shiftFigure(canvas: Canvas, level: LevelDiff): Html {
  const title = `Shares of the classes: ${level.classifier_name}`
  const pairs = level.classes.flatMap(({ class: one, share_a: a, share_b: b }) =>
    a === null || b === null ? [] : [{ name: one, a, b }],
  )
  const isSmall = pairs.length > 0 && pairs.length <= shownClasses
  return figureOf({
    title,
    note: 'Rings: A; discs: B. KS and PSI in the table compare the whole distribution of a class’s probability: 0 means no difference, and a PSI above 0.25 is commonly called large.',
    pictures: isSmall
      ? [{ name: null, drawing: [shareChart(canvas, 'Share of the objects that each class has in A and in B', pairs)] }]
      : [],
    numbers: tableOf(shiftTable(level)),
  })
}
