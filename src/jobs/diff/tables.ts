// The tables of a comparison, and its text for a person at a terminal.
import { join } from 'node:path'
import {
  type BareTable,
  type Cell,
  cellTable,
  type Matrix,
  matrixTable,
  percentText,
  type Table,
} from '../../formats/table.ts'
import { writeCsvRows } from '../../terminal/csv-tables.ts'
import { captionedTable, harmless, objectCount, paragraphs, shownNumber } from '../../terminal/text-table.ts'
import { orderText, tieLines } from '../predictions/class-order.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import type { DiffReport, DiffSide, MovedObject, Movement } from './diff-predictions.ts'
import { causeTable, whyText } from './why-tables.ts'
import { type ClassShift, type LevelDiff, onlyInSql } from './level-diff.ts'

const decimals = 4
const shownIds = 3

export const objectCaptions = {
  changed: 'Objects that changed class, the farthest moved first',
  moved: 'The objects that moved farthest',
} as const

/** A CSV file each; only_in.csv is `writeOnlyIn`'s. */
export function diffTables(report: DiffReport): Record<string, BareTable> {
  const { levels, movement } = report
  return {
    sides: sideTable(report),
    levels: levelTable(levels),
    transitions: transitionCells(levels),
    shifts: shiftTable(...levels),
    shift_bins: shiftBinCells(levels),
    movement: movementTable(movement),
    changed_objects: objectTable(objectCaptions.changed, report.changed_objects),
    most_moved: objectTable(objectCaptions.moved, report.most_moved),
    ...(report.why === null ? {} : { causes: causeTable(report.why) }),
  }
}

export function sideTable({ a, b }: DiffReport): Table<DiffSide & { readonly name: 'A' | 'B' }> {
  return {
    caption: 'The two sides',
    rows: [
      { name: 'A', ...a },
      { name: 'B', ...b },
    ],
    columns: [
      { key: 'side', cell: ({ name }) => name.toLowerCase() },
      { heading: 'side', cell: ({ name }) => name, isText: true },
      { key: 'address', heading: 'address', cell: ({ address }) => address, isText: true },
      {
        key: 'classifier_version',
        heading: 'classifier_version',
        cell: (side) => side.classifier_version,
        isText: true,
      },
      { key: 'objects', heading: 'objects', cell: ({ objects }) => objects },
      { key: 'only_here', heading: 'only here', cell: (side) => side.only_here.objects },
      { key: 'duplicates', heading: 'older duplicates', cell: ({ duplicates }) => duplicates },
      { key: 'ties', heading: 'ties for first place', cell: ({ ties }) => ties },
      { key: 'tie_order_assumed', cell: (side) => side.tie_order_assumed },
      { heading: 'order that decides them', cell: (side) => orderText(side.tie_order_assumed), isText: true },
    ],
  }
}

export function levelTable(levels: readonly LevelDiff[]): Table<LevelDiff> {
  return {
    caption: 'Changes by level',
    rows: levels,
    isSortable: true,
    columns: [
      { key: 'classifier_name', heading: 'level', cell: (level) => level.classifier_name, isText: true },
      { key: 'objects', heading: 'objects', cell: ({ objects }) => objects },
      { key: 'changed', heading: 'changed', cell: ({ changed }) => changed },
      { key: 'changed_share', heading: 'share', cell: (level) => level.changed_share, isShare: true },
      { key: 'share_psi', heading: 'PSI of class shares', cell: (level) => level.share_psi, decimals },
      { key: 'ties_a', cell: (level) => level.ties_a },
      { key: 'ties_b', cell: (level) => level.ties_b },
    ],
  }
}

export function transitionMatrix({ classifier_name: name, branch, transitions }: LevelDiff): Matrix {
  const { classes_a: rows, classes_b: columns, counts } = transitions
  const counted = branch === null ? '' : `, ${branch} on both sides`
  return { title: `From class to class: ${name}${counted}`, corner: 'A ↓ B →', rows, columns, counts }
}

function transitionCells(levels: readonly LevelDiff[]): BareTable {
  const rows = levels.flatMap(({ classifier_name: level, transitions: { classes_a: from, classes_b: to, counts } }) =>
    from.flatMap((a, i) => to.map((b, j) => [level, a, b, counts[i]![j]!])),
  )
  return cellTable(['classifier_name', 'class_a', 'class_b', 'objects'], rows)
}

/** People read the shifts of one level, a CSV file has those of all. */
export function shiftTable(...levels: readonly LevelDiff[]): Table<ClassShift & { readonly level: string }> {
  return {
    caption: `Shares of the classes, and how their probabilities shifted: ${levels[0]!.classifier_name}`,
    rows: levels.flatMap(({ classifier_name: level, classes }) => classes.map((shift) => ({ level, ...shift }))),
    isSortable: true,
    columns: [
      { key: 'classifier_name', cell: ({ level }) => level },
      { key: 'class_name', heading: 'class', cell: (shift) => shift.class, isText: true },
      { key: 'share_a', heading: 'share A', cell: (shift) => shift.share_a, isShare: true },
      { key: 'share_b', heading: 'share B', cell: (shift) => shift.share_b, isShare: true },
      { key: 'mean_probability_a', heading: 'mean A', cell: (shift) => shift.mean_probability_a, decimals },
      { key: 'mean_probability_b', heading: 'mean B', cell: (shift) => shift.mean_probability_b, decimals },
      { key: 'ks', heading: 'KS', cell: ({ ks }) => ks, decimals },
      { key: 'psi', heading: 'PSI', cell: ({ psi }) => psi, decimals },
      { key: 'bins', cell: ({ bins }) => bins.length },
    ],
  }
}

