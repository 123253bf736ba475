// Drift of calibrated answers: told when it is there, and by chance in hardly any run, however long.
import { describe, expect, it } from 'vitest'
import { randomNumbers } from '../../../src/model/bundle/golden.ts'
import { classLabels } from '../../../src/model/calibration/conformal-sets.ts'
import { createCalibrationWatch, everDeviation, uncertainty } from '../../../src/model/calibration/watch-calibration.ts' // prettier-ignore
import { usualAnswers } from '../../../src/model/calibration/usual-answers.ts'
import type { ClassifiedBatch } from '../../../src/pipeline/batch.ts'

const classes = ['AGN', 'QSO']
const taxonomy = { levels: [{ classifierName: 'lc_classifier', prefix: '', branch: null, classes }] }

/** Objects that are AGN with a probability between `low` and 1, calibrated and not alike. */
function batchOf(rowCount: number, random: () => number, low: number): ClassifiedBatch {
  const p = Float64Array.from({ length: rowCount }, () => low + (1 - low) * random())
  const both = Float64Array.from({ length: 2 * rowCount }, (_, i) => (i % 2 === 0 ? p[i >> 1]! : 1 - p[i >> 1]!))
  const oids = Array.from({ length: rowCount }, (_, i) => `o${i}`)
  const candids = oids.map(() => null)
  return { rowCount, oids, candids, taxonomy, classifierVersion: 'v', probabilities: [both], calibrated: both }
}

/** What was usual for objects like these. */
function learnt(objects: number, random: () => number, low: number) {
  const { calibrated } = batchOf(objects, random, low)
  const own = calibrated!.filter((_, i) => i % 2 === 0)
  const sets = [classLabels('AGN', own), classLabels('QSO', own)]
  return { sets, usual: usualAnswers(calibrated!, calibrated!, [0.55, 0.55]) }
}

function messagesOf(watch: ReturnType<typeof createCalibrationWatch>, batches: number, draw: () => ClassifiedBatch) {
  const [begun, ended]: [string[], string[]] = [[], []]
  for (let i = 0; i < batches; i++) {
    const change = watch(draw())
    begun.push(...change.begun.map(({ message }) => message))
    ended.push(...change.ended.map(({ about }) => about))
  }
  return { begun, ended }
}

describe('the watch over calibrated answers', () => {
  it('says nothing of objects like those that the calibration learnt from', () => {
    const random = randomNumbers(1)
    for (let run = 0; run < 20; run++) {
      const watch = createCalibrationWatch(learnt(1000, random, 0.5))
      expect(messagesOf(watch, 60, () => batchOf(500, random, 0.5))).toEqual({ begun: [], ended: [] })
    }
  })

  it('says once that answers are surer, by how much, and when they are as they were', () => {
    const random = randomNumbers(2)
    const watch = createCalibrationWatch(learnt(4000, random, 0.5))
    expect(messagesOf(watch, 20, () => batchOf(500, random, 0.5)).begun).toEqual([])
    const odd = messagesOf(watch, 40, () => batchOf(500, random, 0.7))
    expect(odd.begun.map((message) => message.split(':')[0])).toEqual(['calibrated confidence', 'sets of one class'])
    expect(odd.begun[0]).toMatch(
      /0\.8\d\d on average of [\d,]+ objects; 0\.7\d\d where it was learnt \(4,000 objects\)/,
    )
    expect(messagesOf(watch, 60, () => batchOf(500, random, 0.5))).toEqual({
      begun: [],
      ended: ['calibrated confidence', 'sets of one class'],
    })
  })

  it('says that fewer sets have one class', () => {
    const random = randomNumbers(3)
    const { sets } = learnt(4000, random, 0.5)
    const usual = { objects: 4000, confidence: { mean: 0.75, variance: 0.02 }, single: 3900 }
    const { begun } = messagesOf(createCalibrationWatch({ sets, usual }), 10, () => batchOf(500, random, 0.5))
    expect(begun).toEqual([expect.stringMatching(/^sets of one class: .* % of [\d,]+ sets at 0\.9; 97\.5 % where/)])
  })

  it('looks at nothing that is not calibrated', () => {
    const watch = createCalibrationWatch(learnt(100, randomNumbers(4), 0.5))
    const bare = { ...batchOf(50_000, randomNumbers(5), 0.9), calibrated: undefined }
    expect(watch(bare)).toEqual({ begun: [], ended: [] })
  })
})

describe('its bounds', () => {
  it('are passed at any time by no more runs than they allow', () => {
    const random = randomNumbers(6)
    const alpha = 0.2
    let passed = 0
    const runs = 400
    for (let run = 0; run < runs; run++) {
      let sum = 0
      for (let n = 1; n <= 2000; n++) {
        sum += random() < 0.5 ? 1 : 0
        if (Math.abs(sum / n - 0.5) <= everDeviation(n, alpha)) continue
        passed++
        break
      }
    }
    expect(passed / runs).toBeLessThan(alpha)
    // and not so wide that nothing would ever pass
    expect(passed).toBeGreaterThan(runs * alpha * 0.1)
  })

  it('hold for the mean that was learnt', () => {
    const random = randomNumbers(7)
    let missed = 0
    for (let run = 0; run < 500; run++) {
      const values = Float64Array.from({ length: 50 }, () => (random() < 0.1 ? 1 : 0))
      const mean = values.reduce((sum, value) => sum + value, 0) / 50
      if (Math.abs(mean - 0.1) > uncertainty({ objects: 50, variance: mean * (1 - mean) }, 0.05)) missed++
    }
    expect(missed).toBeLessThan(25)
    expect(uncertainty({ objects: 1e6, variance: 0.04 }, 0.001)).toBeLessThan(0.001)
  })
})
