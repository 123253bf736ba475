// Models of today as a user has them: imported, verified and run by the command, equal to their libraries in every bit.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareByCommand, expectedColumns, type KnownModel, type Truth } from '../support/answers-by-command.ts'
import { type EstimatorFixture, estimatorFixtures } from '../support/estimator-fixtures.ts'
import { readFixture } from '../support/fixture-folders.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()

function surveyModel(): KnownModel {
  const folder = 'today/bhrf-2.1.0'
  const file = join(work, 'survey.pkl')
  writeFileSync(file, readFixture(`${folder}/hierarchical_random_forest_model.pkl.gz`))
  const truth = JSON.parse(readFixture(`${folder}/truth.json.gz`).toString()) as Truth
  const input = readFixture(`${folder}/input.csv.gz`).toString()
  return { name: folder, file, features: truth.features, input, expected: expectedColumns(truth) }
}

/** What the fixtures keep as arrays, as a file of features and as columns of answers. */
function estimatorModel({ name, file, bytes, classes, inputs, probabilities, margins }: EstimatorFixture): KnownModel {
  const rows = probabilities.length / classes.length
  const width = inputs.length / rows
  const features = Array.from({ length: width }, (_, i) => `feat_${i}`)
  const lines = Array.from({ length: rows }, (_, row) => {
    return [`ZTF${row}`, ...inputs.subarray(row * width, (row + 1) * width)].join()
  })
  const path = join(work, `${name.replace(/\W/g, '_')}-${file}`)
  writeFileSync(path, bytes)
  const marginClasses = margins?.length === rows ? classes.slice(-1) : classes
  return {
    name: `${name}: ${file}`,
    file: path,
    features,
    input: `${[['oid', ...features].join(), ...lines].join('\n')}\n`,
    expected: new Map([
      ...columnsOf(classes, probabilities, rows),
      ...columnsOf(margins ? marginClasses.map((one) => `margin/${one}`) : [], margins ?? probabilities, rows),
    ]),
  }
}

function columnsOf(names: readonly string[], values: Float64Array, rows: number): [string, number[]][] {
  return names.map((name, i) => [name, Array.from({ length: rows }, (_, row) => values[row * names.length + i]!)])
}

describe('a model of today', () => {
  const models = [surveyModel(), ...estimatorFixtures().map(estimatorModel)]
  it.for(models.map((model) => [model.name, model] as const))(
    '%s answers as its library does, in every bit',
    { tags: ['long'] },
    async ([, model]) => {
      const { rejected, probabilities, margins } = await compareByCommand(model, join(work, 'model'))
      expect({ rejected, probabilities: probabilities.differing, margins: margins.differing }).toEqual({
        rejected: 0,
        probabilities: 0,
        margins: 0,
      })
    },
  )
})
