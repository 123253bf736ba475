// The three forms of a result (design: cli.md, "Layouts"): which columns there are, and their values for a batch.
import { ModelError, UsageError } from '../../errors.ts'
import { calibratedPrefix, type ClassifiedBatch, marginPrefix, winners, winnersOf } from '../../pipeline/batch.ts'
import { withCalibratedLevel, withCalibratedRows } from '../../pipeline/calibrated-level.ts'
import { rankedValues } from '../../pipeline/ranking.ts'
import type { SinkContext } from '../../pipeline/sink.ts'
import type { Excerpt, Layout } from '../address.ts'
import { candidColumn, type ColumnValues, oidColumn, type OutputField, type OutputLayout } from './table-sink.ts'

/** What decides an output's columns. */
type LayoutContext = Pick<SinkContext, 'schema' | 'taxonomy' | 'classifierVersion'>

/** What an output's columns are, beside its layout. */
interface ColumnsAsked extends Pick<Excerpt, 'top'> {
  /** of a booster; the long layout has no place for them, nor for sets and novelty */
  readonly margins?: readonly string[]
  readonly calibrated?: boolean
  readonly sets?: boolean
  readonly novelty?: boolean
}

/**
 * @throws ModelError if two columns would have one name, e.g. for a taxonomy with a class called `probability`; UsageError
 *   for more classes than the model's
 */
export function createLayout(layout: Layout, context: LayoutContext, asked: ColumnsAsked = {}): OutputLayout {
  const made = { wide: wideLayout, long: longLayout, nested: nestedLayout }[layout](context, asked)
  const seen = new Set<string>()
  for (const { path } of made.fields) {
    const key = JSON.stringify(path)
    if (seen.has(key)) {
      throw new ModelError(`the ${layout} layout would have two columns named ${path.join('.')}`, {
        hint: 'A class of this model has the name of another column: write it with --layout long.',
      })
    }
    seen.add(key)
  }
  return made
}

// One row an object, wide and nested: the same values under other names.

/** A column with the way to its values. */
interface Column {
  readonly field: OutputField
  readonly valuesOf: (batch: ClassifiedBatch) => ColumnValues
}

/** `oid`, `candid`, `class`, `probability`, `classifier_version`, the leaf classes, then `top/…`, `stochastic/…` …, `margin/…`, `calibrated/…`, `novelty`. */
function wideLayout(context: LayoutContext, asked: ColumnsAsked): OutputLayout {
  const { levels } = context.taxonomy
  const classes = levels.flatMap(({ classes, prefix }, i) =>
    levelColumns(i, classes, (name) => [i === 0 ? name : `${prefix}/${name}`]),
  )
  return layoutOf([
    ...identityColumns(context),
    classColumn(context, ['class']),
    winningProbabilityColumn(),
    versionColumn(context),
    ...(asked.top === undefined ? classes : topColumns(context, asked.top)),
    ...numberColumns(asked.margins ?? [], (name) => [`${marginPrefix}/${name}`], marginsOf),
    ...calibrationColumns(context, asked, (...path) => [path.join('/')]),
    ...(asked.novelty ? [noveltyColumn(['novelty'])] : []),
  ])
}

/**
 * The message's own form: `{oid, candid, classifier_version, lc_classification: {probabilities, class, hierarchical}}`, and
 * what is written too last in it.
 */
function nestedLayout(context: LayoutContext, asked: ColumnsAsked): OutputLayout {
  const root = 'lc_classification'
  const [probabilities = [], ...hierarchical] = context.taxonomy.levels.map(({ classes, branch }, i) => {
    const way = i === 0 ? ['probabilities'] : ['hierarchical', ...(branch === null ? ['top'] : ['children', branch])]
    return levelColumns(i, classes, (name) => [root, ...way, name])
  })
  return layoutOf([
    ...identityColumns(context),
    versionColumn(context),
    ...probabilities,
    classColumn(context, [root, 'class']),
    ...hierarchical.flat(),
    ...numberColumns(asked.margins ?? [], (name) => [root, 'margins', name], marginsOf),
    ...calibrationColumns(context, asked, (...path) => [root, ...path]),
    ...(asked.novelty ? [noveltyColumn([root, 'novelty'])] : []),
  ])
}

function layoutOf(columns: readonly Column[]): OutputLayout {
  return {
    fields: columns.map((column) => column.field),
    tableOf: (batch) => ({ rowCount: batch.rowCount, columns: columns.map(({ valuesOf }) => valuesOf(batch)) }),
    only: (places) => layoutOf(places.map((place) => columns[place]!)),
  }
}

