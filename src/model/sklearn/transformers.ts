// scikit-learn's transformers of single columns, as steps of a bundle.
import { ModelError } from '../../errors.ts'
import type { Step } from '../bundle/steps.ts'
import { numbersOf, readArray, readNumber } from './pickle/numpy.ts'
import { describe, PyObject, PyTuple, type PyValue } from './pickle/values.ts'
import { isSince, versionOf } from './pickled-forest.ts'

/** What a transformer does. */
export interface Transformer {
  readonly steps: readonly Step[]
  /** what becomes of missing values; a sentence where rows with them are rejected */
  readonly missing: 'kept' | 'filled' | (string & {})
}

type Reader = (transformer: PyObject, what: string) => Transformer

const readers: Readonly<Record<string, Reader>> = {
  StandardScaler: (scaler, what) => kept(affine(scaler, what, 'mean_', 'scale_')),
  RobustScaler: (scaler, what) => kept(affine(scaler, what, 'center_', 'scale_')),
  MaxAbsScaler: (scaler, what) => kept({ kind: 'affine', subtract: null, divide: numbersAt(scaler, what, 'scale_') }),
  MinMaxScaler: (scaler, what) => kept(readMinMax(scaler, what)),
  SimpleImputer: readImputer,
  QuantileTransformer: (transformer, what) => kept(readQuantiles(transformer, what)),
  PowerTransformer: (transformer, what) => kept(...readPower(transformer, what)),
}

/**
 * Reads a transformer.
 *
 * @param what which step it is, for messages
 * @throws ModelError for one that a bundle cannot hold exactly
 */
export function readTransformer(value: PyValue, what: string): Transformer {
  const type = value instanceof PyObject ? value.type : undefined
  const isOurs = type !== undefined && /^sklearn\.(preprocessing|impute)\./.test(type.module)
  const read = isOurs && Object.hasOwn(readers, type.name) ? readers[type.name] : undefined
  if (read) return read(value as PyObject, what)
  throw new ModelError(`${what} is ${describe(value)}, which a bundle cannot hold exactly`, {
    hint: `Steps can be ${Object.keys(readers).join(', ')} and passthrough. Others: convert the pipeline to ONNX (skl2onnx) and import that file.`,
  })
}

function kept(...steps: Step[]): Transformer {
  return { steps, missing: 'kept' }
}

function numbersAt(transformer: PyObject, what: string, name: string): Float64Array {
  const array = readArray(transformer.attribute(name), `${what}: ${name}`)
  const numbers = numbersOf(array, `${what}: ${name}`)
  if (array.shape.length === 1) return numbers
  throw new ModelError(`${what}: ${name} is of ${array.shape.join('×')}`)
}

/** Scalers have None where they do not centre or do not scale. */
function affine(scaler: PyObject, what: string, centre: string, scale: string): Step {
  const at = (name: string, flag: string) =>
    scaler.attribute(flag) === false || scaler.attribute(name) === null ? null : numbersAt(scaler, what, name)
  return {
    kind: 'affine',
    subtract: at(centre, centre === 'mean_' ? 'with_mean' : 'with_centering'),
    divide: at(scale, centre === 'mean_' ? 'with_std' : 'with_scaling'),
  }
}

function readMinMax(scaler: PyObject, what: string): Step {
  const range = scaler.attribute('feature_range')
  const limits = range instanceof PyTuple ? range.items.map((limit) => readNumber(limit) ?? NaN) : []
  if (limits.length !== 2 || limits.some(Number.isNaN))
    throw new ModelError(`${what}: feature_range is not two numbers`)
  return {
    kind: 'scale',
    multiply: numbersAt(scaler, what, 'scale_'),
    add: numbersAt(scaler, what, 'min_'),
    limits: scaler.attribute('clip') === true ? limits : null,
  }
}

/** Columns without any value in training are taken away, unless they are kept. */
function readImputer(imputer: PyObject, what: string): Transformer {
  if (imputer.attribute('add_indicator') === true) {
    throw new ModelError(`${what} adds indicators of missing values, which a bundle cannot hold exactly`, {
      hint: 'Train with add_indicator=False.',
    })
  }
  const missing = readNumber(imputer.attribute('missing_values'))
  if (missing === undefined) {
    throw new ModelError(`${what}: missing_values is ${describe(imputer.attribute('missing_values'))}`)
  }
  const values = numbersAt(imputer, what, 'statistics_')
  const isWhole = imputer.attribute('strategy') === 'constant' || imputer.attribute('keep_empty_features') === true
  const indices = [...values.keys()].filter((column) => isWhole || !Number.isNaN(values[column]))
  const impute: Step = { kind: 'impute', missing, values }
  const steps: Step[] = indices.length === values.length ? [impute] : [impute, { kind: 'columns', indices }]
  if (Number.isNaN(missing)) return { steps, missing: 'filled' }
  return { steps, missing: `SimpleImputer with missing_values=${missing} takes no NaN` }
}

function readQuantiles(transformer: PyObject, what: string): Step {
  const output = transformer.attribute('output_distribution')
  if (output !== 'uniform' && output !== 'normal') {
    throw new ModelError(`${what}: output_distribution is ${describe(output)}`)
  }
  const references = numbersAt(transformer, what, 'references_')
  const table = readArray(transformer.attribute('quantiles_'), `${what}: quantiles_`)
  const numbers = numbersOf(table, `${what}: quantiles_`)
  const [rows = 0, columns = 0] = table.shape
  if (table.shape.length !== 2 || rows !== references.length || rows === 0) {
    throw new ModelError(`${what}: quantiles_ is of ${table.shape.join('×')}, references_ of ${references.length}`)
  }
  const at = (row: number, column: number) => (table.isFortran ? column * rows + row : row * columns + column)
  const quantiles = Array.from({ length: columns }, (_, column) =>
    Float64Array.from({ length: rows }, (_item, row) => numbers[at(row, column)]!),
  )
  return { kind: 'quantiles', output, references, quantiles }
}

/** With a StandardScaler behind it where it standardises. */
function readPower(transformer: PyObject, what: string): Step[] {
  const method = transformer.attribute('method')
  if (method !== 'yeo-johnson' && method !== 'box-cox')
    throw new ModelError(`${what}: its method is ${describe(method)}`)
  const isScipys = method === 'yeo-johnson' && isSince(versionOf(transformer), 1, 9)
  const lambdas = numbersAt(transformer, what, 'lambdas_')
  const power: Step = { kind: 'power', method: isScipys ? 'yeo-johnson-expm1' : method, lambdas }
  if (transformer.attribute('standardize') === false) return [power]
  const scaler = transformer.attribute('_scaler')
  if (!(scaler instanceof PyObject)) throw new ModelError(`${what}: it has no scaler`)
  return [power, affine(scaler, `${what}: its scaler`, 'mean_', 'scale_')]
}