function shiftBinCells(levels: readonly LevelDiff[]): BareTable {
  const rows = levels.flatMap(({ classifier_name: level, classes }) =>
    classes.flatMap(({ class: name, bins }) =>
      bins.map(({ from, to, share_a: a, share_b: b }) => [level, name, from, to, a, b]),
    ),
  )
  return cellTable(['classifier_name', 'class_name', 'from', 'to', 'share_a', 'share_b'], rows)
}

export function movementTable({ histogram }: Movement): Table<Movement['histogram'][number]> {
  return {
    caption: 'Objects by distance; an interval contains its upper end',
    rows: histogram,
    columns: [
      { key: 'from', heading: 'above', cell: ({ from }) => from },
      { key: 'to', heading: 'up to', cell: ({ to }) => to },
      { key: 'objects', heading: 'objects', cell: ({ objects }) => objects },
    ],
  }
}

export function objectTable(caption: string, rows: readonly MovedObject[]): Table<MovedObject> {
  return {
    caption,
    rows,
    isSortable: true,
    columns: [
      { key: 'oid', heading: 'oid', cell: ({ oid }) => oid, isText: true },
      { key: 'class_a', heading: 'class in A', cell: (row) => row.class_a, isText: true },
      { key: 'probability_a', heading: 'probability', cell: (row) => row.probability_a, decimals },
      { key: 'class_b', heading: 'class in B', cell: (row) => row.class_b, isText: true },
      { key: 'probability_b', heading: 'probability', cell: (row) => row.probability_b, decimals },
      { key: 'distance', heading: 'distance', cell: (row) => row.distance, decimals },
    ],
  }
}

/**
 * Writes only_in.csv: `side` (a, b) and `oid` of every object that one side has and the other lacks, by side and oid. Its
 * rows are never all in memory.
 *
 * @throws ServiceError, UsageError for a folder or a disk that does not take it
 */
export async function writeOnlyIn(
  session: Session,
  [a, b]: readonly [Predictions, Predictions],
  { folder, expected }: { folder: string; expected: number },
): Promise<void> {
  const sql = `SELECT 'a' AS side, oid FROM (${onlyInSql(a, b)}) UNION ALL SELECT 'b', oid FROM (${onlyInSql(b, a)})`
  async function* chunks(): AsyncGenerator<Cell[][]> {
    for await (const chunk of session.chunks(`${sql} ORDER BY ALL`, 'the comparison', expected)) {
      const oids = chunk.texts(1)
      yield chunk.texts(0).map((side, row) => [side, oids[row]!])
    }
  }
  await writeCsvRows(join(folder, 'only_in.csv'), { header: ['side', 'oid'], chunks: chunks() })
}

/** Who is where, who changed, how the classes shifted, and the objects that moved farthest. */
export function diffText(report: DiffReport): string {
  const { levels } = report
  return paragraphs([
    summaryLines(report),
    captionedTable(levelTable(levels)),
    ...levels.flatMap((level) => [
      captionedTable(matrixTable(transitionMatrix(level))),
      captionedTable(shiftTable(level)),
    ]),
    captionedTable(objectTable(objectCaptions.changed, report.changed_objects)),
    ...(report.why === null ? [] : whyText(report.why)),
  ])
}

function summaryLines(report: DiffReport): string[] {
  const { a, b, common, changed, changed_share: share, changed_without_moving: unmoved, movement, levels } = report
  const ties = (key: 'ties_a' | 'ties_b'): number => levels.reduce((sum, level) => sum + level[key], 0)
  const [mean, median, p99] = [movement.mean, movement.median, movement.p99].map((value) => value.toFixed(decimals))
  const alone =
    unmoved === 0
      ? ''
      : `; ${shownNumber(unmoved)} of them with the same probabilities on both sides: equal ones, in another order of classes`
  return [
    `A  ${sideText(a)}${calibratedText(report, 'a')}`,
    `B  ${sideText(b)}${calibratedText(report, 'b')}`,
    `${objectCount(common)} in both, ${shownNumber(changed)} changed class (${percentText(share, 2)})${alone}`,
    ...tieLines(ties('ties_a'), ' in A', a.tie_order_assumed),
    ...tieLines(ties('ties_b'), ' in B', b.tie_order_assumed),
    ...onlyLines('A', a),
    ...onlyLines('B', b),
    ...report.levels_only_in_a.map((name) => `${harmless(name)} is in A only`),
    ...report.levels_only_in_b.map((name) => `${harmless(name)} is in B only`),
    `probabilities moved by ${mean!} on average (0: not at all, 1: completely), half of the objects by at most ${median!}, one in a hundred by more than ${p99!}`,
  ]
}

/** Behind the address of a side. */
export function calibratedText({ calibrated }: DiffReport, side: 'a' | 'b'): string {
  return calibrated === side || calibrated === 'both' ? ', calibrated' : ''
}

function sideText({ address, classifier_version: version, objects, duplicates }: DiffSide): string {
  const older =
    duplicates === 0 ? '' : `, ${shownNumber(duplicates)} older ${duplicates === 1 ? 'row' : 'rows'} left out`
  return `${harmless(address)} (${harmless(version)}): ${objectCount(objects)}${older}`
}

function onlyLines(name: string, { only_here: { objects, first } }: DiffSide): string[] {
  if (objects === 0) return []
  const ids = first.slice(0, shownIds).map(harmless).join(', ')
  return [`${shownNumber(objects)} only in ${name}: ${ids}${objects > shownIds ? ', … (--csv lists all)' : ''}`]
}
