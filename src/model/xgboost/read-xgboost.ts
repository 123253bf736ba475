// XGBoost's boosters, from JSON and UBJSON: checked, and refused where a bundle cannot hold them exactly.
import { messageOf, ModelError } from '../../errors.ts'
import { type Link, linkMargins, type Sum } from '../bundle/sums.ts'
import { type Estimator, float32Features } from '../estimator.ts'
import { addMargins } from '../plain-sums.ts'
import { convertForest } from '../sklearn/convert-forest.ts'
import { Members } from './booster-members.ts'
import { readTrees, xgboostGoesLeft, type XgboostTree } from './trees.ts'
import { readUbjson } from './ubjson.ts'
import { log } from '../bundle/exact-math.ts'

/** What is known of a booster beside its document. */
export interface BoosterContext {
  /** whether all its trees count, whatever early stopping said: a Booster of its own, not a classifier's */
  readonly allTrees?: boolean
  /** the names that a classifier has for its classes */
  readonly classes?: readonly string[] | undefined
}

/**
 * Reads a booster: `save_model`'s .json or .ubj, or the snapshot inside a pickle.
 *
 * @param label the file's name, for messages
 * @throws ModelError for what is none, for one that is damaged, and for DART, gblinear, categorical splits, several outputs
 *   and objectives that are not a classifier's
 */
export function readXgboost(bytes: Uint8Array, label: string, context: BoosterContext = {}): Estimator {
  const whole = new Members(readDocument(bytes, label), label)
  // pickles hold a snapshot: the model and its configuration
  const root = whole.get('Model') === undefined ? whole : whole.object('Model')
  const learner = root.object('learner')
  const parameters = learner.object('learner_model_param')
  const objective = readObjective(learner.object('objective').text('name'), parameters, label)
  const featureCount = parameters.count('num_feature')
  if (featureCount < 1 || featureCount > 32_767) {
    throw new ModelError(`${label}: has ${featureCount} features, where a bundle can hold 1 to 32767`)
  }
  const { trees, warnings } = usedTrees(learner, { label, featureCount, groups: objective.groups, ...context })
  const classes = context.classes ?? Array.from({ length: Math.max(objective.groups, 2) }, (_, i) => String(i))
  if (classes.length !== Math.max(objective.groups, 2)) {
    throw new ModelError(`${label}: the classifier has ${classes.length} classes, its booster ${objective.groups}`)
  }
  const sum: Sum = {
    margins: objective.groups === 1 ? [classes[1]!] : classes,
    targets: trees.targets,
    base: readBaseScore(parameters, { label, groups: objective.groups, isProbability: objective.groups === 1 }),
    precision: 'float32',
    link: objective.link,
  }
  const forest = convertForest(trees.converted)
  return {
    classes,
    featureNames: readFeatureNames(learner, featureCount, label),
    featureCount,
    parts: [{ level: 0, trees: forest.roots.length, nodes: forest.feature.length, steps: [], sum, calibration: null }],
    forests: [forest],
    // XGBClassifier's predict_proba takes infinities, and what float32 makes infinite (DMatrix refuses both)
    preprocessing: { ...float32Features, infinite: 'kept' },
    trainedBy: { library: 'xgboost', version: readVersion(root) },
    warnings,
    evaluate(matrix, rowCount) {
      const margins = addMargins<XgboostTree>({ ...trees.source, goesLeft: xgboostGoesLeft }, sum, { matrix, rowCount })
      return { margins, probabilities: linkMargins(sum, margins, rowCount, classes.length) }
    },
  }
}

const oldHint =
  'Load it in Python with an XGBoost before 3.1, save it again with save_model("model.json"), then import that.'

