// What a person at a terminal sees who named no output: counts, the first rows, and how to get a file.
import type { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { type ClassifiedBatch, firstMaximum, type Taxonomy } from '../../pipeline/batch.ts'
import type { Sink, SinkContext } from '../../pipeline/sink.ts'
import { openStandardOutput } from './standard-output.ts'

const shownRows = 10

/** Keeps class counts and the first ten objects; prints them at `publish`. */
export function openTerminalSink(context: SinkContext, stream: Writable & { fd?: number }): Sink {
  const { taxonomy, schema } = context
  const classes = taxonomy.levels[0]?.classes ?? []
  const counts = new Float64Array(classes.length)
  const first: ShownObject[] = []
  const output = openStandardOutput(stream)

  function count(batch: ClassifiedBatch): void {
    const product = batch.probabilities[0]!
    for (let row = 0; row < batch.rowCount; row++) {
      const winner = firstMaximum(product, row * classes.length, classes.length)
      counts[winner]!++
      if (first.length < shownRows) first.push(shownObject(batch, row, winner))
    }
  }

  return {
    address: '-',
    durable: 'on-finish',
    get isGone() {
      return output.isGone ?? false
    },
    write(batch) {
      count(batch)
      return Promise.resolve({ objects: batch.rowCount, rows: batch.rowCount, refused: [], superseded: 0 })
    },
    finish: () => Promise.resolve(),
    async publish() {
      const report = terminalReport({ taxonomy, counts, first, hasCandid: schema.hasCandid })
      await output.write(Buffer.from(report))
      await output.finish()
    },
    close: () => output.close(),
  }
}

function shownObject(batch: ClassifiedBatch, row: number, winner: number): ShownObject {
  const [product, top] = batch.taxonomy.levels
  const width = product!.classes.length
  const topWidth = top?.classes.length ?? 0
  return {
    oid: batch.oids[row]!,
    candid: batch.candids[row] ?? null,
    className: product!.classes[winner]!,
    probability: batch.probabilities[0]![row * width + winner]!,
    top: top ? [...batch.probabilities[1]!.subarray(row * topWidth, (row + 1) * topWidth)] : [],
  }
}

// The text of the terminal's summary, 80 columns wide at most.

/** One of the first objects. */
interface ShownObject {
  readonly oid: string
  readonly candid: bigint | null
  readonly className: string
  readonly probability: number
  /** a probability for each class of the top level; empty for a model of one level */
  readonly top: readonly number[]
}

/** What the summary tells. */
interface TerminalSummary {
  readonly taxonomy: Taxonomy
  /** objects for each leaf class */
  readonly counts: Float64Array
  readonly first: readonly ShownObject[]
  readonly hasCandid: boolean
}

/** A column of text: numbers stand to the right, and a column may become as narrow as its `least`. */
interface Column {
  readonly heading: string
  readonly cells: readonly string[]
  readonly isNumber: boolean
  readonly least: number
}

const widest = 80
const gap = '  '
const decimals = 3

/** Class counts by branch, the first objects, and one line on writing a file; ends with a line end. */
export function terminalReport(summary: TerminalSummary): string {
  const total = summary.counts.reduce((sum, count) => sum + count, 0)
  const parts = [
    countsTable(summary, total),
    ...(summary.first.length > 0 ? [firstObjects(summary, total)] : []),
    'Write every object and all its probabilities to a file:\n  lcclf classify … --to out.parquet',
  ]
  return `${parts.join('\n\n')}\n`
}

function countsTable({ taxonomy, counts }: TerminalSummary, total: number): string {
  const classes = taxonomy.levels[0]?.classes ?? []
  const rows = classes.map((name, i) => ({ branch: branchOf(taxonomy, name), name, count: counts[i]! }))
  const isNew = (i: number): boolean => rows[i]!.branch !== rows[i - 1]?.branch
  const branch = rows.map((row, i) => (isNew(i) ? row.branch : ''))
  const share = (count: number): string => (total > 0 ? `${((100 * count) / total).toFixed(1)} %` : '')
  const columns = [
    ...(taxonomy.levels.length > 1 ? [textColumn('branch', branch)] : []),
    textColumn(
      'class',
      rows.map((row) => row.name),
    ),
    numberColumn(
      'objects',
      rows.map((row) => String(row.count)),
    ),
    numberColumn(
      '',
      rows.map((row) => share(row.count)),
    ),
  ]
  return `${total === 1 ? '1 object' : `${total} objects`} classified\n\n${table(columns)}`
}

function branchOf(taxonomy: Taxonomy, className: string): string {
  const level = taxonomy.levels.find(({ branch, classes }) => branch !== null && classes.includes(className))
  return level?.branch ?? ''
}

function firstObjects({ taxonomy, first, hasCandid }: TerminalSummary, total: number): string {
  const top = taxonomy.levels[1]?.classes ?? []
  const columns = [
    textColumn(
      'oid',
      first.map((object) => object.oid),
    ),
    ...(hasCandid
      ? [
          numberColumn(
            'candid',
            first.map((object) => object.candid?.toString() ?? ''),
          ),
        ]
      : []),
    textColumn(
      'class',
      first.map((object) => object.className),
    ),
    // shown with three decimals, as every probability here
    shortColumn('prob.', first, (object) => object.probability),
    ...top.map((name, i) => shortColumn(name, first, (object) => object.top[i]!)),
  ]
  const heading = total > first.length ? `The first ${first.length}:\n\n` : ''
  return heading + table(columns)
}

function shortColumn(heading: string, objects: readonly ShownObject[], value: (object: ShownObject) => number): Column {
  const cells = objects.map((object) => value(object).toFixed(decimals))
  return { heading, cells, isNumber: true, least: decimals + 2 }
}

function textColumn(heading: string, cells: readonly string[]): Column {
  return { heading, cells: cells.map(harmless), isNumber: false, least: 5 }
}

function numberColumn(heading: string, cells: readonly string[]): Column {
  return { heading, cells, isNumber: true, least: Math.max(...cells.map((cell) => cell.length), 0) }
}

/** An id may hold anything, a terminal's own commands included. */
function harmless(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{C}/gu, '?')
}

