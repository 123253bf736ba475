// Classifiers of every kind: what is read of them answers as their libraries do, in every bit.
import { describe, expect, it } from 'vitest'
import { estimatorFixtures, readModel } from '../../support/estimator-fixtures.ts'
import { distance, runPlainly } from '../../support/plain-estimator.ts'

const fixtures = estimatorFixtures()
/** pow is numpy's, at most one unit in the last place apart; what it becomes is equal after rounding to float32 */
const exact = { differing: 0, worst: 0 }

describe.each(fixtures.map((fixture) => [fixture.name, fixture.file, fixture] as const))(
  '%s (%s)',
  (_, file, fixture) => {
    const estimator = readModel(fixture.bytes, file)
    const run = runPlainly(estimator, fixture.inputs)

    it('answers with the library’s probabilities and margins in every bit', () => {
      expect(run.rejected.size).toBe(0)
      expect(distance(run.probabilities, fixture.probabilities)).toEqual(exact)
      if (fixture.margins !== null && run.margins !== null) {
        expect(distance(run.margins, fixture.margins)).toEqual(exact)
      }
    })

    it('is evaluated from the file’s own arrays with the same answers', () => {
      const answers = estimator.evaluate(run.matrix, run.rows.length)
      expect(distance(answers.probabilities, run.probabilities)).toEqual(exact)
      if (run.margins !== null) expect(distance(answers.margins!, run.margins)).toEqual(exact)
    })

    it('has the library’s classes', () => {
      expect(estimator.classes).toHaveLength(fixture.classes.length)
      if (file.endsWith('.pkl')) expect(estimator.classes).toEqual(fixture.classes)
    })
  },
)
