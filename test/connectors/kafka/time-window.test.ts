import { describe, expect, it } from 'vitest'
import { timeWindow } from '../../../src/connectors/kafka/spec.ts'
import { UsageError } from '../../../src/errors.ts'

describe('timeWindow', () => {
  it('takes ISO-8601, in UTC unless it says otherwise, and milliseconds', () => {
    const noon = Date.UTC(2026, 10, 22, 12)
    for (const text of [
      '2026-11-22T12:00',
      '2026-11-22 12:00:00',
      '2026-11-22T12:00:00.000Z',
      '2026-11-22T13:00+01:00',
    ]) {
      expect(timeWindow({ since: text })).toEqual({ since: noon })
    }
    expect(timeWindow({ since: '0', until: String(noon) })).toEqual({ since: 0, until: noon })
    expect(timeWindow({ until: '2026-11-22' })).toEqual({ until: noon - 12 * 3600 * 1000 })
    expect(timeWindow({})).toEqual({})
  })

  it('takes a day', () => {
    const start = Date.UTC(2024, 1, 29)
    expect(timeWindow({ on: '2024-02-29' })).toEqual({ since: start, until: start + 24 * 3600 * 1000 })
  })

  it.each([
    { since: 'yesterday' },
    { since: '2026-02-30' },
    { until: '2026-13-01' },
    { until: '' },
    { on: '2026-02-30' },
    { on: '2026-11-22T00:00' },
    { on: '2026-11-22', since: '0' },
    { since: '2026-11-23', until: '2026-11-22' },
    { since: '2026-11-22', until: '2026-11-22' },
  ])('refuses %o', (flags) => {
    expect(() => timeWindow(flags)).toThrow(UsageError)
  })
})
