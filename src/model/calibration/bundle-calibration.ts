// calibration.json of a bundle: what was learnt from labelled results, and from how many.
import { join } from 'node:path'
import { calibrationFile, type Checker, checkerOf, type Manifest, parseJson, taxonomyOf } from '../bundle/manifest.ts'
import { exactJson } from '../bundle/parts.ts'
import { readChecked, readManifest } from '../bundle/read-bundle.ts'
import type { ClassLabels } from './conformal-sets.ts'
import { type LevelCalibration, type Method, methods, readLevelCalibration } from './level-calibration.ts'

/** How good probabilities are for objects that the calibration did not see. */
export interface CalibrationScores {
  readonly logLoss: number
  readonly accuracy: number
  /** expected calibration error of the largest probability, ten intervals */
  readonly calibrationError: number
}

/** One level, in the manifest's order. */
export interface CalibratedLevel {
  readonly name: string
  /** labelled objects of each class, in the level's order */
  readonly labels: readonly number[]
  /** why it is left alone, or why its method was chosen */
  readonly reason: string
  /** by cross-validation; `none` is the model's own probabilities */
  readonly scores: Readonly<Partial<Record<Method | 'none', CalibrationScores>>>
  readonly parameters: LevelCalibration
}

/** Holds no time and no path, so the same results and labels give the same bytes. */
export interface BundleCalibration {
  readonly schemaVersion: 1
  /** what was asked for */
  readonly method: Method | 'auto'
  readonly data: {
    readonly objects: number
    /** of the objects' ids, labels and probabilities, in the order of the ids */
    readonly sha256: string
  }
  readonly levels: readonly CalibratedLevel[]
  /** by cross-validation */
  readonly product: { readonly none: CalibrationScores; readonly calibrated: CalibrationScores }
  /** for each leaf class, in output order */
  readonly sets: readonly ClassLabels[]
}

/** The bytes of calibration.json: a line a level and a line a class. */
export function encodeCalibration({ levels, sets, ...head }: BundleCalibration): Uint8Array {
  const lines = (items: readonly unknown[]): string => items.map((item) => `    ${exactJson(item)}`).join(',\n')
  return Buffer.from(
    `{${exactJson(head).slice(1, -1)},\n  "levels": [\n${lines(levels)}\n  ],\n  "sets": [\n${lines(sets)}\n  ]\n}\n`,
  )
}

/**
 * What a bundle's calibration is; undefined for a bundle without one.
 *
 * @throws ModelError for one that is damaged
 */
export async function readBundleCalibration(directory: string): Promise<BundleCalibration | undefined> {
  const { manifest } = await readManifest(directory)
  const digest = manifest.files.find(({ file }) => file === calibrationFile)
  if (!digest) return undefined
  const bytes = await readChecked(directory, digest)
  return parseCalibration(bytes.toString('utf8'), join(directory, calibrationFile), manifest)
}

/** @param where the file, for messages. Throws ModelError for what is not a calibration of this model. */
function parseCalibration(
  text: string,
  where: string,
  manifest: Pick<Manifest, 'classifierName' | 'levels' | 'taxonomy' | 'productClasses'>,
): BundleCalibration {
  const check = checkerOf(where)
  const value = check.record(parseJson(text, where), 'calibration')
  const method = [...methods, 'auto' as const].find((known) => known === value['method'])
  if (value['schemaVersion'] !== 1 || method === undefined) throw check.error('calibration')
  const data = check.record(value['data'], 'data')
  const product = check.record(value['product'], 'product')
  const levels = check.list(value['levels'], 'levels')
  const sets = check.list(value['sets'], 'sets')
  const { classes } = taxonomyOf(manifest).levels[0]!
  if (levels.length !== manifest.levels.length || sets.length !== classes.length) throw check.error('levels')
  return {
    schemaVersion: 1,
    method,
    data: { objects: check.count(data['objects'], 'objects'), sha256: check.sha256(data['sha256'], 'sha256') },
    levels: levels.map((level, index) => readLevel(check, level, manifest.levels[index]!)),
    product: { none: readScores(check, product['none']), calibrated: readScores(check, product['calibrated']) },
    sets: sets.map((one, index) => readClassLabels(check, one, classes[index]!)),
  }
}

function readLevel(check: Checker, value: unknown, { name, classes }: Manifest['levels'][number]): CalibratedLevel {
  const level = check.record(value, 'level')
  if (level['name'] !== name) throw check.error(`levels: ${name} is not where it should be`)
  const labels = check.list(level['labels'], 'labels').map((count) => check.count(count, 'labels'))
  if (labels.length !== classes.length) throw check.error(`labels of ${name}`)
  const scores = Object.entries(check.record(level['scores'], 'scores'))
  return {
    name,
    labels,
    reason: check.text(level['reason'], 'reason'),
    scores: Object.fromEntries(scores.map(([of, found]) => [of, readScores(check, found)])),
    parameters: readLevelCalibration(check, level['parameters'], classes.length),
  }
}

function readScores(check: Checker, value: unknown): CalibrationScores {
  const { logLoss, accuracy, calibrationError } = check.record(value, 'scores')
  return {
    logLoss: check.number(logLoss, 'log loss'),
    accuracy: check.number(accuracy, 'accuracy'),
    calibrationError: check.number(calibrationError, 'calibration error'),
  }
}

function readClassLabels(check: Checker, value: unknown, name: string): ClassLabels {
  const one = check.record(value, 'set')
  if (one['class'] !== name) throw check.error(`sets: ${name} is not where it should be`)
  const labels = check.count(one['labels'], `labels of ${name}`)
  const probabilities = Float64Array.from(check.exactNumbers(one['probabilities'], `probabilities of ${name}`))
  const ranks =
    one['ranks'] === null ? null : check.list(one['ranks'], 'ranks').map((rank) => check.count(rank, 'ranks'))
  const isFalling = probabilities.every((p, i) => i === 0 || p <= probabilities[i - 1]!)
  const isWhole = ranks === null ? probabilities.length === labels : ranks.length === probabilities.length
  if (!isFalling || !isWhole || (ranks !== null && ranks.at(-1) !== labels)) throw check.error(`set of ${name}`)
  return { class: name, labels, probabilities, ranks }
}
