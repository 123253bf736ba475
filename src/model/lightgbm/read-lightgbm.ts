// LightGBM's boosters, from their text: checked, and refused where a bundle cannot hold them exactly.
import { ModelError } from '../../errors.ts'
import type { Step } from '../bundle/steps.ts'
import { type Link, linkMargins, type Sum } from '../bundle/sums.ts'
import { type Estimator, rawFeatures } from '../estimator.ts'
import { addMargins } from '../plain-sums.ts'
import { convertForest } from '../sklearn/convert-forest.ts'
import { readModelText, type TextSection } from './model-text.ts'
import { lightgbmGoesLeft, type LightgbmTree, readTrees, zeroFeatures, zeroLimit } from './trees.ts'

/** What is known of a booster beside its text. */
export interface BoosterContext {
  /** the names that a classifier has for its classes */
  readonly classes?: readonly string[] | undefined
  /** how many iterations count; all of them where this is not said */
  readonly iterations?: number | undefined
}

/**
 * Reads a booster: `save_model`'s text, or the same inside a pickle.
 *
 * @param label the file's name, for messages
 * @throws ModelError for what is none, for one that is damaged, and for categorical splits, linear trees, random forests and
 *   objectives that are not a classifier's
 */
export function readLightgbm(text: string, label: string, context: BoosterContext = {}): Estimator {
  const { header, trees: sections, isRandomForest } = readModelText(text, label)
  if (isRandomForest) {
    throw new ModelError(`${label}: the booster is a random forest (boosting=rf), which a bundle cannot hold exactly`, {
      hint: 'Train with boosting=gbdt, or convert it to ONNX (onnxmltools) and import that file.',
    })
  }
  const featureCount = header.count('max_feature_idx') + 1
  if (featureCount > 32_767) {
    throw new ModelError(`${label}: ${featureCount} features are more than a bundle can hold (32767)`)
  }
  const { link, groups } = readObjective(header, label)
  const classes = context.classes ?? Array.from({ length: Math.max(groups, 2) }, (_, i) => String(i))
  if (classes.length !== Math.max(groups, 2)) {
    throw new ModelError(`${label}: the classifier has ${classes.length} classes, its booster ${groups}`)
  }
  const used = sections.slice(0, context.iterations === undefined ? undefined : context.iterations * groups)
  if (used.length === 0 || used.length % groups !== 0) {
    throw new ModelError(`${label}: ${used.length} trees are not whole iterations of ${groups}`)
  }
  const { source, converted } = readTrees(used, { label, featureCount })
  const sum: Sum = {
    margins: groups === 1 ? [classes[1]!] : classes,
    targets: used.map((_, index) => index % groups),
    base: new Array<number>(groups).fill(0),
    precision: 'float64',
    link,
  }
  const zeros = zeroFeatures(source)
  const steps: Step[] = zeros.length === 0 ? [] : [{ kind: 'zeros', indices: zeros, limit: zeroLimit }]
  const forest = convertForest(converted)
  return {
    classes,
    featureNames: readFeatureNames(header.words('feature_names'), featureCount, label),
    featureCount,
    parts: [{ level: 0, trees: forest.roots.length, nodes: forest.feature.length, steps, sum, calibration: null }],
    forests: [forest],
    preprocessing: rawFeatures,
    // the text says the version of its form only
    trainedBy: { library: 'lightgbm', version: null },
    warnings: [],
    evaluate(matrix, rowCount) {
      const margins = addMargins<LightgbmTree>({ ...source, goesLeft: lightgbmGoesLeft }, sum, { matrix, rowCount })
      return { margins, probabilities: linkMargins(sum, margins, rowCount, classes.length) }
    },
  }
}

/** LightGBM calls features Column_0, Column_1 … where it was given no names. */
function readFeatureNames(names: readonly string[], featureCount: number, label: string): readonly string[] | null {
  if (names.length !== featureCount) {
    throw new ModelError(`${label}: feature_names has ${names.length} names for ${featureCount} features`)
  }
  if (names.every((name, index) => name === `Column_${index}`)) return null
  if (new Set(names).size !== featureCount) throw new ModelError(`${label}: feature_names has a name twice`)
  return names
}

// What a LightGBM booster makes of its margins.

/**
 * The link of the objective's line (`multiclass num_class:15`, `binary sigmoid:1`), and how many margins there are.
 *
 * @throws ModelError for one that is not a classifier's
 */
function readObjective(header: TextSection, label: string): { link: Link; groups: number } {
  const [name = '', ...options] = header.has('objective') ? header.words('objective') : []
  const groups = header.count('num_tree_per_iteration')
  const classCount = header.count('num_class')
  const kind = Object.hasOwn(kinds, name) ? kinds[name as keyof typeof kinds] : undefined
  if (!kind) {
    throw new ModelError(
      `${label}: its objective is ${JSON.stringify(name.slice(0, 60))}, which is not a classifier's`,
      {
        hint: 'Boosters of binary, multiclass and multiclassova can be imported.',
      },
    )
  }
  const isFitting = groups === classCount && groups >= 1 && groups <= 32_767 && (name === 'binary') === (groups === 1)
  if (!isFitting) throw new ModelError(`${label}: ${name} with ${classCount} classes does not fit together`)
  if (kind === 'softmax') return { link: { kind, library: 'lightgbm' }, groups }
  return { link: { kind, library: 'lightgbm', scale: sigmoidOf(options, label) }, groups }
}

const kinds = { binary: 'sigmoid', multiclass: 'softmax', multiclassova: 'sigmoid' } as const

function sigmoidOf(options: readonly string[], label: string): number {
  const text = options.find((option) => option.startsWith('sigmoid:'))?.slice('sigmoid:'.length) ?? '1'
  const value = /^[-+\d.eE]{1,40}$/.test(text) ? Number(text) : NaN
  if (value > 0 && value < Infinity) return value
  throw new ModelError(`${label}: its sigmoid is ${JSON.stringify(text.slice(0, 40))}, which is no factor`)
}
