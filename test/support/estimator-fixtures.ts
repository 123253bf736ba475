// Small classifiers of every kind with their libraries' own answers (test/fixtures/model/estimators).
import type { Estimator } from '../../src/model/estimator.ts'
import { readLightgbm } from '../../src/model/lightgbm/read-lightgbm.ts'
import { readEstimator } from '../../src/model/sklearn/estimator.ts'
import { unpickle } from '../../src/model/sklearn/pickle/unpickle.ts'
import { readXgboost } from '../../src/model/xgboost/read-xgboost.ts'
import { namesIn, readFixture } from './fixture-folders.ts'

/** One file of a classifier, with rows and what its library answers to them. */
export interface EstimatorFixture {
  readonly name: string
  readonly file: string
  readonly bytes: Buffer
  readonly classes: readonly string[]
  /** rows × features */
  readonly inputs: Float64Array
  readonly probabilities: Float64Array
  readonly margins: Float64Array | null
}

interface Stored {
  classes: string[]
  files: Record<string, string>
  inputs: (number | string | null)[]
  probabilities: number[]
  margins?: number[]
}

/** All files of all classifiers, those of the names that are asked for. */
export function estimatorFixtures(pattern = /./): EstimatorFixture[] {
  return namesIn('estimators').flatMap((versions) =>
    namesIn(`estimators/${versions}`)
      .filter((file) => pattern.test(file))
      .flatMap((stored) => readStored(`estimators/${versions}/${stored}`, versions)),
  )
}

function readStored(path: string, versions: string): EstimatorFixture[] {
  const stored = JSON.parse(readFixture(path).toString()) as Stored
  const number = (text: number | string | null) =>
    text === null ? NaN : typeof text === 'string' ? Number(text.replace('inf', 'Infinity')) : text
  return Object.entries(stored.files).map(([file, base64]) => ({
    name: `${path.replace(/^.*\/|\.json\.gz$/g, '')} of ${versions.replaceAll('_', ', ')}`,
    file,
    bytes: Buffer.from(base64, 'base64'),
    classes: stored.classes,
    inputs: Float64Array.from(stored.inputs, number),
    probabilities: Float64Array.from(stored.probabilities),
    margins: stored.margins ? Float64Array.from(stored.margins) : null,
  }))
}

/** Reads a model's file by its suffix. */
export function readModel(bytes: Buffer, file: string): Estimator {
  if (file.endsWith('.pkl')) return readEstimator(unpickle(bytes, file), { label: file, fileSize: bytes.length })
  return file.endsWith('.txt') ? readLightgbm(bytes.toString(), file) : readXgboost(bytes, file)
}
