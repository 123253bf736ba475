// A small classifier of the fixtures, imported by the command, with its rows as a file.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type EstimatorFixture, estimatorFixtures } from './estimator-fixtures.ts'
import { hostedLcclf } from './hosted-lcclf.ts'

/**
 * Imports the classifier of a name into `folder`.
 *
 * @param flags of the import; `--profile` may name the file of rows, FOLDER/NAME.csv: features f0 …, oids o0 …
 */
export async function importedEstimator(
  folder: string,
  name: string,
  flags: readonly string[] = [],
): Promise<{ model: string; rows: string; fixture: EstimatorFixture }> {
  const fixture = estimatorFixtures(new RegExp(`^${name}\\.`))[0]!
  const { file, bytes, inputs, classes, probabilities } = fixture
  const width = inputs.length / (probabilities.length / classes.length)
  const features = Array.from({ length: width }, (_, i) => `f${i}`)
  const cell = (value: number): string => (Number.isNaN(value) ? '' : String(value))
  const lines = Array.from({ length: inputs.length / width }, (_, row) =>
    [`o${row}`, ...Array.from(inputs.subarray(row * width, (row + 1) * width), cell)].join(','),
  )
  const rows = join(folder, `${name}.csv`)
  writeFileSync(rows, `${[['oid', ...features].join(','), ...lines].join('\n')}\n`)
  writeFileSync(join(folder, file), bytes)
  const list = join(folder, 'features.json')
  writeFileSync(list, JSON.stringify(features))
  const model = join(folder, name)
  const own = ['--name', name, '--version', '1', '--out', model, '--features', list]
  const { code, stderr } = await hostedLcclf(['model', 'import', join(folder, file), ...own, ...flags])
  if (code !== 0) throw new Error(stderr)
  return { model, rows, fixture }
}
