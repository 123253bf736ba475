// The survey's forms in one pickle: a dict of the features, the classes and the forests of a hierarchy.
import type { Preprocessing } from '../../pipeline/preprocess.ts'
import { LcclfError, ModelError } from '../../errors.ts'
import { type BranchTaxonomy, checkTaxonomy, isSameSet } from '../bundle/manifest.ts'
import type { Estimator, EstimatorFile } from '../estimator.ts'
import { readNames } from './pickle/names.ts'
import { describe, PyDict, type PyValue } from './pickle/values.ts'

/** What the survey's step does since 2024: ±∞ and NaN become −999, and no value is too large for it. */
const bhrfPreprocessing: Preprocessing = { missing: -999, hugeAbove: Infinity, huge: 0 }

const bhrfClassifier = 'lc_classifier_BHRF_forced_phot'

/** One forest of a hierarchy. */
export interface ReadLevel {
  /** `top`, the branch in lower case, or `flat` */
  readonly name: string
  /** null for the top and for a model of one level */
  readonly branch: string | null
  readonly estimator: Estimator
  /** the names of the features that it was trained with, in their order; null where nobody says */
  readonly features: readonly string[] | null
}

/** A model that says itself what it is made of. */
export interface SurveyForm {
  readonly levels: readonly ReadLevel[]
  /** null for a model of one level */
  readonly taxonomy: BranchTaxonomy | null
  /** see Manifest; absent where it is the taxonomy's order */
  readonly productClasses?: readonly string[]
  readonly preprocessing: Preprocessing
  readonly classifierName: string
}

export function isSurveyForm(value: PyValue): value is PyDict {
  return value instanceof PyDict && value.get('model') !== undefined && value.get('feature_list') !== undefined
}

/**
 * Reads the dict that `HierarchicalRandomForestClassifier.save_classifier` of alercebroker/pipeline writes since 2.0.0:
 * `feature_list`, `list_of_classes`, `model` {top, one forest a branch}, and since 2.1.0 `class_hierarchy`. Its product has
 * the order of `list_of_classes`. A `model` that is a classifier itself is a model of one level.
 *
 * @param read reads one classifier of it
 * @throws ModelError where its parts contradict each other
 */
export function readSurveyForm(
  dict: PyDict,
  { label }: Pick<EstimatorFile, 'label'>,
  read: (value: PyValue, label: string) => Estimator,
): SurveyForm {
  const classes = readNames(dict.get('list_of_classes'), `${label}: list_of_classes`)
  const model = dict.get('model')!
  const common = { preprocessing: bhrfPreprocessing, classifierName: bhrfClassifier }
  if (!(model instanceof PyDict)) {
    const estimator = named(read(model, label), classes, label)
    const features = featuresOf(dict, null, label)
    return { levels: [{ name: 'flat', branch: null, estimator, features }], taxonomy: null, ...common }
  }
  const keys = model.keys()
  if (!keys.includes('top')) throw new ModelError(`${label}: model has no top, only ${keys.join(', ') || 'nothing'}`)
  const top = read(model.get('top')!, `${label}: top`)
  const branches = keys
    .filter((key) => key !== 'top')
    .map((key) => {
      const estimator = read(model.get(key)!, `${label}: ${key}`)
      return { key, branch: classNamed(top.classes, key, label), estimator }
    })
  const taxonomy = taxonomyFrom(branches, classes, label)
  checkHierarchy(dict.get('class_hierarchy'), taxonomy, label)
  if (!isSameSet(top.classes, Object.keys(taxonomy))) {
    throw new ModelError(`${label}: top knows ${top.classes.join(', ')}, the branches are ${keys.join(', ')}`)
  }
  const isInterleaved = Object.values(taxonomy)
    .flat()
    .some((name, index) => name !== classes[index])
  return {
    levels: [
      { name: 'top', branch: null, estimator: top, features: featuresOf(dict, 'top', label) },
      ...branches.map(({ key, branch, estimator }) => {
        return { name: branch.toLowerCase(), branch, estimator, features: featuresOf(dict, key, label) }
      }),
    ],
    taxonomy,
    ...(isInterleaved ? { productClasses: classes } : {}),
    ...common,
  }
}

