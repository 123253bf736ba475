// The story of `lcclf doctor`.
import { type Check, clockFinding, type ClockReading, type Finding, type FindingStatus } from './check.ts'
import { doctorChecks } from './checks.ts'
import { harmless } from '../../terminal/text-table.ts'
import { LcclfError, messageOf } from '../../errors.ts'

/** Looks at everything and prints it, as text or with --json as one object; answers the exit code: 5 if anything failed. */
export async function doctor(addresses: readonly string[], { json }: { json: boolean }): Promise<number> {
  const { waiting, working } = doctorChecks(addresses, process.env)
  const checks = await runChecks(waiting, working)
  const exitCode = checks.some(({ status }) => status === 'failed') ? 5 : 0
  const report = { schemaVersion: 1, command: 'doctor', checks, exitCode }
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : textOf(checks))
  endSoon(exitCode)
  return exitCode
}

const marks: Readonly<Record<FindingStatus, string>> = {
  ok: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  'not configured': '-',
}

/** Aligned lines; what to do stands below the line that it is about. */
function textOf(checks: readonly Finding[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const indent = ' '.repeat('warning'.length + 2 + width + 2)
  const lines = checks.flatMap(({ name, status, message, hint }) => {
    const text = status === 'not configured' ? `not configured: ${message}` : message
    const line = `${marks[status].padEnd('warning'.length)}  ${name.padEnd(width)}  ${harmless(text)}`
    return hint === undefined ? [line] : [line, `${indent}${harmless(hint.replaceAll('\n', ' '))}`]
  })
  return `${lines.join('\n')}\n${verdictOf(checks)}\n`
}

function verdictOf(checks: readonly Finding[]): string {
  const count = (wanted: FindingStatus): number => checks.filter(({ status }) => status === wanted).length
  const [failed, warnings] = [count('failed'), count('warning')]
  const more = warnings === 0 ? '' : `, ${warnings === 1 ? 'one warning' : `${warnings} warnings`}`
  if (failed === 0) return `What is configured works${more}.`
  return `${failed === 1 ? 'One thing does' : `${failed} things do`} not work${more}: see above.`
}

const graceMs = 2000

/** A connection to a server that has frozen may not end by itself: nobody waits for it. */
function endSoon(exitCode: number): void {
  setTimeout(() => process.exit(exitCode), graceMs).unref()
}

// All checks at once, each within its time: a check that throws or hangs is a failed line.

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
