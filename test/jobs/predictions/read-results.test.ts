// What is read of results and labels as people have them, and what is refused.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { diffReport } from '../../../src/jobs/diff/diff.ts'
import { evaluationReport } from '../../../src/jobs/evaluate/evaluation-report.ts'
import { evaluationTables, evaluationText } from '../../../src/jobs/evaluate/tables.ts'
import { resultFile } from '../../../src/jobs/predictions/result-file.ts'
import type { Layout } from '../../../src/connectors/address.ts'
import { openSink, outputSpec } from '../../../src/connectors/open-connector.ts'
import { UsageError } from '../../../src/errors.ts'
import type { EvaluationReport } from '../../../src/jobs/evaluate/evaluation-report.ts'
import { evaluatePage } from '../../../src/jobs/evaluate/page.ts'
import { contextOf, goldenBatch } from '../../support/classified-samples.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const drawn = fileURLToPath(new URL('../../fixtures/evaluation/drawn.csv', import.meta.url))
const lines = readFileSync(drawn, 'utf8').trimEnd().split('\n')
const oids = lines.slice(1).map((line) => line.split(',')[0]!)
const work = temporaryFolder()

function write(name: string, rows: readonly string[]): string {
  writeFileSync(join(work, name), `${rows.join('\n')}\n`)
  return join(work, name)
}

const asked = {
  labelColumn: 'class',
  idColumn: 'oid',
  renameClass: [['None', 'AGN']] as [string, string][],
  classifierVersion: undefined,
  model: undefined,
  bins: 10,
}

const evaluated = (labels: readonly string[], predictions = drawn): Promise<EvaluationReport> =>
  evaluationReport({ ...asked, predictions, labels: write('labels.csv', ['oid,class', ...labels]) })

describe('text as other programs divide it', () => {
  const labels = oids.map((oid, i) => `${oid},${i % 2 === 0 ? 'AGN' : 'QSO'}`)
  const versionPlace = lines[0]!.split(',').indexOf('classifier_version')
  const divided = (rows: readonly string[], delimiter: string, decimal: string): string[] =>
    rows.map((row) => {
      const cells = row.split(',').map((cell, i) => (i === versionPlace ? cell : cell.replace('.', decimal)))
      return cells.join(delimiter)
    })
  const evaluatedFrom = (predictions: string, labelFile: string): Promise<EvaluationReport> =>
    evaluationReport({ ...asked, predictions, labels: labelFile })

  it.each([
    ['semicolons', ';', '.', 'csv'],
    ['semicolons, and decimals after a comma', ';', ',', 'csv'],
    ['tabs, under the name of CSV', '\t', '.', 'csv'],
    ['bars', '|', '.', 'csv'],
    ['commas, under the name of TSV', ',', '.', 'tsv'],
  ])('is read with %s, as results and as labels', async (_, delimiter, decimal, suffix) => {
    const results = write(`divided.${suffix}`, divided(lines, delimiter, decimal))
    const labelFile = write(`labels-divided.${suffix}`, divided(['oid,class', ...labels], delimiter, '.'))
    const report = await evaluatedFrom(results, labelFile)
    expect(report.coverage.evaluated).toBe(oids.length)
    expect(report.levels).toEqual((await evaluated(labels)).levels)
  })

  it('is read in UTF-16', async () => {
    const path = join(work, 'labels-wide.csv')
    writeFileSync(path, `\ufeff${['oid;class', ...divided(labels, ';', '.')].join('\r\n')}\r\n`, 'utf16le')
    expect((await evaluatedFrom(drawn, path)).coverage.evaluated).toBe(oids.length)
  })

  it('is refused where decimals are mixed', async () => {
    const [header = '', first = '', second = '', ...rest] = divided(lines, ';', ',')
    const results = write('mixed.csv', [header, first, second.replace(/,(?=\d+$)/, '.'), ...rest])
    await expect(evaluated(labels, results)).rejects.toThrow(
      /mixed.csv: .*its decimals stand after a comma, and the column \S+ has points too/,
    )
  })
})

describe('FITS and VOTable', () => {
  const context = contextOf({ oidType: 'string', hasCandid: true })

  async function written(name: string, layout: Layout = 'wide'): Promise<string> {
    const path = join(work, name)
    const sink = await openSink(outputSpec(path, { layout }), context)
    await sink.write(goldenBatch(0, 24))
    await sink.finish()
    await sink.publish()
    await sink.close()
    return path
  }

  it.each([
    ['golden.fits', 'wide'],
    ['golden-long.fits.gz', 'long'],
    ['golden.vot', 'wide'],
    ['golden-long.vot', 'long'],
  ] as const)('are read as results: %s, %s', async (name, layout) => {
    const [a, b] = [await written(`${name}.parquet`), await written(name, layout)]
    const options = {
      model: undefined,
      top: 20,
      failIfChanged: undefined,
      csv: undefined,
      overwrite: false,
      json: true,
      ...{ why: false, idColumn: 'oid', candidColumn: 'candid' },
    }
    const { common, changed, most_moved } = await diffReport({ a, b, ...options })
    expect({ common, changed }).toEqual({ common: 24, changed: 0 })
    expect(most_moved.map(({ distance }) => distance)).toEqual(most_moved.map(() => 0))
  })

  it('are read as labels', async () => {
    const fields = ['oid', 'class'].map((name) => `<FIELD name="${name}" datatype="char" arraysize="*"/>`).join('')
    const rows = oids.map((oid) => `<TR><TD>${oid}</TD><TD>AGN</TD></TR>`).join('')
    const data = `<DATA><TABLEDATA>${rows}<TR><TD>x</TD><TD/></TR></TABLEDATA></DATA>`
    const labels = write('labels.xml', [`<VOTABLE><RESOURCE><TABLE>${fields}${data}</TABLE></RESOURCE></VOTABLE>`])
    const { coverage } = await evaluationReport({ ...asked, predictions: drawn, labels })
    expect(coverage).toMatchObject({ evaluated: oids.length, empty_labels: 1 })
  })
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
