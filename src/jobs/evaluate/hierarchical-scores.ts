// Errors weighed by the tree: an AGN called QSO keeps its branch, an AGN called SNIa does not.

/** Precision and recall over nodes of the tree instead of classes (Kiritchenko et al. 2005; Silla & Freitas 2011). */
export interface HierarchicalScores {
  readonly hierarchical_precision: number
  readonly hierarchical_recall: number
  readonly hierarchical_f1: number
}

/**
 * A class stands for itself and its branch, a branch for itself alone (the root is everybody's and is left out). Summed
 * over all objects: the nodes that prediction and label share, by the nodes of the predictions (precision) or of the
 * labels (recall). Where every label is a leaf class both are the same number.
 *
 * @param branchOf leaf class → branch
 */
export function hierarchicalScores(
  labels: readonly string[],
  predictions: readonly string[],
  branchOf: ReadonlyMap<string, string>,
): HierarchicalScores {
  let shared = 0
  let ofPredictions = 0
  let ofLabels = 0
  const nodesOf = (name: string): readonly string[] => {
    const branch = branchOf.get(name)
    return branch === undefined ? [`branch ${name}`] : [`branch ${branch}`, `class ${name}`]
  }
  labels.forEach((label, row) => {
    const wanted = nodesOf(label)
    const given = nodesOf(predictions[row]!)
    shared += given.filter((node) => wanted.includes(node)).length
    ofPredictions += given.length
    ofLabels += wanted.length
  })
  const precision = ofPredictions === 0 ? 0 : shared / ofPredictions
  const recall = ofLabels === 0 ? 0 : shared / ofLabels
  const both = precision + recall
  return {
    hierarchical_precision: precision,
    hierarchical_recall: recall,
    hierarchical_f1: both === 0 ? 0 : (2 * precision * recall) / both,
  }
}
