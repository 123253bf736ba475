import { describe, expect, it } from 'vitest'
import { type Check, type Finding, runChecks } from '../../../src/jobs/doctor/check.ts'
import { isAtLeast } from '../../../src/jobs/doctor/machine-checks.ts'
import { clockFinding } from '../../../src/jobs/doctor/service-checks.ts'
import { ServiceError } from '../../../src/errors.ts'

const fine: Finding = { status: 'ok', message: 'as it should be' }

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
    expect(findings).toEqual([
      { name: 'one', status: 'failed', message: 'away', hint: 'start it' },
      {
        name: 'one',
        status: 'failed',
        message: 'kafka://host: unexpected: x is undefined',
        hint: expect.stringContaining('bug') as string,
      },
      { name: 'one', ...fine },
    ])
  })

  it('that hang are failed lines when their time is over, and are told so; the others do not wait', async () => {
    let wasTold = false
    const hanging = check(
      (signal) => {
        signal.addEventListener('abort', () => (wasTold = true))
        return new Promise(() => undefined)
      },
      { limitMs: 50, about: 'postgres://host/db' },
    )
    const findings = await runChecks([hanging, check(() => Promise.resolve([fine]))], [hanging])
    expect(wasTold).toBe(true)
    expect(findings.map(({ status }) => status)).toEqual(['failed', 'ok', 'failed'])
    expect(findings[0]!.message).toBe('postgres://host/db: no answer within 0.05 s')
  })

  it('that keep this thread busy begin after all answers have arrived', async () => {
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
  it('more than a minute apart are a warning that says which way', () => {
    expect(clockFinding(90_000)).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('clock is 90.0 s ahead of') as string,
    })
    expect(clockFinding(-61_000)).toMatchObject({
      message: expect.stringContaining('clock is 61.0 s behind') as string,
    })
    expect(clockFinding(-59_000)).toBeUndefined()
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