function identityColumns({ schema }: LayoutContext): Column[] {
  const { oidType, hasCandid } = schema
  const oid: OutputField = { path: ['oid'], type: oidType, isNullable: false }
  const candid: OutputField = { path: ['candid'], type: 'int64', isNullable: true }
  return [
    { field: oid, valuesOf: ({ oids }) => oidColumn(oids, oidType) },
    ...(hasCandid ? [{ field: candid, valuesOf: ({ candids }: ClassifiedBatch) => candidColumn(candids) }] : []),
  ]
}

function versionColumn({ classifierVersion }: LayoutContext): Column {
  const labels = [classifierVersion]
  return {
    field: { path: ['classifier_version'], type: 'label', isNullable: false },
    valuesOf: (batch) => ({ type: 'label', labels, codes: new Int32Array(batch.rowCount) }),
  }
}

function classColumn({ taxonomy }: LayoutContext, path: readonly string[]): Column {
  const labels = taxonomy.levels[0]?.classes ?? []
  return {
    field: { path, type: 'label', isNullable: false },
    valuesOf: (batch) => ({ type: 'label', labels, codes: winners(batch) }),
  }
}

function winningProbabilityColumn(): Column {
  return {
    field: { path: ['probability'], type: 'float64', isNullable: false },
    valuesOf: (batch) => ({ type: 'float64', values: probabilitiesAt(batch, winners(batch)) }),
  }
}

/** `class_1`, `probability_1`, … of the most probable leaf classes; of equals, the first in the model's order. */
function topColumns({ taxonomy }: LayoutContext, count: number): Column[] {
  const labels = taxonomy.levels[0]!.classes
  if (!Number.isInteger(count) || count < 1 || count > labels.length)
    throw new UsageError(`--top ${count}: the model has ${labels.length} classes`)
  let last: { readonly batch: ClassifiedBatch; readonly places: readonly Int32Array[] } | undefined
  const placesOf = (batch: ClassifiedBatch, rank: number): Int32Array => {
    if (last?.batch !== batch) last = { batch, places: mostProbable(batch, count) }
    return last.places[rank]!
  }
  return Array.from({ length: count }, (_, rank): Column[] => [
    {
      field: { path: [`class_${rank + 1}`], type: 'label', isNullable: false },
      valuesOf: (batch) => ({ type: 'label', labels, codes: placesOf(batch, rank) }),
    },
    {
      field: { path: [`probability_${rank + 1}`], type: 'float64', isNullable: false },
      valuesOf: (batch) => ({ type: 'float64', values: probabilitiesAt(batch, placesOf(batch, rank)) }),
    },
  ]).flat()
}

/** For each rank, the place of its class in every row. */
function mostProbable({ taxonomy, probabilities, rowCount }: ClassifiedBatch, count: number): Int32Array[] {
  const width = taxonomy.levels[0]!.classes.length
  const product = probabilities[0]!
  const places = Array.from({ length: count }, () => new Int32Array(rowCount))
  const order = Array.from({ length: width }, (_, place) => place)
  for (let row = 0; row < rowCount; row++) {
    const start = row * width
    order.sort((a, b) => product[start + b]! - product[start + a]! || a - b)
    for (let rank = 0; rank < count; rank++) places[rank]![row] = order[rank]!
  }
  return places
}

/** @param places for each row, of a leaf class */
function probabilitiesAt({ taxonomy, probabilities }: ClassifiedBatch, places: Int32Array): Float64Array {
  const product = probabilities[0]!
  const width = taxonomy.levels[0]!.classes.length
  return Float64Array.from(places, (place, row) => product[row * width + place]!)
}

type PathOf = (name: string) => string[]

function levelColumns(level: number, classes: readonly string[], pathOf: PathOf): Column[] {
  return numberColumns(classes, pathOf, ({ probabilities }) => probabilities[level]!)
}

const marginsOf = ({ margins }: ClassifiedBatch): Float64Array => margins!

/** `calibrated/AGN` …, `calibrated_class`, then `set` and `set_size`. */
function calibrationColumns(
  { taxonomy }: LayoutContext,
  { calibrated, sets }: ColumnsAsked,
  pathOf: (...path: string[]) => string[],
): Column[] {
  const labels = taxonomy.levels[0]?.classes ?? []
  const width = labels.length
  const numbers = numberColumns(
    labels,
    (name) => pathOf(calibratedPrefix, name),
    (batch) => batch.calibrated!,
  )
  const winner: Column = {
    field: { path: pathOf(`${calibratedPrefix}_class`), type: 'label', isNullable: false },
    valuesOf: (batch) => ({ type: 'label', labels, codes: winnersOf(batch.calibrated!, width) }),
  }
  const set: Column = {
    field: { path: pathOf('set'), type: 'labels', isNullable: false },
    valuesOf: (batch) => ({ type: 'labels', labels, members: batch.sets! }),
  }
  const size: Column = {
    field: { path: pathOf('set_size'), type: 'int32', isNullable: false },
    valuesOf: ({ sets: members, rowCount }) => ({ type: 'int32', values: sizesOf(members!, rowCount, width) }),
  }
  return [...(calibrated ? [...numbers, winner] : []), ...(sets ? [set, size] : [])]
}

