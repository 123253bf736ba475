// What `lcclf diff` finds: every number of its tables and figures, in one object that is also its JSON.

/** One side. */
export interface DiffSide {
  readonly address: string
  readonly classifier_version: string
  readonly objects: number
  /** rows of an object that came again; the newest counts */
  readonly duplicates: number
  /** objects whose largest probability two leaf classes have; the first in the order of the classes is taken */
  readonly ties: number
  /** whether that order is known to be the model's */
  readonly tie_order_known: boolean
  /** what decided where it is not: “the order of MODEL”, “the alphabet”, or both, for different levels */
  readonly tie_order_assumed: string | null
  /** objects that the other side does not have, with the first of them by oid, as many as --top */
  readonly only_here: { readonly objects: number; readonly first: readonly string[] }
}

/** Objects of one kind that both sides have, by class. */
export interface Transitions {
  readonly classes_a: readonly string[]
  readonly classes_b: readonly string[]
  /** `counts[i][j]`: class i in A, class j in B */
  readonly counts: readonly (readonly number[])[]
}

/** A share of both sides in one interval of probability, open to the left. */
export interface ShiftBin {
  readonly from: number
  readonly to: number
  readonly share_a: number
  readonly share_b: number
}

/** How one class differs between all objects of A and all objects of B. */
export interface ClassShift {
  readonly class: string
  /** share of the objects whose largest probability is this class's; null where a side has no objects */
  readonly share_a: number | null
  readonly share_b: number | null
  readonly mean_probability_a: number | null
  readonly mean_probability_b: number | null
  /** Kolmogorov–Smirnov statistic of the class's probability: 0 the same distribution, 1 nothing in common */
  readonly ks: number | null
  /** population stability index of the class's probability, over the deciles of A */
  readonly psi: number | null
  readonly bins: readonly ShiftBin[]
}

/** One classifier of both hierarchies. */
export interface LevelDiff {
  readonly classifier_name: string
  /** a branch counts the objects whose top class it is: on both sides for transitions, on each side for shifts */
  readonly branch: string | null
  /** objects that both sides have */
  readonly objects: number
  readonly changed: number
  /** null where there are no objects */
  readonly changed_share: number | null
  /** objects of each side whose largest probability two classes have */
  readonly ties_a: number
  readonly ties_b: number
  readonly transitions: Transitions
  readonly classes: readonly ClassShift[]
  /** population stability index of the class shares */
  readonly share_psi: number | null
}

/** An object of both sides. */
export interface MovedObject {
  readonly oid: string
  readonly class_a: string
  readonly probability_a: number
  readonly class_b: string
  readonly probability_b: number
  /** ½ Σ |difference| over the leaf classes: 0 nothing moved, 1 everything did (total variation) */
  readonly distance: number
}

/** How far the objects' probabilities moved. */
export interface Movement {
  readonly mean: number
  readonly median: number
  readonly p95: number
  readonly p99: number
  readonly max: number
  /** objects by distance, in twenty intervals from 0 to 1 */
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly objects: number }[]
}

/** The report. Classes of one side only have probability 0 on the other. */
export interface DiffReport {
  readonly schemaVersion: 1
  readonly command: 'diff'
  readonly a: DiffSide
  readonly b: DiffSide
  /** objects of both sides */
  readonly common: number
  /** of those, objects whose leaf class is another one */
  readonly changed: number
  readonly changed_share: number
  /** of the changed, objects whose probabilities are all the same: the order of classes alone differs */
  readonly changed_without_moving: number
  readonly movement: Movement
  readonly levels: readonly LevelDiff[]
  /** classifiers that only one side has */
  readonly levels_only_in_a: readonly string[]
  readonly levels_only_in_b: readonly string[]
  /** objects whose class changed, the farthest moved first */
  readonly changed_objects: readonly MovedObject[]
  /** the farthest moved, whether or not the class changed */
  readonly most_moved: readonly MovedObject[]
  /** `--fail-if-changed`; null where it was not given */
  readonly limit: { readonly text: string; readonly exceeded: boolean } | null
}
