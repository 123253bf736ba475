import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { Taxonomy } from '../../../src/pipeline/batch.ts'
import { openTerminalSink, terminalReport } from '../../../src/connectors/stdout/terminal-sink.ts'
import { contextOf, flatTaxonomy, golden, goldenBatch, taxonomy } from '../../support/classified-samples.ts'

const someCounts = Float64Array.from(taxonomy.levels[0]!.classes, (_, i) => i * i)

const next = [
  { name: 'RSCVn', probability: 0.3 },
  { name: 'CEP', probability: 0.2 },
]

function object(oid: string, candid: bigint | null = 1234567890123456789n) {
  return { oid, candid, className: 'Periodic-Other', probability: 1 / 3, top: [0.5, 0.25, 0.25], next }
}

describe('the terminal’s summary', () => {
  it('counts classes by branch, shows the first ten objects and says how to write a file', async () => {
    const stream = new PassThrough()
    const sink = openTerminalSink(contextOf({ oidType: 'string', hasCandid: true }), stream)
    await sink.write(goldenBatch(0, 4))
    await sink.write(goldenBatch(4, 24))
    await sink.finish()
    expect(stream.readableLength).toBe(0)
    await sink.publish()
    stream.end()
    const report = await text(stream)

    expect(report).toMatch(/^24 objects classified\n/)
    for (const name of new Set(golden.predicted)) {
      const count = golden.predicted.filter((predicted) => predicted === name).length
      expect(report).toMatch(
        new RegExp(`^(\\w+)? +${name} +${count} +${((100 * count) / 24).toFixed(1)} % *[█▏]*$`, 'm'),
      )
    }
    expect(golden.oid.filter((oid) => report.includes(oid))).toEqual(golden.oid.slice(0, 10))
    expect(report).toContain('1234567890123456789')
    expect(report).toContain('lcclf classify … --to out.parquet')
  })

  it('fits 80 columns with candids and the longest names', () => {
    const first = Array.from({ length: 10 }, (_, i) => object(`ZTF18aaabsk${i}`))
    const report = terminalReport({ taxonomy, counts: someCounts.map((n) => n * 1e6), first, hasCandid: true })
    expect(Math.max(...report.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    // an id that is cut is no id
    expect(report).toContain('ZTF18aaabsk3  1234567890123456789  Periodic-Other')
  })

  it.each([
    [60, 'prob.', 15],
    [80, 'Transient', 35],
    [120, '2nd', 40],
    [200, '3rd', 40],
  ])('uses the width of a terminal of %i columns', async (columns, heading, longestBar) => {
    const stream = Object.assign(new PassThrough(), { columns })
    const sink = openTerminalSink(contextOf({ oidType: 'string', hasCandid: true }), stream)
    await sink.write(goldenBatch(0, 24))
    await sink.publish()
    stream.end()
    const report = await text(stream)
    expect(Math.max(...report.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns)
    const objects = report.split('\n').find((line) => line.startsWith('oid'))!
    expect(objects).toContain(heading)
    expect(Math.max(...(report.match(/█+/g) ?? []).map((bar) => bar.length))).toBe(longestBar)
    // an id that is cut is no id
    expect(report).toContain(golden.oid[0])
  })

  it('fits 80 columns with ids of any length and many branches', () => {
    const branches = Array.from({ length: 40 }, (_, i) => `Branch${i}`)
    const levels: Taxonomy = {
      levels: [taxonomy.levels[0]!, { ...taxonomy.levels[1]!, classes: branches }, ...taxonomy.levels.slice(2)],
    }
    const first = [{ ...object('o'.repeat(300)), top: branches.map(() => 0.025) }]
    const report = terminalReport({ taxonomy: levels, counts: someCounts, first, hasCandid: true })
    expect(Math.max(...report.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('does not hand the terminal the commands an id may hold', () => {
    const report = terminalReport({
      taxonomy,
      counts: someCounts,
      first: [object('\u001b]0;owned\u0007evil\u001b[2J\nline\u202e')],
      hasCandid: false,
    })
    expect(report).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202e]/)
    expect(report).toContain('evil')
  })

  it('shows no candid where there is none, and no branches for a model of one level', () => {
    const first = [{ ...object('a', null), className: 'star', top: [], next: [] }]
    const report = terminalReport({ taxonomy: flatTaxonomy, counts: Float64Array.of(1, 0, 0), first, hasCandid: false })
    expect(report).toMatch(/^1 object classified\n\nclass +objects\n/)
    expect(report).toMatch(/^oid +class +prob\.\na +star +0\.333$/m)
  })

  it('is sensible without an object', () => {
    const counts = new Float64Array(15)
    const report = terminalReport({ taxonomy, counts, first: [], hasCandid: true })
    expect(report).toMatch(/^0 objects classified\n/)
    expect(report).not.toContain('NaN')
  })
})
