// What a person at a terminal sees who named no output: counts, the first rows, and how to get a file.
import type { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { type ClassifiedBatch, firstMaximum, pickObjects, type Taxonomy } from '../../pipeline/batch.ts'
import type { Sink, SinkContext } from '../../pipeline/sink.ts'
import { type ColumnValues, listsOf, type OutputLayout, type OutputTable } from '../files/table-sink.ts'
import { openStandardOutput } from './standard-output.ts'

const shownRows = 10
/** classes shown of an object where there is room: the best and those after it */
const shownClasses = 3

/** What was asked for, where it is not everything. */
interface Part {
  /** the columns of the first objects, if not the usual ones */
  readonly layout: OutputLayout | undefined
  readonly keep: undefined | ((batch: ClassifiedBatch) => ClassifiedBatch)
}

/** Keeps class counts and the first ten objects; prints them at `publish`. */
export function openTerminalSink(
  { taxonomy, schema }: SinkContext,
  stream: Writable & { fd?: number; columns?: number },
  part?: Part,
): Sink {
  const classes = taxonomy.levels[0]?.classes ?? []
  const counts = new Float64Array(classes.length)
  const first: ShownObject[] = []
  const tables: OutputTable[] = []
  let filtered = 0
  const output = openStandardOutput(stream)

  return {
    address: '-',
    durable: 'on-finish',
    get isGone() {
      return output.isGone ?? false
    },
    write(all) {
      const batch = part?.keep ? part.keep(all) : all
      const rows = [...batch.oids.slice(0, shownRows - first.length).keys()]
      if (part?.layout && rows.length > 0) tables.push(part.layout.tableOf(pickObjects(batch, rows)))
      const product = batch.probabilities[0]!
      for (let row = 0; row < batch.rowCount; row++) {
        const winner = firstMaximum(product, row * classes.length, classes.length)
        counts[winner]!++
        if (first.length < shownRows) first.push(shownObject(batch, row, winner))
      }
      const { rowCount } = batch
      filtered += all.rowCount - rowCount
      const outcome = { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
      return Promise.resolve({ ...outcome, filtered: all.rowCount - rowCount })
    },
    finish: () => Promise.resolve(),
    async publish() {
      const columns = part?.layout && chosenCells(part.layout, tables)
      // a terminal that was made smaller meanwhile is asked now
      const width = Math.max(stream.columns || usualWidth, leastWidth)
      const summary = { taxonomy, counts, first, hasCandid: schema.hasCandid, filtered, columns, width }
      await output.write(Buffer.from(terminalReport(summary)))
      await output.finish()
    },
    close: () => output.close(),
  }
}

/** One of the first objects. */
function shownObject(batch: ClassifiedBatch, row: number, winner: number) {
  const [product, top] = batch.taxonomy.levels
  const width = product!.classes.length
  const topWidth = top?.classes.length ?? 0
  const own = batch.probabilities[0]!.subarray(row * width, (row + 1) * width)
  const others = [...own.keys()].filter((i) => i !== winner).sort((a, b) => own[b]! - own[a]!)
  return {
    oid: batch.oids[row]!,
    candid: batch.candids[row] ?? null,
    className: product!.classes[winner]!,
    probability: own[winner]!,
    /** the classes after the best, with their probabilities */
    next: others.slice(0, shownClasses - 1).map((i) => ({ name: product!.classes[i]!, probability: own[i]! })),
    /** a probability for each class of the top level; empty for a model of one level */
    top: top ? [...batch.probabilities[1]!.subarray(row * topWidth, (row + 1) * topWidth)] : [],
  }
}

// The text of the terminal's summary, as wide as the terminal at most: what it has room for is shown, the least first.

type ShownObject = ReturnType<typeof shownObject>

/** A column of text: numbers stand to the right, and a column may become as narrow as its `least`. */
type Column = ReturnType<typeof numberColumn> & { readonly isOptional?: boolean }

const usualWidth = 80
const leastWidth = 20
const widestBar = 40
const narrowestBar = 8
const gap = '  '
const decimals = 3
/** What the summary tells; `counts`: objects for each leaf class. */
interface TerminalSummary {
  readonly taxonomy: Taxonomy
  readonly counts: Float64Array
  readonly first: readonly ShownObject[]
  readonly hasCandid: boolean
  /** objects that were left out, as it was asked */
  readonly filtered?: number
  /** of the first objects, where others than the usual ones were asked for */
  readonly columns?: readonly Column[] | undefined
  /** columns of the terminal */
  readonly width?: number
}

/** Class counts by branch, the first objects, and one line on writing a file; ends with a line end. */
export function terminalReport(summary: TerminalSummary): string {
  const { filtered = 0, columns } = summary
  const total = summary.counts.reduce((sum, count) => sum + count, 0)
  const all = total + filtered
  const shown = summary.first.length
  const parts = [
    `${all === 1 ? '1 object' : `${all} objects`} classified${filtered > 0 ? `, ${filtered} of them filtered out` : ''}`,
    countsTable(summary, total),
    ...(total > shown && shown > 0 ? [`The first ${shown}:`] : []),
    ...(shown > 0 ? [columns ? table(columns, { width: summary.width, extra: () => [] }) : firstObjects(summary)] : []),
    'Write every object and all its probabilities to a file:\n  lcclf classify … --to out.parquet',
  ]
  return `${parts.join('\n\n')}\n`
}

function countsTable({ taxonomy, counts, width }: TerminalSummary, total: number): string {
  const classes = taxonomy.levels[0]?.classes ?? []
  const branches = classes.map((name) => taxonomy.levels.find((level) => level.branch && level.classes.includes(name)))
  const shown = branches.map((level, i) => (level === branches[i - 1] ? '' : (level?.branch ?? '')))
  const share = (count: number): string => (total > 0 ? `${((100 * count) / total).toFixed(1)} %` : '')
  const most = Math.max(...counts)
  const columns = [
    ...(taxonomy.levels.length > 1 ? [textColumn('branch', shown, String)] : []),
    textColumn('class', classes, String),
    numberColumn('objects', [...counts], String),
    numberColumn('', [...counts], share),
  ]
  return table(columns, {
    width,
    extra: (free) => {
      const longest = Math.min(free, widestBar)
      if (most === 0 || longest < narrowestBar) return []
      return [textColumn('', [...counts], (count) => bar(count / most, longest))]
    },
  })
}

/** A share of the longest bar; a class that is there at all has something. */
function bar(share: number, longest: number): string {
  const length = Math.round(share * longest)
  return length === 0 && share > 0 ? '▏' : '█'.repeat(length)
}

function firstObjects({ taxonomy, first, hasCandid, width }: TerminalSummary): string {
  const top = taxonomy.levels[1]?.classes ?? []
  const probabilities = (heading: string, value: (object: ShownObject) => number): Column => {
    return { ...numberColumn(heading, first, (object) => value(object).toFixed(decimals)), least: decimals + 2 }
  }
  const columns = [
    textColumn('oid', first, ({ oid }) => oid),
    ...(hasCandid ? [numberColumn('candid', first, ({ candid }) => candid?.toString() ?? '')] : []),
    textColumn('class', first, ({ className }) => className),
    probabilities('prob.', ({ probability }) => probability),
    ...top.map((name, i) => ({ ...probabilities(name, (object) => object.top[i]!), isOptional: true })),
  ]
  const after = ['2nd', '3rd']
    .slice(0, first[0]?.next.length)
    .map((heading, i) => [
      textColumn(heading, first, ({ next }) => next[i]!.name),
      probabilities('prob.', ({ next }) => next[i]!.probability),
    ])
  return table(columns, {
    width,
    extra: (free) => {
      const pairs = after.filter((_, i) => widthOf(after.slice(0, i + 1).flat()) <= free)
      return pairs.flat()
    },
  })
}

/** The first objects with the columns that were asked for. */
function chosenCells({ fields }: OutputLayout, tables: readonly OutputTable[]): Column[] {
  return fields.map(({ path, type }, i) => {
    const cells = tables.flatMap(({ columns, rowCount }) =>
      Array.from({ length: rowCount }, (_, row) => cellOf(columns[i]!, row)),
    )
    const isText = type === 'string' || type === 'label'
    return (isText ? textColumn : numberColumn)(path.join('.'), cells, (cell) => cell)
  })
}

function cellOf(column: ColumnValues, row: number): string {
  if (column.type === 'label') return column.labels[column.codes[row]!]!
  if (column.type === 'float64') return column.values[row]!.toFixed(decimals)
  if (column.type === 'labels') return listsOf(column)[row]!.join('|')
  const isNull = column.type === 'int64' && column.nulls?.has(row) === true
  return isNull ? '' : String(column.values[row])
}

function textColumn<Row>(heading: string, rows: readonly Row[], cell: (row: Row) => string): Column {
  return { heading, cells: rows.map((row) => harmless(cell(row))), isNumber: false, least: 5 }
}

function numberColumn<Row>(heading: string, rows: readonly Row[], cell: (row: Row) => string) {
  const cells = rows.map(cell)
  return { heading, cells, isNumber: true, least: Math.max(...cells.map(({ length }) => length), 0) }
}

/** An id may hold anything, a terminal's own commands included. */
function harmless(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{C}/gu, '?')
}

/** A table's room, and what else is shown in as much of it as the columns leave free. */
interface Room {
  readonly width: number | undefined
  readonly extra: (free: number) => readonly Column[]
}

function table(columns: readonly Column[], { width = usualWidth, extra }: Room): string {
  const all = [...columns, ...extra(width - widthOf(columns) - gap.length)]
  const fitting = fitted(all, width)
  const line = (cell: (column: Column) => string): string => {
    const texts = fitting.map(({ column, width }) => {
      const whole = cell(column)
      const text = whole.length > width ? `${whole.slice(0, width - 1)}…` : whole
      return column.isNumber ? text.padStart(width) : text.padEnd(width)
    })
    return texts.join(gap).trimEnd()
  }
  const rowCount = Math.max(...columns.map((column) => column.cells.length))
  const rows = Array.from({ length: rowCount }, (_, row) => line(({ cells }) => cells[row] ?? ''))
  return [line(({ heading }) => harmless(heading)), ...rows].join('\n')
}

function naturalWidth({ heading, cells }: Column): number {
  return Math.max(harmless(heading).length, ...cells.map((cell) => cell.length))
}

/** Of a table that nothing was cut from. */
function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + naturalWidth(column) + gap.length, -gap.length)
}

/** Makes a table fit: long headings of numbers are cut first, then columns that may go do, then texts are cut: an id is one only whole. */
function fitted(columns: readonly Column[], widest: number): { column: Column; width: number }[] {
  const fitting = columns.map((column) => ({ column, width: naturalWidth(column) }))
  while (fitting.reduce((sum, { width }) => sum + width + gap.length, -gap.length) > widest) {
    const narrowable = fitting.filter(({ column, width }) => width > column.least).sort((a, b) => b.width - a.width)
    const number = narrowable.find(({ column }) => column.isNumber)
    if (number) number.width--
    else if (fitting.at(-1)!.column.isOptional === true || narrowable.length === 0) fitting.pop()
    else narrowable[0]!.width--
  }
  return fitting
}
