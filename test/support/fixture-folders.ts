// Unpacks the model fixtures into temporary folders.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { readNumberText } from '../../src/formats/text-values.ts'
import { alercePreprocessing, preprocess } from '../../src/pipeline/preprocess.ts'
import { temporaryFolder } from './temporary-folder.ts'

const fixtures = fileURLToPath(new URL('../fixtures/model/', import.meta.url))

/** The features of the small forests in `pickles/` and `other-hierarchy/`. */
export const smallFeatures = [
  ...['Amplitude_1', 'Power_rate_1/2', 'W1-W2', 'select', 'g"b'],
  ...Array.from({ length: 7 }, (_, index) => `feature_${index}`),
]

/** A file below test/fixtures/model, unpacked if it ends in .gz. */
export function readFixture(path: string): Buffer {
  const bytes = readFileSync(join(fixtures, path))
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes
}

/** Unpacks a folder of fixtures into a new folder. */
export function unpackFixture(path: string): string {
  const folder = temporaryFolder()
  for (const name of namesIn(path)) {
    if (name.endsWith('.gz')) writeFileSync(join(folder, name.slice(0, -3)), readFixture(join(path, name)))
  }
  return folder
}

/** The names in a folder of fixtures. */
export function namesIn(path: string): string[] {
  return readdirSync(join(fixtures, path)).sort()
}

/** One small forest of `pickles/`, in a folder with its golden files. */
export function unpackSmallForest(version: string, name: string): { pickle: string; folder: string } {
  const folder = temporaryFolder()
  const pickle = join(folder, `${name}.pkl`)
  writeFileSync(pickle, readFixture(`pickles/${version}/${name}.pkl.gz`))
  writeFileSync(join(folder, 'golden.json'), readFixture(`pickles/${version}/${name}.json.gz`))
  writeFileSync(join(folder, 'golden_input.csv'), asSurveyPrepares(readFixture('pickles/golden_input.csv').toString()))
  return { pickle, folder }
}

/** The answers of the small forests are those to features that the survey's step had prepared. */
function asSurveyPrepares(csv: string): string {
  const [header, ...rows] = csv.trimEnd().split(/\r?\n/)
  const prepared = rows.map((row) => {
    const [oid, ...values] = row.split(',')
    return [oid, ...values.map((text) => preprocess(readNumberText(text) ?? NaN, alercePreprocessing))].join()
  })
  return `${[header, ...prepared].join('\n')}\n`
}
