// What is read of results and labels as people have them, and what is refused.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { diffReport } from '../../../src/jobs/diff/diff.ts'
import { evaluationReport } from '../../../src/jobs/evaluate/evaluation-report.ts'
import { evaluationTables, evaluationText } from '../../../src/jobs/evaluate/tables.ts'
import { resultFile } from '../../../src/jobs/predictions/result-file.ts'
import { UsageError } from '../../../src/errors.ts'
import type { EvaluationReport } from '../../../src/jobs/evaluate/evaluation-report.ts'
import { evaluatePage } from '../../../src/jobs/evaluate/page.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const drawn = fileURLToPath(new URL('../../fixtures/evaluation/drawn.csv', import.meta.url))
const lines = readFileSync(drawn, 'utf8').trimEnd().split('\n')
const oids = lines.slice(1).map((line) => line.split(',')[0]!)
const work = temporaryFolder()

function write(name: string, rows: readonly string[]): string {
  writeFileSync(join(work, name), `${rows.join('\n')}\n`)
  return join(work, name)
}

const evaluated = (labels: readonly string[], predictions = drawn): Promise<EvaluationReport> =>
  evaluationReport({
    predictions,
    labels: write('labels.csv', ['oid,class', ...labels]),
    labelColumn: 'class',
    idColumn: 'oid',
    renameClass: [['None', 'AGN']],
    classifierVersion: undefined,
    model: undefined,
    bins: 10,
  })

describe('labels', () => {
  it('of branches alone leave every level but the top without scores, and not with zeros', async () => {
    const report = await evaluated(oids.map((oid) => `${oid},Stochastic`))
    expect(report.coverage).toMatchObject({ evaluated: 0, labelled_by_branch: oids.length })
    const [product, top] = report.levels
    expect(report).toMatchObject({ accuracy: null, balanced_accuracy: null, macro_f1: null, weighted_f1: null })
    expect(product).toMatchObject({ objects: 0, accuracy: null })
    expect(product!.classes[0]).toMatchObject({ precision: null, recall: null, f1: null })
    expect(top!.accuracy).toBeGreaterThan(0)
    // a class that never occurs among objects keeps scikit-learn's zero
    expect(top!.classes.map(({ recall }) => recall)).toContain(0)
    expect(evaluationText(report)).toMatch(/lc_classifier +0 +– +– +–/)
    const { columns, rows } = evaluationTables(report)['levels']!
    const cells = columns.map(({ key, cell }) => [key, cell(rows[0])])
    expect(Object.fromEntries(cells)).toMatchObject({ objects: 0, accuracy: null })
    const page = await evaluatePage(report)
    expect(page).toContain('have the branch of their label')
    expect(page.match(/nothing was evaluated/g)).toHaveLength(4)
  })

  it('may have the nulls of text files, as class and as oid, unless they are given a name', async () => {
    const nulls = ['NaN', 'nan', 'NA', 'null', ''].map((word, i) => `${oids[i]!},${word}`)
    const { coverage } = await evaluated([...nulls, 'NA,AGN', `${oids[7]!},AGN`, `${oids[8]!},None`])
    expect(coverage).toMatchObject({ evaluated: 2, empty_labels: 6, labels_without_prediction: 0 })
    expect(coverage.outside_taxonomy).toEqual({})
  })

  it('are one object where there is one', async () => {
    const text = evaluationText(await evaluated([`${oids[0]!},AGN`, 'stranger,AGN']))
    expect(text).toContain('1 object evaluated')
    expect(text).toContain('1 label without a prediction')
  })
})

describe('results', () => {
  const without = (column: string): string => {
    const place = lines[0]!.split(',').indexOf(column)
    const rows = lines.map((line) => line.split(',').filter((_, i) => i !== place))
    return write(
      'lacking.csv',
      rows.map((cells) => cells.join(',')),
    )
  }

  it('that lack a leaf class in one level are refused, with the column’s name', async () => {
    const labels = [`${oids[0]!},AGN`]
    await expect(evaluated(labels, without('AGN'))).rejects.toThrow(/lc_classifier lacks the class AGN.*column AGN/)
    await expect(evaluated(labels, without('stochastic/AGN'))).rejects.toThrow('the column stochastic/AGN')
  })

  it('of a broken file are refused with the line and what is wrong with it', async () => {
    const labels = [`${oids[0]!},AGN`]
    const broken = (row: string): string => write('broken.csv', [...lines.slice(0, 3), row])
    await expect(evaluated(labels, broken('a,b'))).rejects.toThrow('line 4: expected 38 columns, found 2')
    await expect(evaluated(labels, broken('"a,b'))).rejects.toThrow('line 4: Value with unterminated quote found')
  })

  it('of several models are chosen in a way that every command knows', async () => {
    const both = write('both.csv', [...lines, ...lines.slice(1).map((line) => line.replace('drawn_1.0', 'drawn_2.0'))])
    const options = {
      model: undefined,
      top: 20,
      failIfChanged: undefined,
      csv: undefined,
      overwrite: false,
      json: true,
      why: false,
      idColumn: 'oid',
      candidColumn: 'candid',
    }
    await expect(diffReport({ a: both, b: drawn, ...options })).rejects.toMatchObject({
      hint: `Choose one, for example '${both}?classifier_version=drawn_1.0'.`,
    })
    expect(await diffReport({ a: `${both}?classifier_version=drawn_1.0`, b: drawn, ...options })).toMatchObject({
      changed: 0,
    })
  })

  it('come from one file: what is none is told what is read', async () => {
    for (const address of ['-', 'ftp://host/x.csv', 's3://bucket/prefix/']) {
      const failure = await resultFile(address).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(UsageError)
      expect((failure as UsageError).hint).toMatch(/one file \(\.parquet .*Stdin is not supported/)
    }
    await expect(resultFile(work)).rejects.toThrow('is a folder; one file is needed')
    await expect(resultFile('s3://bucket/x.avro')).rejects.toThrow('the format cannot be told from the name')
  })
})
