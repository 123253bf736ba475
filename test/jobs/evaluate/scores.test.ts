// Every score equal to scikit-learn's (test/fixtures/evaluation), and what has no counterpart there.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluationReport, type EvaluationReport } from '../../../src/jobs/evaluate/evaluation-report.ts'
import { evaluateLevel, type LevelEvaluation, winnersOf } from '../../../src/jobs/evaluate/evaluate-level.ts'
import { exactSum, rankingCurves, reliability } from '../../../src/jobs/evaluate/probability-scores.ts'
import { hierarchicalScores } from '../../../src/jobs/evaluate/confusion.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/evaluation/', import.meta.url))

type Scores = Record<string, number | null>
type Expected = Record<string, Scores & { classes: (Scores & { class: string; reliability: number[][] })[] } & Matrices>
interface Matrices {
  confusion: number[][]
  by_row: number[][]
  reliability: number[][]
}

const expected = JSON.parse(readFileSync(`${fixtures}expected.json`, 'utf8')) as { drawn: Expected; sample: Expected }

const drawnFlags = {
  predictions: `${fixtures}drawn.csv`,
  labels: `${fixtures}drawn-labels.csv`,
  labelColumn: 'class',
  idColumn: 'oid',
  classifierVersion: undefined,
  model: undefined,
  bins: 10,
}

/** every number of `wanted` within 1e-12 of the one of the same name */
function expectScores(found: object, wanted: Scores, what: string): void {
  let compared = 0
  for (const [name, value] of Object.entries(wanted)) {
    if (typeof value !== 'number') continue
    const own = (found as Record<string, unknown>)[name]
    if (typeof own !== 'number') throw new Error(`${what}: no ${name}`)
    expect(Math.abs(own - value), `${what} ${name}: ${own} against ${value}`).toBeLessThanOrEqual(1e-12)
    compared++
  }
  expect(compared).toBeGreaterThan(3)
}

function expectLevel(level: LevelEvaluation, wanted: Expected[string]): void {
  expectScores(level, wanted as unknown as Scores, level.classifier_name)
  expect(level.confusion.counts).toEqual(wanted.confusion)
  level.confusion.by_row.flat().forEach((share, i) => expect(share).toBeCloseTo(wanted.by_row.flat()[i]!, 12))
  expectBins(level.reliability, wanted.reliability)
  wanted.classes.forEach((one) => {
    const own = level.classes.find((found) => found.class === one.class)!
    expectScores(own, one as unknown as Scores, `${level.classifier_name} ${one.class}`)
    expectBins(own.reliability, one.reliability)
  })
}

function expectBins(bins: LevelEvaluation['reliability'], wanted: number[][]): void {
  const filled = bins.filter(({ objects }) => objects > 0)
  expect(filled.map(({ objects }) => objects)).toEqual(wanted.map(([, , objects]) => objects))
  filled.forEach(({ confidence, observed }, i) => {
    expect(Math.abs(confidence! - wanted[i]![0]!)).toBeLessThanOrEqual(1e-12)
    expect(Math.abs(observed! - wanted[i]![1]!)).toBeLessThanOrEqual(1e-12)
  })
}

describe('the scores of drawn predictions, with many ties', () => {
  const report: Promise<EvaluationReport> = evaluationReport(drawnFlags)

  it('have ties to decide, labels to leave out and a class that no label has', async () => {
    const { levels, coverage } = await report
    expect(levels[0]!.ties).toBeGreaterThan(5)
    expect(levels[0]!.classes.find((one) => one.class === 'SNIbc')).toMatchObject({ support: 0, roc_auc: null })
    expect(coverage).toMatchObject({
      labelled_by_branch: 8,
      labels_without_prediction: 2,
      outside_taxonomy: { Galaxy: 6 },
    })
  })

  it.each(Object.keys(expected.drawn))('are scikit-learn’s to 1e-12: %s', async (name) => {
    const level = (await report).levels.find((one) => one.classifier_name === name)!
    expectLevel(level, expected.drawn[name]!)
  })

  it('stand at the top of the report for the product', async () => {
    const { levels, ...top } = await report
    expect(top.accuracy).toBe(levels[0]!.accuracy)
    const wanted = expected.drawn['lc_classifier'] as unknown as Scores
    expectScores(top, { ...wanted, objects: null }, 'report')
  })
})

