// Hard predictions against labels: the confusion matrix and what is counted from it.

type Confusion = ReturnType<typeof confusionOf>

/** Precision and recall of one class; 0 where they are 0/0, as scikit-learn has it, null in a level without objects. */
export type ClassScores = ReturnType<typeof classScores>[number]

/** @param truth place in `classes` of each object's label; `predicted` the same of its prediction */
export function confusionOf(classes: readonly string[], truth: Int32Array, predicted: Int32Array) {
  /** `counts[i][j]`: objects of class i that were called class j */
  const counts = classes.map(() => new Array<number>(classes.length).fill(0))
  for (let row = 0; row < truth.length; row++) counts[truth[row]!]![predicted[row]!]!++
  return {
    classes,
    counts,
    /** each row divided by its sum; a row of a class that no object has is 0 */
    by_row: counts.map((row) => row.map((count) => ratio(count, sum(row)))),
  }
}

/** The scores of each class, in the matrix's order. */
export function classScores({ counts }: Confusion) {
  const total = sum(counts.flat())
  const share = (part: number, whole: number): number | null => (total === 0 ? null : ratio(part, whole))
  return counts.map((row, i) => {
    const hits = row[i]!
    const support = sum(row)
    const predicted = sum(counts.map((other) => other[i]!))
    return {
      support,
      predicted,
      precision: share(hits, predicted),
      recall: share(hits, support),
      f1: share(2 * hits, support + predicted),
    }
  })
}

/**
 * Scores over the classes that occur as a label or as a prediction, which is what scikit-learn takes when it is not told
 * the classes; `macro_…` are their plain means, `weighted_…` weighted by support. Of no objects nothing is known.
 */
export function overallScores({ counts }: Confusion, scores: readonly ClassScores[]) {
  const occurring = scores.filter(({ support, predicted }) => support + predicted > 0)
  const present = scores.filter(({ support }) => support > 0)
  const total = sum(scores.map(({ support }) => support))
  const share = (part: number, whole: number): number | null => (total === 0 ? null : ratio(part, whole))
  const mean = (values: readonly number[]): number | null => share(sum(values), values.length)
  const macro = (key: 'precision' | 'recall' | 'f1'): number | null => mean(occurring.map((score) => score[key] ?? 0))
  const weighted = (key: 'precision' | 'recall' | 'f1'): number | null =>
    share(sum(present.map((score) => (score[key] ?? 0) * score.support)), total)
  return {
    accuracy: share(sum(counts.map((row, i) => row[i]!)), total),
    /** the mean recall of the classes that objects have (scikit-learn: `balanced_accuracy_score`) */
    balanced_accuracy: mean(present.map(({ recall }) => recall ?? 0)),
    macro_precision: macro('precision'),
    macro_recall: macro('recall'),
    macro_f1: macro('f1'),
    weighted_precision: weighted('precision'),
    weighted_recall: weighted('recall'),
    weighted_f1: weighted('f1'),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

// Errors weighed by the tree: an AGN called QSO keeps its branch, an AGN called SNIa does not.

/**
 * Precision and recall over nodes of the tree instead of classes (Kiritchenko et al. 2005; Silla & Freitas 2011).
 *
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
) {
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
