// Levels, branches and classes: data from the bundle. Nothing in the code knows `AGN`.

/** One classifier of the hierarchy and, at the same time, one `classifier_name` of the Probability table. */
export interface Level {
  /** `lc_classifier` (the product), `lc_classifier_top`, `lc_classifier_stochastic`, … */
  readonly classifierName: string
  /** the prefix of its columns in the wide layout: `top`, `stochastic`, …; empty for the product */
  readonly prefix: string
  /** the class of the top level that leads here; null for the product and for the top */
  readonly branch: string | null
  readonly classes: readonly string[]
}

/**
 * The hierarchy as the outputs see it. `levels[0]` is the product over all leaf classes in output order
 * (Stochastic, Periodic, Transient in the survey's own: that order decides ties), then the top, then one level a branch
 * in the same order. A model of one level has `levels[0]` only.
 */
export interface Taxonomy {
  readonly levels: readonly Level[]
}

/** Name and version that go with every probability. */
export interface ModelIdentity {
  readonly name: string
  readonly version: string
  /** `name_version`, e.g. `hierarchical_random_forest_1.0.0`: the column classifier_version */
  readonly classifierVersion: string
  /** of the bundle's manifest */
  readonly sha256: string
}