describe('the label’s probability of a doubtful object', () => {
  it('is the branch’s where the label is a branch, else the leaf class’s', async () => {
    const header = readFileSync(drawnFlags.predictions, 'utf8').split('\n', 1)[0]!.split(',')
    const cells = new Map(
      readFileSync(drawnFlags.predictions, 'utf8')
        .split('\n')
        .map((line) => [line.split(',')[0], line.split(',')]),
    )
    const { most_in_doubt: objects } = await evaluationReport(drawnFlags)
    const branches = new Set(['Periodic', 'Stochastic', 'Transient'])
    expect(objects.some(({ label }) => branches.has(label))).toBe(true)
    for (const { oid, label, label_probability: found } of objects) {
      const column = header.indexOf(branches.has(label) ? `top/${label}` : label)
      expect(found, oid).toBe(Number(cells.get(oid)![column]))
    }
  })
})

describe('the order of equal probabilities', () => {
  it('is that of the classes: the first one wins', () => {
    const { winners, ties } = winnersOf(Float64Array.of(0.4, 0.4, 0.2, 0.1, 0.45, 0.45, 0.2, 0.3, 0.5), 3)
    expect([...winners]).toEqual([0, 1, 2])
    expect(ties).toBe(2)
  })
})

describe('hierarchical precision and recall', () => {
  const branchOf = new Map([
    ['AGN', 'Stochastic'],
    ['QSO', 'Stochastic'],
    ['SNIa', 'Transient'],
  ])

  it('takes an AGN called QSO for a smaller error than an AGN called SNIa', () => {
    const near = hierarchicalScores(['AGN', 'QSO'], ['QSO', 'QSO'], branchOf)
    const far = hierarchicalScores(['AGN', 'QSO'], ['SNIa', 'QSO'], branchOf)
    expect(near.hierarchical_f1).toBe(0.75)
    expect(far.hierarchical_f1).toBe(0.5)
  })

  it('asks of a label that is a branch only that the branch be right', () => {
    const scores = hierarchicalScores(['Stochastic'], ['AGN'], branchOf)
    expect(scores).toMatchObject({ hierarchical_precision: 0.5, hierarchical_recall: 1 })
  })
})

describe('the area under a ROC curve', () => {
  it('is the share of pairs in the right order, equal scores counting half', () => {
    const score = fc.integer({ min: 0, max: 12 }).map((twelfths) => twelfths / 12)
    fc.assert(
      fc.property(fc.array(fc.tuple(score, fc.boolean()), { minLength: 2, maxLength: 60 }), (objects) => {
        const scores = Float64Array.from(objects, ([value]) => value)
        const { roc_auc: area, curve } = rankingCurves(scores, (row) => objects[row]![1])
        const hits = objects.filter(([, is]) => is)
        const misses = objects.filter(([, is]) => !is)
        fc.pre(hits.length > 0 && misses.length > 0)
        const won = hits.flatMap(([a]) => misses.map(([b]) => (a > b ? 1 : a === b ? 0.5 : 0)))
        expect(area).toBeCloseTo(won.reduce((sum: number, one) => sum + one, 0) / won.length, 12)
        expect(curve.at(-1)).toMatchObject({ true_positive_rate: 1, false_positive_rate: 1 })
      }),
    )
  })

  it('keeps a curve to what a figure shows, however many objects there are', () => {
    const scores = Float64Array.from({ length: 50_000 }, (_, i) => ((i * 7919) % 50_000) / 50_000)
    const { curve, roc_auc: area } = rankingCurves(scores, (row) => row % 3 === 0)
    expect(curve.length).toBeLessThanOrEqual(250)
    expect(area).toBeCloseTo(0.5, 1)
  })
})

describe('reliability bins', () => {
  it('take every confidence once, an edge into the lower bin', () => {
    const bins = reliability(Float64Array.of(0, 0.1, 0.3, 0.30000000000000004, 0.7, 1), () => true, 10)
    expect(bins.map(({ objects }) => objects)).toEqual([2, 0, 2, 0, 0, 0, 1, 0, 0, 1])
  })
})

describe('a level without objects', () => {
  it('has no score that divides by their number', () => {
    const level = evaluateLevel(
      {
        classifierName: 'x',
        branch: null,
        classes: ['a', 'b'],
        probabilities: new Float64Array(),
        truth: new Int32Array(),
      },
      10,
    )
    expect(level).toMatchObject({
      objects: 0,
      accuracy: null,
      log_loss: null,
      brier: null,
      ece: null,
      macro_roc_auc: null,
    })
  })
})

describe('a long sum', () => {
  it('loses nothing of small numbers beside a large one', () => {
    const values = [1e16, ...new Array<number>(1000).fill(1), -1e16]
    expect(exactSum(values.length, (i) => values[i]!)).toBe(1000)
  })
})
