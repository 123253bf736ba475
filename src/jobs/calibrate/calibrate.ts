// The story of `lcclf calibrate`.
import { calibrationFile, type Manifest } from '../../model/bundle/manifest.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { checkBundlePlace, writeExtendedBundle } from '../../model/bundle/write-bundle.ts'
import { type BundleCalibration, encodeCalibration, forestDigest } from '../../model/calibration/bundle-calibration.ts'
import { classLabels, setThreshold } from '../../model/calibration/conformal-sets.ts'
import { usualAnswers, watchedLevel } from '../../model/calibration/usual-answers.ts'
import { findModel } from '../../model/store/model-reference.ts'
import { pickRows } from '../../pipeline/batch.ts'
import type { CalibrateFlags } from '../../terminal/result-flags.ts'
import { print } from '../../terminal/standard-streams.ts'
import { chooseMethods } from './choose-methods.ts'
import { type LabelledResults, labelledResults } from './labelled-results.ts'
import { calibrationText } from './tables.ts'

/** Learns a calibration and writes the bundle that has it; prints what was found, as text or with --json as one object. */
export async function calibrate(flags: CalibrateFlags & { readonly results: string }): Promise<void> {
  const { out, overwrite, json } = flags
  const directory = findModel(flags.model)
  const { manifest } = await readManifest(directory)
  await checkBundlePlace({ out, overwrite })
  const labelled = await labelledResults(manifest, flags)
  const calibration = calibrationOf(manifest, labelled, flags.method)
  const bytes = encodeCalibration(calibration)
  const { sha256 } = await writeExtendedBundle(directory, { file: calibrationFile, bytes }, { out, overwrite })
  const { name, version } = manifest
  const { predictions, labels, coverage } = labelled
  const report = { model: { name, version, sha256 }, out, results: predictions, labels, coverage }
  const { levels, product, method, data } = calibration
  const found = { schemaVersion: 1, command: 'calibrate', ...report, method, data, levels, product }
  await print(json ? `${JSON.stringify(found)}\n` : calibrationText(manifest, calibration, report))
}

function calibrationOf(
  manifest: Manifest,
  labelled: Pick<LabelledResults, 'oids' | 'levels' | 'product' | 'sha256'>,
  method: BundleCalibration['method'],
): BundleCalibration {
  const { classes, probabilities, truth } = labelled.product
  const sets = classes.map((name, place) => {
    const rows = [...truth.keys()].filter((row) => truth[row] === place)
    const own = pickRows(probabilities, rows, classes.length).filter((_, cell) => cell % classes.length === place)
    return classLabels(name, own)
  })
  const { levels, product, answers } = chooseMethods(manifest, labelled, method)
  const thresholds = sets.map((one) => setThreshold(one, watchedLevel))
  return {
    schemaVersion: 1,
    method,
    data: { objects: labelled.oids.length, sha256: labelled.sha256 },
    forest: forestDigest(manifest),
    levels,
    product,
    sets,
    usual: usualAnswers(answers, probabilities, thresholds),
  }
}
