// Every table of a comparison as rows for CSV.
import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ClassShift, DiffReport, DiffSide } from './diff-report.ts'
import type { CsvTable } from '../../terminal/csv-tables.ts'
import { onlyInSql } from './joined-sides.ts'
import { messageOf, ServiceError, systemCode } from '../../errors.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import { sqlText } from '../../connectors/files/duckdb.ts'
import { firstLine } from '../../formats/shown-text.ts'

/** sides, transitions, shifts, the bins behind them, movement and the ranked objects; only_in.csv is writeOnlyIn's. */
export function diffTables(report: DiffReport): CsvTable[] {
  const { a, b, levels, movement } = report
  const moved = ['oid', 'class_a', 'probability_a', 'class_b', 'probability_b', 'distance']
  return [
    {
      name: 'sides',
      columns: [
        'side',
        'address',
        'classifier_version',
        'objects',
        'only_here',
        'duplicates',
        'ties',
        'tie_order_assumed',
      ],
      rows: [
        { side: 'a', ...sideOf(a) },
        { side: 'b', ...sideOf(b) },
      ],
    },
    {
      name: 'levels',
      columns: ['classifier_name', 'objects', 'changed', 'changed_share', 'share_psi', 'ties_a', 'ties_b'],
      rows: levels.map(({ classifier_name, objects, changed, changed_share, share_psi, ties_a, ties_b }) => ({
        classifier_name,
        objects,
        changed,
        changed_share,
        share_psi,
        ties_a,
        ties_b,
      })),
    },
    transitionTable(report),
    {
      name: 'shifts',
      columns: [
        'classifier_name',
        'class_name',
        'share_a',
        'share_b',
        'mean_probability_a',
        'mean_probability_b',
        'ks',
        'psi',
        'bins',
      ],
      rows: levels.flatMap(({ classifier_name, classes }) =>
        classes.map((shift) => ({ classifier_name, class_name: shift.class, ...numbersOf(shift) })),
      ),
    },
    {
      name: 'shift_bins',
      columns: ['classifier_name', 'class_name', 'from', 'to', 'share_a', 'share_b'],
      rows: levels.flatMap(({ classifier_name, classes }) =>
        classes.flatMap(({ class: class_name, bins }) => bins.map((bin) => ({ classifier_name, class_name, ...bin }))),
      ),
    },
    { name: 'movement', columns: ['from', 'to', 'objects'], rows: movement.histogram.map((bin) => ({ ...bin })) },
    { name: 'changed_objects', columns: moved, rows: report.changed_objects.map((object) => ({ ...object })) },
    { name: 'most_moved', columns: moved, rows: report.most_moved.map((object) => ({ ...object })) },
  ]
}

function sideOf(side: DiffSide) {
  const { address, classifier_version, objects, duplicates, ties, tie_order_assumed } = side
  return {
    address,
    classifier_version,
    objects,
    only_here: side.only_here.objects,
    duplicates,
    ties,
    tie_order_assumed,
  }
}

function numbersOf({ bins, ...numbers }: ClassShift): Omit<ClassShift, 'bins'> & { readonly bins: number } {
  return { ...numbers, bins: bins.length }
}

function transitionTable({ levels }: DiffReport): CsvTable {
  return {
    name: 'transitions',
    columns: ['classifier_name', 'class_a', 'class_b', 'objects'],
    rows: levels.flatMap(({ classifier_name, transitions: { classes_a: from, classes_b: to, counts } }) =>
      from.flatMap((class_a, i) =>
        to.map((class_b, j) => ({ classifier_name, class_a, class_b, objects: counts[i]![j]! })),
      ),
    ),
  }
}

// only_in.csv: every object that one side of a comparison has and the other lacks, streamed past our memory.

/**
 * Writes `side` (a, b) and `oid`, by side and oid; it is there whole or not at all.
 *
 * @throws ServiceError for a folder or a disk that does not take it
 */
export async function writeOnlyIn(
  session: Session,
  [a, b]: readonly [Predictions, Predictions],
  folder: string,
): Promise<void> {
  const path = resolve(folder, 'only_in.csv')
  const temporary = join(folder, `.only_in.csv.${randomBytes(6).toString('hex')}.partial`)
  const rows = `SELECT 'a' AS side, oid FROM (${onlyInSql(a, b)}) UNION ALL SELECT 'b', oid FROM (${onlyInSql(b, a)})`
  try {
    await mkdir(folder, { recursive: true })
    await session.connection.run(
      `COPY (${rows} ORDER BY ALL) TO ${sqlText(resolve(temporary))} (FORMAT csv, HEADER true, USE_TMP_FILE false)`,
    )
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new ServiceError(`${folder}: cannot be written (${systemCode(cause) ?? firstLine(messageOf(cause))})`, {
      cause,
    })
  }
}
