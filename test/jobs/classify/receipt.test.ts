import { describe, expect, it } from 'vitest'
import { exitCodeOf, receiptOf } from '../../../src/jobs/classify/receipt.ts'
import { createLedger, type CountedBatch } from '../../../src/pipeline/ledger.ts'

function ledgerOf(...batches: { read: number; classified: number; reasons?: string[]; written?: number }[]) {
  const ledger = createLedger()
  const output = ledger.openOutput('classified.parquet')
  const input = ledger.openInput({ address: 'night.parquet' })
  for (const { read, classified, reasons = [], written = classified } of batches) {
    const rejected = reasons.map((reason) => ({ oid: null, where: '', reason }))
    const batch: CountedBatch = {
      delivery: { read, rejected, duplicates: 0 },
      classified,
      outcomes: [{ objects: written, rows: written, refused: [], superseded: 0 }],
    }
    ledger.count(input, [output], batch)
  }
  return ledger
}

describe('exitCodeOf', () => {
  it('is 0 when everything is accounted for, also when nothing was read', () => {
    expect(exitCodeOf(ledgerOf({ read: 3, classified: 3 }), undefined)).toBe(0)
    expect(exitCodeOf(ledgerOf(), undefined)).toBe(0)
    expect(exitCodeOf(ledgerOf({ read: 3, classified: 1, reasons: ['x', 'y'] }), undefined)).toBe(0)
  })

  it('is 3 when all rows were rejected, or more than the bound', () => {
    const half = { read: 4, classified: 2, reasons: ['x', 'x'] }
    expect(exitCodeOf(ledgerOf({ read: 2, classified: 0, reasons: ['x', 'x'] }), undefined)).toBe(3)
    expect(exitCodeOf(ledgerOf(half), { rows: 2 })).toBe(0)
    expect(exitCodeOf(ledgerOf(half), { rows: 1 })).toBe(3)
    expect(exitCodeOf(ledgerOf(half), { percent: 50 })).toBe(0)
    expect(exitCodeOf(ledgerOf(half), { percent: 49.9 })).toBe(3)
    expect(exitCodeOf(ledgerOf(half), { rows: 0 })).toBe(3)
  })

  it('is 3 when an output refused all that was wanted, and counts the worst of several outputs', () => {
    const refusing = (read: number, duplicates: number, ...refused: number[]) => {
      const ledger = createLedger()
      const outputs = refused.map((_, i) => ledger.openOutput(`postgres://h/${i}`))
      const outcomes = refused.map((count) => ({
        objects: read - duplicates - count,
        rows: 0,
        refused: Array.from({ length: count }, () => ({ oid: 'x', where: '', reason: 'no row in table object' })),
        superseded: 0,
      }))
      const delivery = { read, rejected: [], duplicates }
      ledger.count(ledger.openInput({ address: 'a' }), outputs, { delivery, classified: read - duplicates, outcomes })
      return ledger
    }
    expect(exitCodeOf(refusing(15, 0, 15), undefined)).toBe(3)
    expect(exitCodeOf(refusing(15, 10, 5), undefined)).toBe(3)
    expect(exitCodeOf(refusing(15, 10, 0), undefined)).toBe(0)
    expect(exitCodeOf(refusing(100, 0, 3, 3), { percent: 5 })).toBe(0)
    expect(exitCodeOf(refusing(100, 0, 3, 6), { percent: 5 })).toBe(3)
    expect(exitCodeOf(refusing(100, 0, 50, 50), undefined)).toBe(0)
  })

  it('is 6 when rows are lost on the way in or out', () => {
    expect(exitCodeOf(ledgerOf({ read: 3, classified: 2 }), undefined)).toBe(6)
    expect(exitCodeOf(ledgerOf({ read: 3, classified: 3, written: 2 }), undefined)).toBe(6)
  })
})

describe('the receipt', () => {
  it('counts rejects by reason and masks a password', () => {
    const ledger = ledgerOf({ read: 3, classified: 0, reasons: ['b', 'a', 'b'] })
    ledger.openOutput('postgres://broker:secret@db/ztf')
    const model = { name: 'n', version: '1', classifierVersion: 'n_1', sha256: 'f00' }
    const receipt = receiptOf(
      { command: 'classify', startedAt: new Date(0), model, options: {}, notes: new Set<string>() },
      ledger,
      undefined,
    )
    expect(receipt.exitCode).toBe(3)
    expect(receipt.inputs[0]).toMatchObject({ read: 3, rejected: 3, reasons: { a: 1, b: 2 } })
    expect(JSON.stringify(receipt)).not.toContain('secret')
    expect(receipt.outputs[1]!.address).toBe('postgres://broker:***@db/ztf')
  })

  it('names 200 reasons and counts the others together', () => {
    const reasons = Array.from({ length: 300 }, (_, i) => `reason ${i}`)
    const ledger = ledgerOf({ read: 300, classified: 0, reasons })
    const counted = ledger.inputs[0]!.reasons
    expect(Object.keys(counted)).toHaveLength(201)
    expect(counted['other reasons']).toBe(100)
  })
})
