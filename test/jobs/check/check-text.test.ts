import { describe, expect, it } from 'vitest'
import { type CheckFinding, finding, idFindings, rowFindings } from '../../../src/jobs/check/check-input.ts'
import { checkText } from '../../../src/jobs/check/check.ts'
import type { IdCounts } from '../../../src/model/profile/id-tally.ts'

const ids: IdCounts = {
  repeated: 599,
  identical: 599,
  example: '1.5e17',
  rows: 600,
  areCandidsRounded: false,
  floatOids: 0,
  floatExample: null,
}

const text = (findings: readonly CheckFinding[]): string =>
  checkText({ address: 'x.csv', read: 600, rejected: 0, features: [], findings }, { model: 'f 1', isOneOfMany: false })

describe('what check says', () => {
  it('offers the newest row of repeated oids, but not where digits were lost', () => {
    expect(text(idFindings(ids))).toContain('--duplicates newest')
    const lost = text(idFindings({ ...ids, floatOids: 600, floatExample: '1.5e17' }))
    expect(lost).toContain('600 are written as floats, such as 1.5e17: their last digits are lost')
    expect(lost).toContain("dtype={'oid': 'Int64'}")
    expect(lost).not.toContain('--duplicates')
    const shown = text(idFindings({ ...ids, repeated: 0, floatOids: 600, floatExample: '12.0' }))
    expect(shown).toContain('such as 12.0: that is not the id 12')
  })

  it('says how ids that are floats are exported again', () => {
    const reasons = new Map([
      ['candid is a float: its last digits are lost', { count: 600, example: 'line 2: 1.08e+18' }],
    ])
    expect(text(rowFindings(reasons, { read: 600, rejected: 600 }))).toContain("dtype={'candid': 'Int64'}")
  })

  it('writes flags on one line to be copied, and no sentence about a flag', () => {
    const shown = text([
      finding('failed', 'columns', 'is missing', '--id-column objectId'),
      finding('failed', 'columns', 'is missing', "--rename 'gal b=gal_b'"),
      finding('failed', 'columns', 'is missing', '--rename-map alerce-2024'),
      finding('failed', 'input', 'lacks a column', '--rename OLD=NEW reads column OLD as NEW.'),
    ])
    expect(shown).toContain("\n  try: --id-column objectId --rename 'gal b=gal_b' --rename-map alerce-2024\n")
    expect(shown).toContain('\n  --rename OLD=NEW reads column OLD as NEW.\n')
  })
})
