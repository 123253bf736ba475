// A forest in memory, as the bundle stores it and the kernel reads it.

/**
 * One level's forest. A node is a row; the rows of one tree are together, in breadth-first order, and the two children of
 * a node are adjacent: left at `left[i]`, right at `left[i] + 1`, both after i (so there are no cycles).
 * A row of features goes left where float32(x[feature]) <= threshold, compared in float64.
 */
export interface Forest {
  /** in the order of scikit-learn's `classes_` */
  readonly classes: readonly string[]
  /** row of each tree's root, in tree order: leaf fractions are added in this order */
  readonly roots: Uint32Array
  /** index into the model's features; −1 for a leaf */
  readonly feature: Int16Array
  readonly threshold: Float64Array
  /** row of the left child; 0 for a leaf */
  readonly left: Uint32Array
  /** index of a leaf's distribution in `leaves`; 0 for a node with children */
  readonly leaf: Uint32Array
  /** the distinct leaf distributions, one after the other, `classes.length` fractions each */
  readonly leaves: Float64Array
  /**
   * weight of the training samples that reached each row (scikit-learn's `weighted_n_node_samples`): what an explanation
   * needs and an answer does not. Absent in a forest that was opened without, as it is for classifying
   */
  readonly cover?: Float64Array
}
