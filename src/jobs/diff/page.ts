// The report of a comparison: who changed class, how far the objects moved, and how the classes shifted.
import type { DiffReport, DiffSide, LevelDiff, MovedObject } from './diff-report.ts'
import { histogramChart } from '../../report/bar-charts.ts'
import { openCanvas, type Canvas } from '../../report/canvas.ts'
import { figureOf } from '../../report/figure.ts'
import { markup, type Html } from '../../report/html.ts'
import { shareChart } from '../../report/line-charts.ts'
import { largestMatrix, matrixChart } from '../../report/matrix-chart.ts'
import { pageOf, type Section } from '../../report/page.ts'
import { listOf, numberText, percentText, tableOf } from '../../report/table.ts'

/** objects of each ranking: --top may ask for more than a page can hold */
const shownObjects = 1000
const shownClasses = 60

/** The text of the page. */
export async function diffPage(report: DiffReport): Promise<string> {
  const canvas = await openCanvas()
  const { a, b, common, changed, changed_share: share, levels, limit } = report
  return pageOf({
    title: 'lcclf diff: two results compared',
    lead: markup`${changed} of ${common} objects (${percentText(share)}) have another class in B (${b.address}) than in A
    (${a.address}).`,
    sections: [
      {
        title: 'What was compared',
        content: [
          ...(limit?.exceeded === true
            ? [markup`<p class="warning">More changed than --fail-if-changed ${limit.text} allows.</p>`]
            : []),
          sides(report),
          levelTable(levels),
          ...onlyTable('A', a),
          ...onlyTable('B', b),
        ],
      },
      {
        title: 'How far objects moved',
        content: [movementFigure(canvas, report), movedTable(report.most_moved, 'The objects that moved furthest')],
      },
      {
        title: 'Objects that changed class',
        content: [movedTable(report.changed_objects, 'The objects that changed class, the furthest moved first')],
      },
      ...levels.map((level) => levelSection(canvas, level)),
    ],
  })
}

function orderOf({ tie_order_assumed: assumed }: DiffSide): string {
  return assumed === null ? 'the taxonomy’s' : `not known; taken was ${assumed}`
}

function sides({
  a,
  b,
  common,
  changed_without_moving: unmoved,
  levels_only_in_a: onlyA,
  levels_only_in_b: onlyB,
}: DiffReport): Html {
  return markup`${tableOf({
    caption: 'The two sides',
    rows: [
      { name: 'A', ...a },
      { name: 'B', ...b },
    ],
    columns: [
      { heading: 'side', cell: ({ name }) => name, isText: true },
      { heading: 'file', cell: ({ address }) => address, isText: true },
      { heading: 'classifier_version', cell: (side) => side.classifier_version, isText: true },
      { heading: 'objects', cell: ({ objects }) => objects },
      { heading: 'only here', cell: ({ only_here: only }) => only.objects },
      { heading: 'older duplicates', cell: ({ duplicates }) => duplicates },
      { heading: 'two classes first', cell: ({ ties }) => ties },
      { heading: 'the order that decides them', cell: (side) => orderOf(side), isText: true },
    ],
  })}${listOf([
    ['objects of both', common],
    ['of another class with the same probabilities, by the order of classes alone', unmoved],
    ...(onlyA.length > 0 ? [['levels of A alone', onlyA.join(', ')] as const] : []),
    ...(onlyB.length > 0 ? [['levels of B alone', onlyB.join(', ')] as const] : []),
  ])}`
}

function onlyTable(name: string, { only_here: { objects, first } }: DiffSide): Html[] {
  if (objects === 0) return []
  const rows = first.slice(0, shownObjects)
  const part = rows.length < objects ? `: ${rows.length} of ${objects}; --csv lists all` : ''
  const columns = [{ heading: 'oid', cell: (oid: string) => oid, isText: true }]
  return [tableOf({ caption: `Objects of ${name} alone${part}`, rows, columns })]
}

