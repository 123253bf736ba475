// A comparison as text for a person at a terminal.
import type { DiffReport, DiffSide, LevelDiff, MovedObject } from './diff-report.ts'
import {
  columnsOf,
  harmless,
  numberColumn,
  objectCount,
  shownNumber,
  textColumn,
  textTable,
  tieLine,
} from '../../terminal/text-table.ts'

const decimals = 4
const shownIds = 3

/** Who is where, who changed, how the classes shifted, and the objects that moved farthest. */
export function diffText(report: DiffReport): string {
  const parts = [
    summaryLines(report),
    levelTable(report),
    ...report.levels.flatMap((level) => [transitionTable(level), shiftTable(level)]),
    movedTable('Changed objects, the farthest moved first', report.changed_objects),
  ]
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

function summaryLines(report: DiffReport): string[] {
  const { a, b, common, changed, changed_share: share, movement } = report
  const others = [
    ...report.levels_only_in_a.map((name) => `${name} is in A only`),
    ...report.levels_only_in_b.map((name) => `${name} is in B only`),
  ]
  return [
    `A  ${sideText(a)}`,
    `B  ${sideText(b)}`,
    `${objectCount(common)} in both, ${shownNumber(changed)} of another class (${percent(share)})${withoutMoving(report)}`,
    ...tieLines('A', a, report.levels),
    ...tieLines('B', b, report.levels),
    ...onlyLines('A', a),
    ...onlyLines('B', b),
    ...others,
    `probabilities moved by ${movement.mean.toFixed(decimals)} on average (0 nothing, 1 everything), half of the objects by less than ${movement.median.toFixed(decimals)}, one in a hundred by more than ${movement.p99.toFixed(decimals)}`,
  ]
}

function sideText({ address, classifier_version: version, objects, duplicates }: DiffSide): string {
  const older =
    duplicates === 0 ? '' : `, ${shownNumber(duplicates)} older ${duplicates === 1 ? 'row' : 'rows'} left out`
  return `${harmless(address)} (${harmless(version)}): ${objectCount(objects)}${older}`
}

function withoutMoving({ changed_without_moving: count }: DiffReport): string {
  if (count === 0) return ''
  return `; ${shownNumber(count)} of them with the same probabilities on both sides: equal ones, in another order of classes`
}

function tieLines(name: 'A' | 'B', { tie_order_assumed: assumed }: DiffSide, levels: readonly LevelDiff[]): string[] {
  const ties = levels.reduce((sum, level) => sum + (name === 'A' ? level.ties_a : level.ties_b), 0)
  return assumed === null || ties === 0 ? [] : [tieLine(ties, ` of ${name}`, assumed)]
}

function onlyLines(name: string, { only_here: { objects, first } }: DiffSide): string[] {
  if (objects === 0) return []
  const ids = first.slice(0, shownIds).map(harmless).join(', ')
  return [`${shownNumber(objects)} only in ${name}: ${ids}${objects > shownIds ? ', … (--csv lists all)' : ''}`]
}

function levelTable({ levels }: DiffReport): string[] {
  const column = columnsOf(levels)
  return textTable([
    column.text('level', (level) => level.classifier_name),
    column.number('objects', (level) => level.objects),
    column.number('changed', (level) => level.changed),
    {
      heading: '',
      cells: levels.map((level) => (level.changed_share === null ? '' : percent(level.changed_share))),
      isNumber: true,
    },
    column.number('PSI of shares', (level) => level.share_psi, decimals),
  ])
}

function transitionTable({ classifier_name: name, branch, transitions }: LevelDiff): string[] {
  const short = (text: string): string => (text.length > 7 ? `${text.slice(0, 6)}…` : text)
  const counted = branch === null ? '' : `, objects that are ${harmless(branch)} in both`
  return [
    `${name}${counted}`,
    ...textTable([
      textColumn('A ↓ B →', transitions.classes_a),
      ...transitions.classes_b.map((to, j) =>
        numberColumn(
          short(to),
          transitions.counts.map((row) => row[j]!),
        ),
      ),
    ]),
  ]
}

function shiftTable({ classes }: LevelDiff): string[] {
  const column = columnsOf(classes)
  const share = (heading: string, key: 'share_a' | 'share_b') => ({
    heading,
    cells: classes.map((one) => (one[key] === null ? '–' : percent(one[key]))),
    isNumber: true,
  })
  const number = (heading: string, key: 'mean_probability_a' | 'mean_probability_b' | 'ks' | 'psi') =>
    column.number(heading, (one) => one[key], decimals)
  return textTable([
    column.text('class', (one) => one.class),
    share('share A', 'share_a'),
    share('share B', 'share_b'),
    number('mean A', 'mean_probability_a'),
    number('mean B', 'mean_probability_b'),
    number('KS', 'ks'),
    number('PSI', 'psi'),
  ])
}

function movedTable(heading: string, objects: readonly MovedObject[]): string[] {
  if (objects.length === 0) return []
  const column = columnsOf(objects)
  return [
    heading,
    ...textTable([
      column.text('oid', ({ oid }) => oid),
      column.text('A', (object) => object.class_a),
      column.number('probability', (object) => object.probability_a, decimals),
      column.text('B', (object) => object.class_b),
      column.number('probability', (object) => object.probability_b, decimals),
      column.number('moved', ({ distance }) => distance, decimals),
    ]),
  ]
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}
