// Results and labels, joined and put into a model's own order: what a calibration is fitted on.
import { createHash } from 'node:crypto'
import { DataError } from '../../errors.ts'
import { type BranchTaxonomy, type Manifest, taxonomyOf } from '../../model/bundle/manifest.ts'
import { floorOf } from '../../model/calibration/level-calibration.ts'
import type { CalibrateFlags } from '../../terminal/result-flags.ts'
import { numberedIdsHint, type PredictedLevel, type Predictions } from '../predictions/predictions.ts'
import { resultAddress, resultFile } from '../predictions/result-file.ts'

export type LabelledResults = Awaited<ReturnType<typeof labelledResults>>

/** A level of the model with all objects, those included whose label is none of its classes. */
export interface LabelledLevel {
  readonly name: string
  readonly classes: readonly string[]
  /** objects × classes, row-major */
  readonly probabilities: Float64Array
  /** for each object the place of its label's class, or of its branch; −1 where the label lies elsewhere */
  readonly truth: Int32Array
  readonly floor: number
}

/**
 * Memory grows with the objects that have a prediction and a label: 8 bytes a probability.
 *
 * @throws DataError for results of another model, or where no object has a label
 */
export async function labelledResults(manifest: Manifest, flags: CalibrateFlags & { readonly results: string }) {
  const labelFile = await resultFile(flags.labels)
  const predicted = await resultAddress(flags.results)
  const [{ openSession }, { openPredictions }, { joinLabels, openLabels }] = await Promise.all([
    import('../predictions/session.ts'),
    import('../predictions/open-predictions.ts'),
    import('../predictions/labels.ts'),
  ])
  const session = await openSession()
  try {
    const predictions = await openPredictions(session, predicted.results, {
      table: 'predictions',
      classifierVersion: flags.classifierVersion ?? predicted.classifierVersion,
    })
    refuseOtherModels(predictions, manifest)
    const renames = new Map(flags.renameClass)
    const labels = await openLabels(session, labelFile.file, { ...flags, renames, table: 'labels' })
    const { joined, coverage } = await joinLabels(session, inOrderOf(manifest, predictions), labels)
    if (joined.oids.length === 0) {
      throw new DataError(`no object of ${predictions.address} has a label of the model in ${labels.address}`, {
        hint: `Both must have the same ids (oid); --id-column, --label-column and --rename-class say how labels are read. ${numberedIdsHint(predictions.address)}`.trim(),
      })
    }
    return { ...leveled(manifest, joined), predictions: predictions.address, labels: labels.address, coverage }
  } finally {
    session.close()
  }
}

/** Calibrations of another model's numbers would be wrong in silence. */
function refuseOtherModels({ address, classifierVersion }: Predictions, { name, version }: Manifest): void {
  if (classifierVersion === `${name}_${version}` || classifierVersion === version) return
  throw new DataError(`${address}: results of ${classifierVersion}, not of ${name}_${version}`, {
    hint: 'Give --model the model that wrote them, or classify the labelled objects with this one.',
  })
}

/** The levels of results as the model has them, whatever order a file gives them in. */
function inOrderOf(manifest: Manifest, predictions: Predictions): Predictions {
  const levels = taxonomyOf(manifest).levels.map(({ branch, classes, classifierName }, i): PredictedLevel => {
    const found = predictions.levels.find((level, j) => (i === 0 ? j === 0 : j > 0 && level.branch === branch))
    const columns = classes.map((name) => found?.columns[found.classes.indexOf(name)])
    if (found && found.classes.length === classes.length && !columns.includes(undefined)) {
      return { classifierName, branch, classes, columns: columns as string[] }
    }
    throw new DataError(`${predictions.address}: lacks the classes of ${classifierName} as the model has them`, {
      hint: 'Give all that lcclf classify writes with this model: every level, every class.',
    })
  })
  return { ...predictions, levels }
}

function leveled(
  manifest: Manifest,
  {
    oids,
    labels,
    probabilities,
  }: { oids: readonly string[]; labels: readonly string[]; probabilities: readonly Float64Array[] },
) {
  const own = manifest.taxonomy === null ? probabilities : probabilities.slice(1)
  const branchOf = branchesOf(manifest.taxonomy)
  const levels = manifest.levels.map(({ name, classes, trees, branch }, i): LabelledLevel => {
    const isTop = manifest.taxonomy !== null && branch === null
    const placeOf = new Map(classes.map((one, place) => [one, place]))
    const truth = Int32Array.from(labels, (label) => placeOf.get(isTop ? (branchOf.get(label) ?? label) : label) ?? -1)
    return { name, classes, probabilities: own[i]!, truth, floor: floorOf(trees) }
  })
  const { classes } = taxonomyOf(manifest).levels[0]!
  const truth = Int32Array.from(labels, (label) => classes.indexOf(label))
  const product: Omit<LabelledLevel, 'name' | 'floor'> = { classes, probabilities: probabilities[0]!, truth }
  return { oids, levels, product, sha256: digestOf(oids, labels, own) }
}

function branchesOf(taxonomy: BranchTaxonomy | null): ReadonlyMap<string, string> {
  const pairs = Object.entries(taxonomy ?? {}).flatMap(([branch, classes]) =>
    classes.map((one) => [one, branch] as const),
  )
  return new Map(pairs)
}

function digestOf(oids: readonly string[], labels: readonly string[], levels: readonly Float64Array[]): string {
  const hash = createHash('sha256')
  oids.forEach((oid, row) => hash.update(`${JSON.stringify([oid, labels[row]])}\n`))
  for (const level of levels) hash.update(new Uint8Array(level.buffer, level.byteOffset, level.byteLength))
  return hash.digest('hex')
}
