// golden_input.csv and golden.json: read exactly, or refused with the reason.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Taxonomy } from '../../../src/pipeline/batch.ts'
import { readGoldenFiles } from '../../../src/model/bundle/golden.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const taxonomy: Taxonomy = {
  levels: [{ classifierName: 'lc_classifier', prefix: '', branch: null, classes: ['a', 'b'] }],
}
const model = { features: ['f', 'g'], taxonomy }
const json = {
  classes: { lc_classifier: ['b', 'a'] },
  probabilities: {
    lc_classifier: [
      [0.1, 0.9],
      [1, 0],
    ],
  },
}
const csv = 'oid,candid,g,f,extra\nZTF1,1,0.1,,x\nZTF2,2,-inf,1e33,\n'

function read(input: string, answers: unknown) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'golden_input.csv'), input)
  writeFileSync(join(folder, 'golden.json'), typeof answers === 'string' ? answers : JSON.stringify(answers))
  return readGoldenFiles(folder, model)
}

describe('golden files', () => {
  it('are taken by the names of features and classes, not by their order', async () => {
    const { golden, source, predicted } = await read(csv, json)
    expect(golden.oids).toEqual(['ZTF1', 'ZTF2'])
    expect([...golden.inputs]).toEqual([NaN, 0.1, 1e33, -Infinity])
    expect(golden.expected).toEqual([
      { classifierName: 'lc_classifier', classes: ['a', 'b'], probabilities: Float64Array.of(0.9, 0.1, 0, 1) },
    ])
    expect(source).toBe('scikit-learn, version not given')
    expect(predicted).toBeNull()
  })

  it('say which scikit-learn it was, if they know', async () => {
    expect((await read(csv, { ...json, sklearn: '1.5.2' })).source).toBe('scikit-learn 1.5.2')
  })

  it.each([
    ['a feature less', 'oid,f\nZTF1,1\n', json, 'lacks 1 of the model'],
    ['a column twice', 'oid,f,g,g\nZTF1,1,1,1\n', json, 'appears twice'],
    ['a word for a number', 'oid,f,g\nZTF1,1,one\n', json, 'row 1: g is not a number'],
    ['a field less', 'oid,f,g\nZTF1,1\n', json, 'cannot be read'],
    ['no rows', 'oid,f,g\n', json, 'has no rows'],
    ['no answers', csv, {}, 'lacks the answers of lc_classifier'],
    [
      'answers of other classes',
      csv,
      { ...json, classes: { lc_classifier: ['a', 'c'] } },
      'the classes of lc_classifier are a, c',
    ],
    ['answers to fewer rows', csv, { ...json, probabilities: { lc_classifier: [[1, 0]] } }, 'has 1 rows, the inputs 2'],
    [
      'a row of another width',
      csv,
      { ...json, probabilities: { lc_classifier: [[1, 0], [1]] } },
      'row 1 of lc_classifier',
    ],
    [
      'a text among the answers',
      csv,
      {
        ...json,
        probabilities: {
          lc_classifier: [
            [1, 0],
            [1, '0'],
          ],
        },
      },
      'is damaged',
    ],
    ['other oids', csv, { ...json, oid: ['ZTF1', 'ZTF3'] }, 'its oids are not those'],
    ['half a JSON', csv, '{"classes":', 'not JSON'],
    ['a JSON list', csv, [], 'not a JSON object'],
  ])('with %s are refused', async (_, input, answers, message) => {
    await expect(read(input, answers)).rejects.toThrow(message)
  })

  it('that are not there are refused, and the hint says what is needed', async () => {
    await expect(readGoldenFiles(temporaryFolder(), model)).rejects.toMatchObject({
      message: expect.stringContaining('cannot be read (there is no such file)') as string,
      hint: expect.stringContaining('golden_input.csv and golden.json') as string,
    })
  })
})
