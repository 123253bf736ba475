import { describe, expect, it } from 'vitest'
import { confidenceBins, createClassifyWatch } from '../../../src/jobs/classify/report-facts.ts'
import { drawnBatch, drawnTaxonomy } from '../../report/drawn-findings.ts'

describe('what a run gathers for its report', () => {
  const taxonomy = drawnTaxonomy(6)

  it('counts each object once in the product and in the top, and in the branch that it belongs to', () => {
    const watch = createClassifyWatch(taxonomy)
    const input = watch.openInput()
    const batch = drawnBatch(taxonomy, 500)
    input.see(batch)
    input.keep()
    const [product, top, ...branches] = watch.facts.levels.map(({ classes }) => classes.map(({ objects }) => objects))
    const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
    expect(sum(product!)).toBe(500)
    expect(sum(top!)).toBe(500)
    expect(branches.map(sum)).toEqual(top)
    const own = watch.facts.levels[0]!.classes[2]!
    expect(own.confidence).toHaveLength(confidenceBins)
    expect(sum(own.confidence)).toBe(own.objects)
  })

  it('keeps the two hundred objects most in doubt, however many there were', () => {
    const watch = createClassifyWatch(taxonomy)
    const batch = drawnBatch(taxonomy, 3000)
    const input = watch.openInput()
    input.see(batch)
    input.keep()
    const margins = batch.oids.map((oid, row) => {
      const width = taxonomy.levels[0]!.classes.length
      const [first, second] = [...batch.probabilities[0]!.subarray(row * width, (row + 1) * width)].sort(
        (a, b) => b - a,
      )
      return { oid, margin: first! - second! }
    })
    const wanted = margins.sort((a, b) => a.margin - b.margin).slice(0, 200)
    expect(watch.facts.doubtful.map(({ oid, margin }) => ({ oid, margin }))).toEqual(wanted)
  })

  it('forgets an input that did not come to its end', () => {
    const watch = createClassifyWatch(taxonomy)
    watch.openInput().see(drawnBatch(taxonomy, 100))
    const whole = watch.openInput()
    whole.see(drawnBatch(taxonomy, 7))
    whole.keep()
    expect(watch.facts.doubtful).toHaveLength(7)
    expect(watch.facts.levels[0]!.classes.reduce((sum, { objects }) => sum + objects, 0)).toBe(7)
  })

  it('puts a probability on an edge into the lower interval, and 0 into the first', () => {
    const watch = createClassifyWatch({ levels: taxonomy.levels.slice(0, 1) })
    const input = watch.openInput()
    const one = drawnBatch({ levels: taxonomy.levels.slice(0, 1) }, 3)
    const values = new Float64Array(18)
    values.set([0.5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    input.see({ ...one, probabilities: [values] })
    input.keep()
    const { confidence } = watch.facts.levels[0]!.classes[0]!
    expect([confidence[9], confidence[19], confidence[0]]).toEqual([1, 1, 1])
  })
})