function noveltyColumn(path: readonly string[]): Column {
  return {
    field: { path, type: 'float64', isNullable: false },
    valuesOf: ({ novelty }) => ({ type: 'float64', values: novelty! }),
  }
}

function sizesOf(members: Uint8Array, rowCount: number, width: number): Int32Array {
  const sizes = new Int32Array(rowCount)
  for (let row = 0, cell = 0; row < rowCount; row++) {
    for (const end = cell + width; cell < end; cell++) sizes[row]! += members[cell]!
  }
  return sizes
}

/** @param rowsOf rowCount × names, row-major */
function numberColumns(
  names: readonly string[],
  pathOf: PathOf,
  rowsOf: (batch: ClassifiedBatch) => Float64Array,
): Column[] {
  const width = names.length
  return names.map((name, index) => ({
    field: { path: pathOf(name), type: 'float64', isNullable: false },
    valuesOf: (batch) => {
      const rows = rowsOf(batch)
      const values = new Float64Array(batch.rowCount)
      for (let row = 0, cell = index; row < batch.rowCount; row++, cell += width) values[row] = rows[cell]!
      return { type: 'float64', values }
    },
  }))
}

/**
 * `oid`, `classifier_name`, `classifier_version`, `class_name`, `probability`, `ranking`: a row for each class of each
 * level (33 an object with the survey's taxonomy), an object's rows by classifier_name, then class_name, in code point
 * order, as a table sorted by its key lists them. Calibrated probabilities are a classifier of their own.
 */
function longLayout(
  { schema, taxonomy: own, classifierVersion }: LayoutContext,
  { calibrated }: ColumnsAsked,
): OutputLayout {
  const taxonomy = calibrated ? withCalibratedLevel(own) : own
  const { levels } = taxonomy
  const places = levels
    .flatMap(({ classifierName, classes }, level) =>
      classes.map((className, index) => ({ level, index, classifierName, className })),
    )
    .sort((a, b) => byCodePoint(a.classifierName, b.classifierName) || byCodePoint(a.className, b.className))
  const versions = [classifierVersion]
  const classifiers = levels.map((level) => level.classifierName)
  const classes = [...new Set(levels.flatMap((level) => level.classes))]
  const codeOf = new Map(classes.map((name, code) => [name, code]))
  const classifierCodes = Int32Array.from(places, ({ level }) => level)
  const classCodes = Int32Array.from(places, ({ className }) => codeOf.get(className)!)
  const label = (name: string): OutputField => ({ path: [name], type: 'label', isNullable: false })
  return wholeLayout({
    fields: [
      { path: ['oid'], type: schema.oidType, isNullable: false },
      label('classifier_name'),
      label('classifier_version'),
      label('class_name'),
      { path: ['probability'], type: 'float64', isNullable: false },
      { path: ['ranking'], type: 'int32', isNullable: false },
    ],
    tableOf(batch) {
      const { rowCount, oids } = batch
      const ranked = calibrated ? withCalibratedRows(batch, taxonomy) : batch
      const ids = oids.flatMap((oid) => new Array<string>(places.length).fill(oid))
      const { probabilities, rankings } = rankedValues(ranked, [...oids.keys()], places)
      return {
        rowCount: rowCount * places.length,
        columns: [
          oidColumn(ids, schema.oidType),
          { type: 'label', labels: classifiers, codes: repeated(classifierCodes, rowCount) },
          { type: 'label', labels: versions, codes: new Int32Array(rowCount * places.length) },
          { type: 'label', labels: classes, codes: repeated(classCodes, rowCount) },
          { type: 'float64', values: probabilities },
          { type: 'int32', values: rankings },
        ],
      }
    },
  })
}

/** A layout whose columns come together. */
function wholeLayout({ fields, tableOf }: Omit<OutputLayout, 'only'>): OutputLayout {
  return {
    fields,
    tableOf,
    only: (places) =>
      wholeLayout({
        fields: places.map((place) => fields[place]!),
        tableOf(batch) {
          const { rowCount, columns } = tableOf(batch)
          return { rowCount, columns: places.map((place) => columns[place]!) }
        },
      }),
  }
}

/** UTF-8 bytes sort as code points do; JavaScript's own comparison is of UTF-16 units. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function repeated(pattern: Int32Array, times: number): Int32Array {
  const all = new Int32Array(pattern.length * times)
  for (let i = 0; i < times; i++) all.set(pattern, i * pattern.length)
  return all
}
