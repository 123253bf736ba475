// What `manifest.json` of a bundle says.
import { basename } from 'node:path'
import type { Preprocessing } from '../../pipeline/preprocess.ts'
import type { Level, Taxonomy } from '../../pipeline/batch.ts'
import { UsageError } from '../../errors.ts'

/** One forest of the hierarchy. */
export interface ManifestLevel {
  /** `top`, or the branch in lower case; `flat` for a model of one level */
  readonly name: string
  /** the class of the top level that leads here; null for the top and for a model of one level */
  readonly branch: string | null
  /** in the order of scikit-learn's `classes_` */
  readonly classes: readonly string[]
  readonly trees: number
  readonly nodes: number
}

/** A file that belongs to the bundle, or that it was made from. */
export interface FileDigest {
  readonly file: string
  readonly sha256: string
  readonly size: number
}

/** Everything about a model except its numbers. Holds no time and no path, so the same import gives the same bytes. */
export interface Manifest {
  readonly formatVersion: 1
  readonly kind: 'forest' | 'onnx'
  readonly name: string
  readonly version: string
  /** prefix of every classifier_name, `lc_classifier` */
  readonly classifierName: string
  /** branch → leaf classes, both in output order; null for a model of one level */
  readonly taxonomy: Readonly<Record<string, readonly string[]>> | null
  /** the top first, then the branches in output order */
  readonly levels: readonly ManifestLevel[]
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
  readonly trainedBy: { readonly library: string; readonly version: string | null }
  /** where the expected answers of `golden.arrow` come from */
  readonly golden: { readonly rows: number; readonly source: string }
  readonly origin: readonly FileDigest[]
  readonly files: readonly FileDigest[]
}

// The levels and classes of a model, as the outputs see them.

/** What a taxonomy is made of. */
type TaxonomySource = Pick<Manifest, 'classifierName' | 'levels' | 'taxonomy'>

/** From a manifest: the product in output order, the top, the branches; a model of one level has that one only. */
export function taxonomyOf({ classifierName, levels, taxonomy }: TaxonomySource): Taxonomy {
  if (taxonomy === null) {
    return { levels: [{ classifierName, prefix: '', branch: null, classes: levels[0]?.classes ?? [] }] }
  }
  const classes = levels.flatMap(({ branch }) => (branch === null ? [] : (taxonomy[branch] ?? [])))
  const product: Level = { classifierName, prefix: '', branch: null, classes }
  const forests = levels.map(({ name, branch, classes: own }) => ({
    classifierName: `${classifierName}_${name}`,
    prefix: name,
    branch,
    classes: own,
  }))
  return { levels: [product, ...forests] }
}

/** Branch → its leaf classes, both in output order. */
export type BranchTaxonomy = Readonly<Record<string, readonly string[]>>

/** The survey's own. The order of branches and classes is that of the outputs, and decides ties. */
export const alerceTaxonomy: BranchTaxonomy = {
  Stochastic: ['AGN', 'Blazar', 'CV/Nova', 'QSO', 'YSO'],
  Periodic: ['CEP', 'DSCT', 'E', 'LPV', 'Periodic-Other', 'RRL'],
  Transient: ['SLSN', 'SNII', 'SNIa', 'SNIbc'],
}

/** @throws UsageError for a taxonomy that no model can have */
export function checkTaxonomy(taxonomy: BranchTaxonomy): void {
  const branches = Object.keys(taxonomy)
  const classes = Object.values(taxonomy).flat()
  const problem =
    branches.length === 0
      ? 'has no branches'
      : branches.some((branch) => taxonomy[branch]!.length === 0)
        ? 'has a branch without classes'
        : new Set(classes).size !== classes.length
          ? 'names a class twice'
          : branches.some((branch) => basename(branch) !== branch || branch.toLowerCase() === 'top')
            ? 'has a branch that cannot be a file name'
            : new Set(branches.map((branch) => branch.toLowerCase())).size !== branches.length
              ? 'has two branches that differ in case only'
              : null
  if (problem !== null) {
    throw new UsageError(`the taxonomy ${problem}`, { hint: 'Expected {"branch": ["class", …], …} in output order.' })
  }
}