/** The list of all forests, or of one of them where each has its own. */
function featuresOf(dict: PyDict, key: string | null, label: string): string[] {
  const list = dict.get('feature_list')
  const own = list instanceof PyDict && key !== null ? list.get(key) : list
  return readNames(own, `${label}: feature_list${own === list ? '' : ` of ${key}`}`)
}

/** The class of the top that a branch's key means; versions before 2.1.0 wrote keys in lower case. */
function classNamed(classes: readonly string[], key: string, label: string): string {
  if (classes.includes(key)) return key
  const alike = classes.filter((name) => name.toLowerCase() === key.toLowerCase())
  if (alike.length === 1) return alike[0]!
  throw new ModelError(`${label}: model has the branch ${JSON.stringify(key)}, top knows ${classes.join(', ')}`)
}

/** Branch → classes, both in the order of the product as far as it can be said branch by branch. */
function taxonomyFrom(
  branches: readonly { readonly branch: string; readonly estimator: Estimator }[],
  classes: readonly string[],
  label: string,
): BranchTaxonomy {
  const leaves = branches.flatMap(({ estimator }) => estimator.classes)
  if (!isSameSet(leaves, classes)) {
    const lacking = classes.filter((name) => !leaves.includes(name))
    const unknown = leaves.filter((name) => !classes.includes(name))
    throw new ModelError(
      `${label}: list_of_classes is not what the branches know (no branch has ${lacking.join(', ') || 'none'}; not listed: ${unknown.join(', ') || 'none'})`,
    )
  }
  const taxonomy = Object.fromEntries(
    branches.map(({ branch, estimator }) => [branch, classes.filter((name) => estimator.classes.includes(name))]),
  )
  try {
    checkTaxonomy(taxonomy)
  } catch (cause) {
    throw new ModelError(`${label}: ${cause instanceof LcclfError ? cause.message : String(cause)}`, { cause })
  }
  return taxonomy
}

/** What class_hierarchy says must be what the forests know. */
function checkHierarchy(value: PyValue | undefined, taxonomy: BranchTaxonomy, label: string): void {
  if (value === undefined || value === null) return
  if (!(value instanceof PyDict)) throw new ModelError(`${label}: class_hierarchy is ${describe(value)}, not a dict`)
  for (const [branch, classes] of Object.entries(taxonomy)) {
    const said = readNames(value.get(branch), `${label}: class_hierarchy of ${branch}`)
    if (isSameSet(said, classes)) continue
    throw new ModelError(
      `${label}: class_hierarchy has ${said.join(', ')} in ${branch}, its forest knows ${classes.join(', ')}`,
    )
  }
}

/**
 * An estimator whose labels were numbered in training (XGBoost and LightGBM have no others), with their names.
 *
 * @throws ModelError where its labels are others than 0, 1, 2 … and than these names
 */
export function named(estimator: Estimator, classes: readonly string[], label: string): Estimator {
  const { classes: own } = estimator
  const areSame = own.length === classes.length && own.every((name, index) => name === classes[index])
  if (areSame) return estimator
  if (own.length !== classes.length || own.some((name, index) => name !== String(index))) {
    throw new ModelError(
      `${label}: the list of classes is ${classes.join(', ')}, the classifier knows ${own.join(', ')} in this order`,
    )
  }
  const renamed = (names: readonly string[]) => names.map((name) => classes[own.indexOf(name)] ?? name)
  const forests = estimator.forests.map((forest) => ({ ...forest, classes: renamed(forest.classes) }))
  const parts = estimator.parts.map((part) => {
    return part.sum === null ? part : { ...part, sum: { ...part.sum, margins: renamed(part.sum.margins) } }
  })
  return { ...estimator, classes, forests, parts }
}
