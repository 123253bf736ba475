// Equal probabilities in results that tell no order of classes (long ones): whose order decides, and what is said of it.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { diffReport } from '../../../src/jobs/diff/diff.ts'
import { diffText } from '../../../src/jobs/diff/tables.ts'
import { evaluationReport } from '../../../src/jobs/evaluate/evaluation-report.ts'
import { evaluationText } from '../../../src/jobs/evaluate/tables.ts'
import type { EvaluationReport } from '../../../src/jobs/evaluate/evaluation-report.ts'
import type { Manifest } from '../../../src/model/bundle/manifest.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/evaluation/', import.meta.url))
const sample = fileURLToPath(new URL('../../../samples/model/', import.meta.url))
const [header, ...rows] = readFileSync(join(fixtures, 'drawn.csv'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split(','))
/** oid, candid, class, probability, classifier_version */
const ownColumns = 5
const order = [...header!.keys()].slice(ownColumns).reverse()
const work = temporaryFolder()

/** The drawn results, classes in the order that is wanted. */
function wide(version: string, places: readonly number[]): string[] {
  const line = (cells: readonly string[], name: string): string =>
    [...cells.slice(0, ownColumns - 1), name, ...places.map((place) => cells[place]!)].join(',')
  return [line(header!, header![ownColumns - 1]!), ...rows.map((cells) => line(cells, version))]
}

function long(version: string, isWanted: (classifier: string) => boolean = () => true): string[] {
  const lines = rows.flatMap((cells) =>
    header!.slice(ownColumns).flatMap((column, i) => {
      const parts = /^(top|stochastic|periodic|transient)\/(.*)$/.exec(column)
      const classifier = parts ? `lc_classifier_${parts[1]!}` : 'lc_classifier'
      return isWanted(classifier)
        ? [[cells[0], classifier, version, parts?.[2] ?? column, cells[ownColumns + i], 1].join(',')]
        : []
    }),
  )
  return ['oid,classifier_name,classifier_version,class_name,probability,ranking', ...lines]
}

function write(name: string, lines: readonly string[]): string {
  writeFileSync(join(work, name), lines.join('\n'))
  return join(work, name)
}

/** A model of the store whose classes come in the reversed order; only its manifest is looked at. */
function storeReversed(name: string): void {
  const folder = join(work, 'home/models', name, '1')
  mkdirSync(folder, { recursive: true })
  cpSync(join(sample, 'manifest.json'), join(folder, 'manifest.json'))
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest
  const taxonomy = Object.entries(manifest.taxonomy!).map(([branch, classes]) => [branch, [...classes].reverse()])
  const levels = [...manifest.levels.slice(0, 1), ...manifest.levels.slice(1).reverse()]
  const text = JSON.stringify({
    ...manifest,
    name,
    version: '1',
    taxonomy: Object.fromEntries(taxonomy.reverse()) as unknown,
    levels: levels.map((level) => ({ ...level, classes: [...level.classes].reverse() })),
  })
  writeFileSync(join(folder, 'manifest.json'), text)
}

const evaluated = (predictions: string, model?: string): Promise<EvaluationReport> =>
  evaluationReport({
    predictions,
    labels: join(fixtures, 'drawn-labels.csv'),
    labelColumn: 'class',
    idColumn: 'oid',
    classifierVersion: undefined,
    model,
    bins: 10,
  })

const compared = (a: string, b: string, model?: string): ReturnType<typeof diffReport> =>
  diffReport({
    ...{ a, b, model, top: 20, failIfChanged: undefined, csv: undefined, overwrite: false, json: true },
    ...{ why: false, idColumn: 'oid', candidColumn: 'candid' },
  })

beforeAll(() => {
  vi.stubEnv('LCCLF_HOME', join(work, 'home'))
  storeReversed('stored')
})

afterAll(() => {
  vi.unstubAllEnvs()
})

describe('equal probabilities of long results', { tags: ['long'] }, () => {
  const reversed = write('wide.csv', wide('reversed_1', order))
  const unknown = write('long.csv', long('reversed_1'))

  it('are decided by the sample’s order where nobody knows theirs, which is said', async () => {
    const [own, guessed] = [await evaluated(reversed), await evaluated(unknown)]
    expect(own).toMatchObject({ tie_order_known: true, tie_order_assumed: null })
    expect(guessed).toMatchObject({
      tie_order_known: false,
      tie_order_assumed: 'the order of sample_forest_1.5.2',
    })
    expect(guessed.accuracy).not.toBe(own.accuracy)
    expect(evaluationText(guessed)).toContain('decided by the order of sample_forest_1.5.2, which may not be')
    expect(evaluationText(own)).not.toContain('decided by')
  })

  it('are decided by the model of the store that wrote them, and by the survey’s order for the survey’s models', async () => {
    const stored = await evaluated(write('stored.csv', long('stored_1')))
    const { accuracy, levels } = await evaluated(reversed)
    expect(stored).toMatchObject({ tie_order_known: true, accuracy })
    expect(stored.levels.map((level) => level.accuracy).sort()).toEqual(levels.map((level) => level.accuracy).sort())
    const names = ['hierarchical_random_forest_1.0.0', 'hierarchical_rf_1.1.0', 'sample_forest_1.5.2']
    const drawn = await evaluated(join(fixtures, 'drawn.csv'))
    for (const name of names)
      expect(await evaluated(write('survey.csv', long(name)))).toMatchObject({
        tie_order_known: true,
        accuracy: drawn.accuracy,
      })
  })

  it('are decided by --model, which proves nothing about another model’s results', async () => {
    const { accuracy } = await evaluated(reversed)
    expect(await evaluated(unknown, 'stored')).toMatchObject({
      tie_order_assumed: 'the order of stored_1',
      accuracy,
    })
  })

  it('are no change between two layouts of one result: the side with an order lends it', async () => {
    for (const sides of [
      [reversed, unknown],
      [unknown, reversed],
    ] as const) {
      const report = await compared(...sides)
      expect(report).toMatchObject({ changed: 0, changed_without_moving: 0 })
      expect(report.a).toMatchObject({ tie_order_known: true, tie_order_assumed: null })
      expect(report.b.tie_order_known).toBe(true)
      expect(report.a.ties).toBeGreaterThan(5)
      expect(report.levels.map(({ changed }) => changed)).toEqual([0, 0, 0, 0, 0])
    }
  })

  it('are no change against a file that holds some of the levels only', async () => {
    const product = write(
      'product.csv',
      long('reversed_1', (name) => name === 'lc_classifier'),
    )
    expect(await compared(product, unknown)).toMatchObject({ changed: 0, a: { tie_order_known: false } })
    expect(await compared(product, reversed)).toMatchObject({ changed: 0, a: { tie_order_known: true } })
    const { ties_a: ties, changed } = (await compared(product, unknown)).levels[0]!
    expect([ties > 5, changed]).toEqual([true, 0])
  })

  it('are counted where two models have other orders, and said to be what changed', async () => {
    const report = await compared(reversed, join(fixtures, 'drawn.csv'))
    expect(report.changed).toBeGreaterThan(5)
    expect(report.changed_without_moving).toBe(report.changed)
    expect(diffText(report)).toContain(`${report.changed} of them with the same probabilities on both sides`)
    const assumed = diffText(await compared(unknown, write('other.csv', long('other_1'))))
    expect(assumed).toMatch(/ties for first place in A were decided by the order of sample_forest_1\.5\.2/)
    expect(assumed).toMatch(/ties for first place in B were decided/)
  })

  it('alone need a model: one that cannot be found stops no others', async () => {
    expect((await evaluated(reversed, 'nowhere')).tie_order_known).toBe(true)
    expect(await compared(unknown, reversed, 'nowhere')).toMatchObject({ changed: 0 })
    await expect(evaluated(unknown, 'nowhere')).rejects.toThrow('model nowhere: not found')
  })
})