function table(columns: readonly Column[]): string {
  const fitting = fitted(columns)
  const line = (cell: (column: Column) => string): string =>
    fitting
      .map(({ column, width }) => {
        const text = shortened(cell(column), width)
        return column.isNumber ? text.padStart(width) : text.padEnd(width)
      })
      .join(gap)
      .trimEnd()
  const rowCount = Math.max(...columns.map((column) => column.cells.length))
  const lines = [line((column) => harmless(column.heading))]
  for (let row = 0; row < rowCount; row++) lines.push(line((column) => column.cells[row] ?? ''))
  return lines.join('\n')
}

/** Narrows the widest headings and texts until the table fits; columns at the end that cannot fit are left out. */
function fitted(columns: readonly Column[]): { column: Column; width: number }[] {
  const fitting = columns.map((column) => ({
    column,
    width: Math.max(harmless(column.heading).length, ...column.cells.map((cell) => cell.length)),
  }))
  const total = (): number => fitting.reduce((sum, { width }) => sum + width, 0) + gap.length * (fitting.length - 1)
  while (total() > widest) {
    // numbers first: their headings are what is too long, and the texts are the ids
    const narrowable =
      fitting.filter(({ column, width }) => column.isNumber && width > column.least).sort(byWidth)[0] ??
      fitting.filter(({ column, width }) => width > column.least).sort(byWidth)[0]
    if (narrowable) narrowable.width--
    else fitting.pop()
  }
  return fitting
}

function byWidth(a: { width: number }, b: { width: number }): number {
  return b.width - a.width
}

function shortened(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text
}
