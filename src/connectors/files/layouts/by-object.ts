// The layouts with one row an object, wide and nested: the same values under other names.
import { type ClassifiedBatch, firstMaximum } from '../../../pipeline/batch.ts'
import {
  candidColumn,
  type ColumnValues,
  type LayoutContext,
  oidColumn,
  type OutputField,
  type OutputLayout,
  type OutputTable,
} from './output-table.ts'

/** A column with the way to its values. */
interface Column {
  readonly field: OutputField
  readonly valuesOf: (batch: ClassifiedBatch) => ColumnValues
}

/** `oid`, `candid`, `class`, `probability`, `classifier_version`, the leaf classes, then `top/…`, `stochastic/…` …. */
export function wideLayout(context: LayoutContext): OutputLayout {
  const [product, ...others] = context.taxonomy.levels
  const columns = [
    ...identityColumns(context),
    classColumn(context, ['class']),
    winningProbabilityColumn(),
    versionColumn(context),
    ...levelColumns(0, product?.classes ?? [], []),
    ...others.flatMap((level, i) =>
      levelColumns(i + 1, level.classes, []).map((column) => renamed(column, (name) => `${level.prefix}/${name}`)),
    ),
  ]
  return layoutOf(columns)
}

/** The message's own form: `{oid, candid, classifier_version, lc_classification: {probabilities, class, hierarchical}}`. */
export function nestedLayout(context: LayoutContext): OutputLayout {
  const root = 'lc_classification'
  const { levels } = context.taxonomy
  const inside = levels.map((level, i) => {
    if (i === 0) return levelColumns(i, level.classes, [root, 'probabilities'])
    const way = level.branch === null ? ['top'] : ['children', level.branch]
    return levelColumns(i, level.classes, [root, 'hierarchical', ...way])
  })
  const [probabilities = [], ...hierarchical] = inside
  return layoutOf([
    ...identityColumns(context),
    versionColumn(context),
    ...probabilities,
    classColumn(context, [root, 'class']),
    ...hierarchical.flat(),
  ])
}

function layoutOf(columns: readonly Column[]): OutputLayout {
  return {
    fields: columns.map((column) => column.field),
    tableOf: (batch): OutputTable => ({
      rowCount: batch.rowCount,
      columns: columns.map((column) => column.valuesOf(batch)),
    }),
  }
}

function identityColumns({ schema }: LayoutContext): Column[] {
  const oid: Column = {
    field: { path: ['oid'], type: schema.oidType, isNullable: false },
    valuesOf: (batch) => oidColumn(batch.oids, schema.oidType),
  }
  const candid: Column = {
    field: { path: ['candid'], type: 'int64', isNullable: true },
    valuesOf: (batch) => candidColumn(batch.candids),
  }
  return schema.hasCandid ? [oid, candid] : [oid]
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
    valuesOf: (batch) => {
      const product = batch.probabilities[0]!
      const width = batch.taxonomy.levels[0]!.classes.length
      return { type: 'float64', values: Float64Array.from(winners(batch), (code, row) => product[row * width + code]!) }
    },
  }
}

/** For each row the place of its class among the leaf classes. */
function winners(batch: ClassifiedBatch): Int32Array {
  const width = batch.taxonomy.levels[0]!.classes.length
  const product = batch.probabilities[0]!
  const codes = new Int32Array(batch.rowCount)
  for (let row = 0; row < batch.rowCount; row++) codes[row] = firstMaximum(product, row * width, width)
  return codes
}

function levelColumns(level: number, classes: readonly string[], around: readonly string[]): Column[] {
  const width = classes.length
  return classes.map((name, index) => ({
    field: { path: [...around, name], type: 'float64', isNullable: false },
    valuesOf: (batch) => {
      const rows = batch.probabilities[level]!
      const values = new Float64Array(batch.rowCount)
      for (let row = 0, cell = index; row < batch.rowCount; row++, cell += width) values[row] = rows[cell]!
      return { type: 'float64', values }
    },
  }))
}

function renamed(column: Column, rename: (name: string) => string): Column {
  return { ...column, field: { ...column.field, path: column.field.path.map(rename) } }
}
