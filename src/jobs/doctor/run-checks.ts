// All checks at once, each within its time: a check that throws or hangs is a failed line.
import { LcclfError, messageOf } from '../../errors.ts'
import type { Check, ClockReading, Finding } from './check.ts'
import { clockFinding } from './clock.ts'

const usualLimitMs = 10_000

/**
 * Looks at everything and answers the findings in the order of the checks, the clock last.
 *
 * @param waiting what reaches out to others, done at once
 * @param working what keeps this thread busy, and would make the others late: done afterwards, one by one
 */
export async function runChecks(waiting: readonly Check[], working: readonly Check[]): Promise<readonly Finding[]> {
  const clocks: ClockReading[] = []
  const found = await Promise.all(waiting.map((check) => findingsOf(check, clocks)))
  for (const check of working) found.push(await findingsOf(check, clocks))
  return [...found.flat(), clockFinding(clocks)]
}

async function findingsOf(check: Check, clocks: ClockReading[]): Promise<readonly Finding[]> {
  const { name, about, limitMs = usualLimitMs } = check
  const controller = new AbortController()
  const { signal } = controller
  const subject = about === undefined ? '' : `${about}: `
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<readonly Finding[]>((resolve) => {
    timer = setTimeout(() => {
      const message = `${subject}no answer within ${limitMs / 1000} s`
      resolve([{ name, status: 'failed', message, hint: 'Is it running, and reachable from here?' }])
      controller.abort()
    }, limitMs)
  })
  try {
    const looking = check.look({ signal, tellClock: (reading) => void clocks.push(reading) })
    // what comes after the time is over concerns nobody
    looking.catch(() => undefined)
    return await Promise.race([looking, late])
  } catch (thrown) {
    return [{ name, status: 'failed', ...reasonOf(thrown, subject) }]
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(thrown: unknown, subject: string): { message: string; hint?: string | undefined } {
  if (thrown instanceof LcclfError) return { message: thrown.message, hint: thrown.hint }
  const message = `${subject}unexpected: ${messageOf(thrown).split('\n', 1)[0]!}`
  return { message, hint: 'This is a bug in lcclf: please report it.' }
}
