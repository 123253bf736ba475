// calibration.json of a bundle: what was learnt from labelled results, and from how many.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { coversFile } from '../bundle/arrow-files.ts'
import { profileFile } from '../bundle/input-profile.ts'
import { calibrationFile, type Checker, checkerOf, type Manifest, parseJson, taxonomyOf } from '../bundle/manifest.ts'
import { exactJson } from '../bundle/parts.ts'
import { readChecked, readManifest } from '../bundle/read-bundle.ts'
import type { ClassLabels } from './conformal-sets.ts'
import { type LevelCalibration, type Method, methods, readLevelCalibration } from './level-calibration.ts'
import type { UsualAnswers } from './usual-answers.ts'

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
  /** see `forestDigest`: of the model whose probabilities these were */
  readonly forest: string
  readonly levels: readonly CalibratedLevel[]
  /** by cross-validation */
  readonly product: { readonly none: CalibrationScores; readonly calibrated: CalibrationScores }
  /** for each leaf class, in output order */
  readonly sets: readonly ClassLabels[]
  /** what answers are held against by the night watch */
  readonly usual: UsualAnswers
}

/** files that say nothing of a model's answers */
const silent = new Set([calibrationFile, coversFile, profileFile, 'golden.arrow'])

/** Of the files of a model that its answers come from: another forest, another digest. */
export function forestDigest({ files }: Pick<Manifest, 'files'>): string {
  const own = files.filter(({ file }) => !silent.has(file)).map(({ file, sha256 }) => `${sha256}  ${file}\n`)
  return createHash('sha256').update(own.sort().join('')).digest('hex')
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
  manifest: Pick<Manifest, 'classifierName' | 'levels' | 'taxonomy' | 'productClasses' | 'files'>,
): BundleCalibration {
  const check = checkerOf(where)
  const value = check.record(parseJson(text, where), 'calibration')
  const method = [...methods, 'auto' as const].find((known) => known === value['method'])
  if (value['schemaVersion'] !== 1) throw check.error(`schemaVersion ${String(value['schemaVersion'])} is not 1`)
  if (method === undefined)
    throw check.error(`method ${String(value['method'])} is none of ${methods.join(', ')}, auto`)
  const forest = check.sha256(value['forest'], 'forest')
  if (forest !== forestDigest(manifest)) throw check.error('it was learnt from another forest than the bundle has')
  const data = check.record(value['data'], 'data')
  const product = check.record(value['product'], 'product')
  const levels = check.list(value['levels'], 'levels')
  const sets = check.list(value['sets'], 'sets')
  const { classes } = taxonomyOf(manifest).levels[0]!
  if (levels.length !== manifest.levels.length) {
    throw check.error(`levels: ${levels.length}, and the model has ${manifest.levels.length}`)
  }
  if (sets.length !== classes.length)
    throw check.error(`sets: ${sets.length}, and the model has ${classes.length} classes`)
  const objects = check.count(data['objects'], 'objects')
  return {
    schemaVersion: 1,
    method,
    forest,
    data: { objects, sha256: check.sha256(data['sha256'], 'sha256') },
    levels: levels.map((level, index) => readLevel(check, level, manifest.levels[index]!)),
    product: { none: readScores(check, product['none']), calibrated: readScores(check, product['calibrated']) },
    sets: sets.map((one, index) => readClassLabels(check, one, classes[index]!)),
    usual: readUsual(check, value['usual'], objects),
  }
}

function readUsual(check: Checker, value: unknown, objects: number): UsualAnswers {
  const usual = check.record(value, 'usual')
  const confidence = check.record(usual['confidence'], 'usual.confidence')
  const mean = shareOf(check, confidence['mean'], 'usual.confidence.mean')
  const variance = shareOf(check, confidence['variance'], 'usual.confidence.variance')
  const single = check.count(usual['single'], 'usual.single')
  if (usual['objects'] !== objects || single > objects)
    throw check.error('usual: not of the objects of the calibration')
  return { objects, confidence: { mean, variance }, single }
}

function shareOf(check: Checker, value: unknown, what: string): number {
  const share = check.number(value, what)
  if (share >= 0 && share <= 1) return share
  throw check.error(`${what}: ${share} is not from 0 to 1`)
}

function readLevel(check: Checker, value: unknown, { name, classes }: Manifest['levels'][number]): CalibratedLevel {
  const level = check.record(value, 'level')
  if (level['name'] !== name) throw check.error(`levels: ${name} is not where it should be`)
  const labels = check.list(level['labels'], 'labels').map((count) => check.count(count, 'labels'))
  if (labels.length !== classes.length) {
    throw check.error(`labels of ${name}: ${labels.length}, and the level has ${classes.length} classes`)
  }
  const scores = Object.entries(check.record(level['scores'], 'scores'))
  return {
    name,
    labels,
    reason: check.text(level['reason'], 'reason'),
    scores: Object.fromEntries(scores.map(([of, found]) => [of, readScores(check, found)])),
    parameters: readLevelCalibration(check, level['parameters'], { name, width: classes.length }),
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
  const fail = (why: string): never => {
    throw check.error(`sets: ${name}: ${why}`)
  }
  if (!probabilities.every((p) => p >= 0 && p <= 1)) fail('a probability is not from 0 to 1')
  if (!probabilities.every((p, i) => i === 0 || p <= probabilities[i - 1]!)) fail('its probabilities do not fall')
  if ((ranks ?? probabilities).length !== probabilities.length || (ranks === null && probabilities.length !== labels)) {
    fail(`${probabilities.length} probabilities, and ${labels} labels`)
  }
  const isRising = ranks?.every((rank, i) => rank > (ranks[i - 1] ?? 0)) ?? true
  if (!isRising || (ranks !== null && ranks.at(-1) !== labels)) fail('its ranks do not rise to its last label')
  return { class: name, labels, probabilities, ranks }
}
