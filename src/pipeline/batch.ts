// The noun that travels from a source to the classifier.
import type { FeatureMatrix } from './preprocess.ts'

/** How the input writes its object ids; outputs write them the same way. Integers travel as decimal strings. */
export type OidType = 'string' | 'int32' | 'int64' | 'uint32' | 'uint64'

/** What is known of an input before its first row. */
export interface InputSchema {
  readonly oidType: OidType
  /** whether the input has a candid at all (an output has the column only then) */
  readonly hasCandid: boolean
  /** whether its rows say when the object was last seen, and were asked to */
  readonly hasMjd?: boolean
}

/** Some objects and their features, in the input's order. */
export interface FeatureBatch {
  readonly rowCount: number
  readonly oids: readonly string[]
  /** int64 from end to end: ZTF's candids are larger than 2^53. null where a row has none. */
  readonly candids: readonly (bigint | null)[]
  /** MJD of each object's newest detection, NaN where a row does not say; absent where the input does not */
  readonly mjds?: Float64Array | undefined
  /**
   * rowCount × features, row-major, in the *model's* feature order and precision. Sources preprocess what they read, in
   * float64; what is left to do (NaN, infinities, huge values) the classifier does by the model's rules. It takes the
   * matrix over: after `classify` it may be detached (handed to a worker without copying).
   */
  readonly matrix: FeatureMatrix
  /** the features as they were read, where an output echoes them */
  readonly echo?: MessageFeatures | undefined
  /** for each row the message it came in, where it came in one */
  readonly messages?: readonly OriginalMessage[] | undefined
}

/** A row that cannot be classified: a value, never an exception and never silence. */
export interface Reject {
  /** null where the row has no readable id */
  readonly oid: string | null
  /** the input and the row's place in it, e.g. `night.csv line 18`, `night.parquet row 17` */
  readonly where: string
  /** one of few texts (at most some per column), because receipts count by it, e.g. `Amplitude_1 is not a number` */
  readonly reason: string
  /** the offending value, shortened, where showing it helps */
  readonly value?: string
  /** further reasons for the same row, where they were asked for */
  readonly others?: readonly { readonly reason: string; readonly value: string }[]
  /** the message that the row came in, for a dead letter */
  readonly message?: OriginalMessage | undefined
  /** the alert's id, where the reject came in a message that has one */
  readonly candid?: bigint | undefined
  /** the message could not be read at all, or lacks oid or candid: `--on-bad-message` is for these */
  readonly isBadMessage?: boolean
}

/** The objects of a feature batch with their probabilities, rows in the same order. */
export interface ClassifiedBatch {
  readonly rowCount: number
  readonly oids: readonly string[]
  readonly candids: readonly (bigint | null)[]
  /** as the feature batch has them */
  readonly mjds?: Float64Array | undefined
  readonly taxonomy: Taxonomy
  readonly classifierVersion: string
  /** for each level of the taxonomy, rowCount × classes, row-major, float64 as scikit-learn computes it, bit for bit */
  readonly probabilities: readonly Float64Array[]
  /** rowCount × margins, row-major: what the trees of a booster add up to; absent for a model without */
  readonly margins?: Float64Array | undefined
  /** rowCount × leaf classes, row-major: calibrated probabilities of the product; absent where nobody asked for them */
  readonly calibrated?: Float64Array | undefined
  /** in the same form, 1 for a class that is in the object's set; absent where nobody asked for sets */
  readonly sets?: Uint8Array | undefined
  /** what the feature batch had of these, unchanged */
  readonly echo?: MessageFeatures | undefined
  readonly messages?: readonly OriginalMessage[] | undefined
  /** rows of the feature batch that are not among these, because the model has no numbers for them */
  readonly unanswered?: readonly Reject[] | undefined
}

/** Index of the largest value of one row; the first of equals, as the original's argmax. */
export function firstMaximum(values: Float64Array, start: number, length: number): number {
  let best = 0
  for (let i = 1; i < length; i++) if (values[start + i]! > values[start + best]!) best = i
  return best
}

/** For each row the place of its class among the leaf classes. */
export function winners({ taxonomy, probabilities }: ClassifiedBatch): Int32Array {
  return winnersOf(probabilities[0]!, taxonomy.levels[0]!.classes.length)
}

/** @param values rows × width, row-major */
export function winnersOf(values: Float64Array, width: number): Int32Array {
  const codes = new Int32Array(values.length / width)
  for (let row = 0; row < codes.length; row++) codes[row] = firstMaximum(values, row * width, width)
  return codes
}

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
  /** names of a booster's margins: its classes, or the second of two alone; absent for a model without */
  readonly margins?: readonly string[]
}

/** Before the name of a margin, as a level's prefix is before the name of its class: `margin/CLASS` in the wide layout. */
export const marginPrefix = 'margin'

/** The same for a calibrated probability; a column `calibrated_class` has the class of the largest. */
export const calibratedPrefix = 'calibrated'

/** Name and version that go with every probability. */
export interface ModelIdentity {
  readonly name: string
  readonly version: string
  /** `name_version`, e.g. `hierarchical_random_forest_1.0.0`: the column classifier_version */
  readonly classifierVersion: string
  /** of the bundle's manifest */
  readonly sha256: string
}

/** A message as it came. */
export interface OriginalMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** milliseconds since 1970 */
  readonly timestamp: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** length of a value that is not here; it is where it was */
  readonly omittedBytes?: number
}

/** Features as they were read, before any preprocessing, for outputs that echo them. */
export interface MessageFeatures {
  readonly names: readonly string[]
  /** rowCount × names, row-major; NaN for null and for what a row does not have */
  readonly values: Float64Array
}

/**
 * @param values rows × width, row-major
 * @param rows which to take, in the order in which they come out
 */
export function pickRows<T extends Float64Array | Int32Array | Uint8Array>(
  values: T,
  rows: readonly number[],
  width: number,
): T {
  const picked = new (values.constructor as new (length: number) => T)(rows.length * width)
  rows.forEach((row, place) => picked.set(values.subarray(row * width, (row + 1) * width), place * width))
  return picked
}

/** Some objects of a batch, with all that the batch has of them. @param rows which, in the order in which they come out */
export function pickObjects(batch: ClassifiedBatch, rows: readonly number[]): ClassifiedBatch {
  const { probabilities, margins, calibrated, sets, taxonomy, oids, candids, mjds, echo, messages } = batch
  const width = taxonomy.levels[0]!.classes.length
  return {
    ...batch,
    rowCount: rows.length,
    oids: rows.map((row) => oids[row]!),
    candids: rows.map((row) => candids[row]!),
    mjds: mjds && pickRows(mjds, rows, 1),
    probabilities: probabilities.map((level, i) => pickRows(level, rows, taxonomy.levels[i]!.classes.length)),
    ...(margins ? { margins: pickRows(margins, rows, taxonomy.margins!.length) } : {}),
    ...(calibrated ? { calibrated: pickRows(calibrated, rows, width) } : {}),
    ...(sets ? { sets: pickRows(sets, rows, width) } : {}),
    echo: echo && { names: echo.names, values: pickRows(echo.values, rows, echo.names.length) },
    messages: messages && rows.map((row) => messages[row]!),
  }
}
