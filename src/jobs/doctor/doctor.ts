// The story of `lcclf doctor`.
import type { Finding, FindingStatus } from './check.ts'
import { runChecks } from './run-checks.ts'
import { doctorChecks } from './checks.ts'
import { harmless } from '../../terminal/text-table.ts'

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