function levelTable(levels: readonly LevelDiff[]): Html {
  return tableOf({
    caption: 'Changes by level',
    rows: levels,
    isSortable: true,
    columns: [
      { heading: 'level', cell: (level) => level.classifier_name, isText: true },
      { heading: 'objects', cell: ({ objects }) => objects },
      { heading: 'changed', cell: ({ changed }) => changed },
      { heading: 'share', cell: ({ changed_share: share }) => (share === null ? null : percentText(share)) },
      { heading: 'PSI of the class shares', cell: (level) => level.share_psi },
    ],
  })
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
    note: markup`Half the sum of the differences over the leaf classes: 0 nothing moved, 1 everything did. Mean
    ${numberText(mean)}, median ${numberText(median)}, 95 % below ${numberText(p95)}, 99 % below ${numberText(p99)}, at
    most ${numberText(max)}.`,
    pictures: [{ name: null, drawing: [histogramChart(canvas, chart)] }],
    numbers: tableOf({
      caption: 'Objects by distance; an interval contains its upper end',
      rows: histogram,
      columns: [
        { heading: 'distance', cell: ({ from, to }) => `${numberText(from)} to ${numberText(to)}` },
        { heading: 'objects', cell: ({ objects }) => objects },
      ],
    }),
  })
}

function movedTable(objects: readonly MovedObject[], caption: string): Html {
  const rows = objects.slice(0, shownObjects)
  return tableOf({
    caption:
      rows.length < objects.length ? `${caption}: ${rows.length} of ${objects.length} that were asked for` : caption,
    rows,
    isSortable: true,
    columns: [
      { heading: 'oid', cell: ({ oid }) => oid, isText: true },
      { heading: 'class in A', cell: (row) => row.class_a, isText: true },
      { heading: 'probability in A', cell: (row) => row.probability_a },
      { heading: 'class in B', cell: (row) => row.class_b, isText: true },
      { heading: 'probability in B', cell: (row) => row.probability_b },
      { heading: 'distance', cell: (row) => row.distance },
    ],
  })
}

function levelSection(canvas: Canvas, level: LevelDiff): Section {
  return { title: level.classifier_name, content: [transitionFigure(canvas, level), shiftFigure(canvas, level)] }
}

function transitionFigure(canvas: Canvas, { classifier_name: name, transitions }: LevelDiff): Html {
  const { classes_a: rows, classes_b: columns, counts } = transitions
  const title = `From class to class: ${name}`
  const chart = {
    label: 'Matrix: classes of A in rows, of B in columns; the table has the counts',
    rows,
    columns,
    counts,
    rowAxis: 'A',
    columnAxis: 'B',
  }
  const isSmall = Math.max(rows.length, columns.length) <= largestMatrix
  return figureOf({
    title,
    note: 'Rows are the class in A, columns that in B, numbers objects. The colour is the share of the row.',
    pictures: isSmall ? [{ name: null, drawing: [matrixChart(canvas, chart)], isWide: true }] : [],
    numbers: tableOf({
      caption: `${title}: objects`,
      rows: rows.map((from, i) => ({ from, row: counts[i]! })),
      columns: [
        { heading: 'class in A', cell: ({ from }) => from, isText: true },
        ...columns.map((heading, j) => ({ heading, cell: ({ row }: { row: readonly number[] }) => row[j]! })),
      ],
    }),
  })
}

function shiftFigure(canvas: Canvas, { classifier_name: name, classes }: LevelDiff): Html {
  const title = `Shares of the classes: ${name}`
  const pairs = classes.flatMap(({ class: one, share_a: a, share_b: b }) =>
    a === null || b === null ? [] : [{ name: one, a, b }],
  )
  const isSmall = pairs.length > 0 && pairs.length <= shownClasses
  return figureOf({
    title,
    note: 'A ring is A, a disc is B. KS and PSI in the table compare the whole distribution of a class’s probability: 0 is no difference; PSI above 0.25 is commonly called a large one.',
    pictures: isSmall
      ? [{ name: null, drawing: [shareChart(canvas, `Share of the objects that each class has in A and in B`, pairs)] }]
      : [],
    numbers: tableOf({
      caption: `${title}, and how their probabilities shifted`,
      rows: classes,
      isSortable: true,
      columns: [
        { heading: 'class', cell: (shift) => shift.class, isText: true },
        { heading: 'share in A', cell: (shift) => shift.share_a },
        { heading: 'share in B', cell: (shift) => shift.share_b },
        { heading: 'mean probability in A', cell: (shift) => shift.mean_probability_a },
        { heading: 'mean probability in B', cell: (shift) => shift.mean_probability_b },
        { heading: 'KS', cell: ({ ks }) => ks },
        { heading: 'PSI', cell: ({ psi }) => psi },
      ],
    }),
  })
}