function readDocument(bytes: Uint8Array, label: string): unknown {
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1')
  if (/^(binf|bs64|CONFIG-offset:)/.test(start)) {
    throw new ModelError(`${label} is in XGBoost's old binary form, which is not read`, { hint: oldHint })
  }
  if (start[0] !== '{') throw new ModelError(`${label} is not a booster of XGBoost's`, { hint: oldHint })
  // after the brace: white space or a quotation mark in JSON, the type of a length in UBJSON
  if (!/^\{\s*["}]/.test(start)) return readUbjson(bytes, label)
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  } catch (cause) {
    throw new ModelError(`${label}: not JSON (${messageOf(cause).slice(0, 200)})`, { cause })
  }
}

const links: Readonly<Record<string, Link>> = {
  'binary:logistic': { kind: 'sigmoid', library: 'xgboost' },
  'multi:softprob': { kind: 'softmax', library: 'xgboost' },
  'multi:softmax': { kind: 'softmax', library: 'xgboost-scipy' },
}

/** @returns the link, and how many margins there are */
function readObjective(name: string, parameters: Members, label: string): { link: Link; groups: number } {
  const link = Object.hasOwn(links, name) ? links[name] : undefined
  if (!link) {
    throw new ModelError(
      `${label}: its objective is ${JSON.stringify(name.slice(0, 60))}, which is not a classifier's`,
      {
        hint: 'Boosters of binary:logistic, multi:softprob and multi:softmax can be imported.',
      },
    )
  }
  const targets = parameters.get('num_target') === undefined ? 1 : parameters.count('num_target')
  if (targets > 1) throw unsupported(label, 'several outputs')
  const classCount = parameters.count('num_class')
  const isMany = link.kind === 'softmax'
  if (isMany ? classCount < 2 : classCount > 1) {
    throw new ModelError(`${label}: ${name} with ${classCount} classes does not fit together`)
  }
  if (classCount > 32_767) throw new ModelError(`${label}: ${classCount} classes are more than a model has`)
  return { link, groups: isMany ? classCount : 1 }
}

function unsupported(label: string, what: string): ModelError {
  return new ModelError(`${label}: the booster has ${what}, which a bundle cannot hold exactly`, {
    hint: 'Convert it to ONNX (onnxmltools) and import that file.',
  })
}

/** The trees that `predict_proba` uses: up to the best iteration where training stopped early. */
function usedTrees(
  learner: Members,
  given: { label: string; featureCount: number; groups: number; allTrees?: boolean },
) {
  const { label, groups, allTrees = false } = given
  const booster = learner.object('gradient_booster')
  const name = booster.text('name')
  if (name !== 'gbtree') throw unsupported(label, `the kind ${JSON.stringify(name.slice(0, 40))}, not gbtree`)
  const model = booster.object('model')
  const targets = Array.from(model.numbers('tree_info'))
  if (targets.some((target) => !(Number.isInteger(target) && target >= 0 && target < groups))) {
    throw new ModelError(`${label}: a tree adds to a class that is not there`)
  }
  const best = bestIteration(learner)
  const count = best === null || allTrees ? targets.length : treesUntil(model, best + 1, groups)
  if (count === 0 || count > targets.length) {
    throw new ModelError(`${label}: has ${targets.length} trees, where the best iteration needs ${count}`)
  }
  const warnings =
    best === null || count === targets.length || !isUnmarked(learner)
      ? []
      : [
          `${label}: training stopped early: the ${count} trees up to the best iteration count, as in XGBClassifier; Booster.predict takes all ${targets.length}`,
        ]
  const trees = readTrees(model.list('trees'), { ...given, count })
  return { trees: { ...trees, targets: targets.slice(0, count) }, warnings }
}

/** Whether nothing says that a classifier of scikit-learn's kind saved the file. */
function isUnmarked(learner: Members): boolean {
  return learner.get('attributes') === undefined || learner.object('attributes').get('scikit_learn') === undefined
}

function bestIteration(learner: Members): number | null {
  const attributes = learner.get('attributes') === undefined ? undefined : learner.object('attributes')
  return attributes?.get('best_iteration') === undefined ? null : attributes.count('best_iteration')
}

function treesUntil(model: Members, iterations: number, groups: number): number {
  if (model.get('iteration_indptr') !== undefined) {
    return model.numbers('iteration_indptr')[iterations] ?? Infinity
  }
  const parallel = model.object('gbtree_model_param').count('num_parallel_tree')
  return iterations * groups * Math.max(parallel, 1)
}

function readFeatureNames(learner: Members, featureCount: number, label: string): readonly string[] | null {
  if (learner.get('feature_names') === undefined) return null
  const names = learner.list('feature_names')
  if (names.length === 0) return null
  const isWhole = names.length === featureCount && new Set(names).size === featureCount
  if (isWhole && names.every((name) => typeof name === 'string')) return names
  throw new ModelError(`${label}: feature_names are not ${featureCount} different names`)
}

function readVersion(root: Members): string | null {
  const version = root.get('version')
  const isVersion = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0
  const numbers = Array.isArray(version) || ArrayBuffer.isView(version) ? Array.from(version as number[]) : []
  return numbers.length === 3 && numbers.every(isVersion) ? numbers.join('.') : null
}

// Where the margins of an XGBoost booster begin.

const { fround } = Math

/**
 * `base_score` as margins, one a group: a number up to 3.0, from 3.1 on a list of one number or of one for each class. Of
 * two classes it is a probability, of which XGBoost takes −log(1/p − 1) in float32.
 *
 * @throws ModelError for what is none
 */
function readBaseScore(
  parameters: Members,
  { label, groups, isProbability }: { label: string; groups: number; isProbability: boolean },
): number[] {
  const value = parameters.get('base_score')
  const text = typeof value === 'number' ? String(value) : parameters.text('base_score')
  const texts = text.replace(/^\[(.*)\]$/s, '$1').split(',', groups + 1)
  const scores = texts.map((number) => (/^\s*[-+\d.eE]{1,40}\s*$/.test(number) ? fround(Number(number)) : NaN))
  const isWhole = scores.every(Number.isFinite) && (scores.length === 1 || scores.length === groups)
  if (!isWhole)
    throw new ModelError(`${label}: base_score is ${JSON.stringify(text.slice(0, 60))}, which is not a number`)
  if (!isProbability) return Array.from({ length: groups }, (_, i) => scores[i] ?? scores[0]!)
  const [score] = scores
  if (!(score! > 0 && score! < 1))
    throw new ModelError(`${label}: base_score is ${score}, where a probability is needed`)
  return [fround(-fround(log(fround(fround(1 / score!) - 1))))]
}
