// The story of `lcclf doctor`: what is configured, what is checked, and how it is told.
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { filePathOf } from '../../connectors/address.ts'
import { kafkaAddressOf, parseKafkaAddress, withoutPassword } from '../../connectors/kafka/address.ts'
import { isKafkaAddress } from '../../connectors/kafka/spec.ts'
import { isPostgresAddress, parsePostgresAddress } from '../../connectors/postgres/address.ts'
import { isS3Address } from '../../connectors/s3/address.ts'
import { UsageError } from '../../errors.ts'
import { cacheFolder, modelStore } from '../../model/store/model-reference.ts'
import { harmless } from '../../terminal/text-table.ts'
import { type Check, type Finding, type Line, runChecks } from './check.ts'
import { diskCheck, memoryCheck, modelCheck, nodeCheck } from './machine-checks.ts'
import { pathCheck, processorCheck, storeCheck } from './machine-checks.ts'
import { databaseCheck, s3Check, topicsCheck } from './service-checks.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Checks everything and prints it, as text or with --json as one object; returns the exit code: 5 if anything failed. */
export async function doctor(addresses: readonly string[], { json }: { json: boolean }): Promise<number> {
  const checks = await runChecks(
    [
      nodeCheck(requiredNode()),
      processorCheck,
      memoryCheck,
      diskCheck(tmpdir(), 'temporary files'),
      diskCheck(cacheFolder(), 'downloads and what can be made again'),
      storeCheck(modelStore()),
      ...environmentChecks(addresses),
      ...addresses.map(addressCheck),
    ],
    [modelCheck(['CONSUMER_SERVER', 'PRODUCER_SERVER', 'DB_HOST'].some(isSet))],
  )
  const exitCode = checks.some(({ status }) => status === 'failed') ? 5 : 0
  const report = { schemaVersion: 1, command: 'doctor', checks, exitCode }
  await print(json ? `${JSON.stringify(report)}\n` : textOf(checks))
  // a connection to a server that has frozen may not end by itself: nobody waits for it
  setTimeout(() => process.exit(exitCode), 2000).unref()
  return exitCode
}

function requiredNode(): string {
  const path = new URL('../../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { engines: { node: string } }).engines.node
}

function isSet(variable: string): boolean {
  return (process.env[variable] ?? '').trim() !== ''
}

/** Everything that the environment of a stream configures. */
function environmentChecks(addresses: readonly string[]): Check[] {
  const checks: Check[] = []
  if (['DB_HOST', 'PGHOST', 'PGDATABASE'].some(isSet)) checks.push(addressCheck('postgres://'))
  else if (!addresses.some(isPostgresAddress)) checks.push(nothing('database', 'no DB_HOST, no PGHOST'))
  const topics = [
    { name: 'input topics', use: 'read', role: 'consumer', variable: 'CONSUMER_SERVER' },
    { name: 'output topic', use: 'write', role: 'producer', variable: 'PRODUCER_SERVER' },
    { name: 'scribe topic', use: 'write', role: 'scribe', variable: 'SCRIBE_SERVER' },
    { name: 'metrics topic', use: 'write', role: 'metrics', variable: 'METRICS_HOST' },
  ] as const
  const used = topics.filter(({ variable }) => isSet(variable))
  for (const { name, use, role, variable } of used) {
    checks.push(topicsCheck({ name, about: variable }, use, () => kafkaAddressOf(role, process.env)!))
  }
  if (used.length === 0 && !addresses.some(isKafkaAddress))
    checks.push(nothing('brokers', 'no CONSUMER_SERVER, no PRODUCER_SERVER, no METRICS_HOST'))
  if (addresses.some(isS3Address)) return checks
  // any of these says that somebody means to use S3
  const s3 = ['ACCESS_KEY_ID', 'PROFILE', 'ENDPOINT_URL', 'ENDPOINT_URL_S3', 'WEB_IDENTITY_TOKEN_FILE']
  const hasS3 = s3.some((name) => isSet(`AWS_${name}`))
  return [...checks, hasS3 ? s3Check(undefined, process.env) : nothing('s3', 'no AWS_ settings')]
}

/** @throws UsageError for an address of no kind that lcclf knows */
function addressCheck(address: string): Check {
  if (isPostgresAddress(address)) return databaseCheck(() => parsePostgresAddress(address, process.env, 'any'))
  if (isS3Address(address)) return s3Check(address, process.env)
  if (isKafkaAddress(address)) {
    const about = withoutPassword(address)
    return topicsCheck({ name: 'topics', about }, 'either', () => parseKafkaAddress(address, 'consumer', process.env))
  }
  if (address === '-') throw new UsageError('-: stdin and stdout cannot be checked')
  return pathCheck(filePathOf(address, 'input'))
}

function nothing(name: string, message: string): Check {
  return { name, look: () => Promise.resolve({ status: 'not configured', message }) }
}

const marks = { ok: 'ok', warning: 'warning', failed: 'FAILED', 'not configured': '-' }

/** Aligned lines; what to do stands below the line that it belongs to. */
function textOf(checks: readonly Line[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const indent = ' '.repeat('warning'.length + 2 + width + 2)
  const lines = checks.flatMap(({ name, status, message, hint }) => {
    const text = status === 'not configured' ? `not configured: ${message}` : message
    const line = `${marks[status].padEnd('warning'.length)}  ${name.padEnd(width)}  ${harmless(text)}`
    return hint === undefined ? [line] : [line, `${indent}${harmless(hint.replaceAll('\n', ' '))}`]
  })
  const count = (wanted: Finding['status']): number => checks.filter(({ status }) => status === wanted).length
  const [failed, warnings] = [count('failed'), count('warning')]
  const more = warnings === 0 ? '' : `, ${warnings === 1 ? 'one warning' : `${warnings} warnings`}`
  const verdict =
    failed === 0
      ? `What is configured works${more}.`
      : `${failed === 1 ? 'One thing does' : `${failed} things do`} not work${more}: see above.`
  return `${lines.join('\n')}\n${verdict}\n`
}
