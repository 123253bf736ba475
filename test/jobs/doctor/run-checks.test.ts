import { describe, expect, it } from 'vitest'
import { type Check, clockFinding, type Finding, readingOf } from '../../../src/jobs/doctor/check.ts'
import { isAtLeast } from '../../../src/jobs/doctor/machine-checks.ts'
import { runChecks } from '../../../src/jobs/doctor/doctor.ts'
import { ServiceError } from '../../../src/errors.ts'

const fine: Finding = { name: 'fine', status: 'ok', message: 'as it should be' }

function check(look: Check['look'], more: Partial<Check> = {}): Check {
  return { name: 'one', look, ...more }
}

describe('checks', () => {
  it('that throw are failed lines, ours with their hint, others as bugs, in one line each', async () => {
    const findings = await runChecks(
      [
        check(() => Promise.reject(new ServiceError('away', { hint: 'start it' }))),
        check(
          () => {
            throw new TypeError('x is undefined\n    at somewhere')
          },
          { about: 'kafka://host' },
        ),
        check(() => Promise.resolve([fine])),
      ],
      [],
    )
    expect(findings.slice(0, 3)).toEqual([
      { name: 'one', status: 'failed', message: 'away', hint: 'start it' },
      {
        name: 'one',
        status: 'failed',
        message: 'kafka://host: unexpected: x is undefined',
        hint: expect.stringContaining('bug') as string,
      },
      fine,
    ])
  })

  it('that hang are failed lines when their time is over, and are told so; the others do not wait', async () => {
    let wasTold = false
    const hanging = check(
      ({ signal }) => {
        signal.addEventListener('abort', () => (wasTold = true))
        return new Promise(() => undefined)
      },
      { limitMs: 50, about: 'postgres://host/db' },
    )
    const findings = await runChecks([hanging, check(() => Promise.resolve([fine]))], [hanging])
    expect(wasTold).toBe(true)
    expect(findings.map(({ status }) => status)).toEqual(['failed', 'ok', 'failed', 'ok'])
    expect(findings[0]!.message).toBe('postgres://host/db: no answer within 0.05 s')
  })

  it('that keep this thread busy begin when nobody waits for an answer any more', async () => {
    const order: string[] = []
    const note = (name: string, ms: number): Check =>
      check(async () => {
        await new Promise((resolve) => setTimeout(resolve, ms))
        order.push(name)
        return []
      })
    await runChecks([note('slow', 60), note('quick', 1)], [note('busy', 1)])
    expect(order).toEqual(['quick', 'slow', 'busy'])
  })
})

describe('clocks', () => {
  it('a minute apart are a warning that says which way', () => {
    const ahead = clockFinding([
      { place: 'the database', aheadMs: 90_000 },
      { place: 'S3', aheadMs: -10_000 },
    ])
    expect(ahead.status).toBe('warning')
    expect(ahead.message).toContain('the database is 90.0 s ahead')
    expect(ahead.message).not.toContain('S3')
    expect(clockFinding([{ place: 'S3', aheadMs: -61_000 }]).message).toContain('S3 is 61.0 s behind')
    expect(clockFinding([{ place: 'S3', aheadMs: -59_000 }]).status).toBe('ok')
    expect(clockFinding([]).status).toBe('ok')
  })

  it('are compared with ours half-way between question and answer', () => {
    expect(readingOf('S3', 5000, 1000, 3000).aheadMs).toBe(3000)
  })
})

describe('versions', () => {
  it.each([
    ['20.19.4', '20.19.4', true],
    ['20.20.0', '20.19.4', true],
    ['22.0.0-nightly', '20.19.4', true],
    ['20.9.9', '20.19.4', false],
    ['18.20.4', '20.19.4', false],
  ])('%s is at least %s: %s', (version, least, expected) => {
    expect(isAtLeast(version, least)).toBe(expected)
  })
})
