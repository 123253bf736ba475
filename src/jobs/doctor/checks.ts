// What is configured → what the doctor looks at.
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { UsageError } from '../../errors.ts'
import type { Check, Finding } from './check.ts'
import { databaseCheck } from './database-check.ts'
import { diskCheck, memoryCheck, nodeCheck, pathCheck, processorCheck } from './machine-checks.ts'
import { modelCheck, storeCheck } from './model-check.ts'
import { isS3Configured, s3Check } from './s3-check.ts'
import { topicsCheck, type TopicUse } from './topics-check.ts'
import {
  type Environment,
  kafkaAddressOf,
  type KafkaRole,
  parseKafkaAddress,
  withoutPassword,
} from '../../connectors/kafka/address.ts'
import { isPostgresAddress, parsePostgresAddress } from '../../connectors/postgres/address.ts'
import { cacheFolder, chooseModel, modelStore, theNewest } from '../../model/store/model-reference.ts'
import { filePathOf } from '../../connectors/address.ts'
import { isKafkaAddress } from '../../connectors/kafka/spec.ts'

/** Checks, by how they go together: see runChecks. */
interface DoctorChecks {
  readonly waiting: readonly Check[]
  readonly working: readonly Check[]
}

/**
 * Everything that the environment of a stream configures, and the addresses that were typed.
 *
 * @throws UsageError for an address of no kind that lcclf knows
 */
export function doctorChecks(addresses: readonly string[], environment: Environment): DoctorChecks {
  return {
    waiting: [
      nodeCheck(requiredNode()),
      processorCheck(),
      memoryCheck(),
      diskCheck(tmpdir(), 'temporary files'),
      diskCheck(cacheFolder(), 'downloads and what can be made again'),
      storeCheck(modelStore()),
      ...environmentChecks(environment, addresses),
      ...addresses.map((address) => addressCheck(address, environment)),
    ],
    working: [
      modelCheck({
        find: () => chooseModel(environment['LCCLF_MODEL'] || undefined, theNewest),
        isNeeded: ['CONSUMER_SERVER', 'PRODUCER_SERVER', 'DB_HOST'].some((variable) => isSet(environment, variable)),
        cacheFolder: cacheFolder(),
      }),
    ],
  }
}

function requiredNode(): string {
  const path = new URL('../../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { engines: { node: string } }).engines.node
}

function environmentChecks(environment: Environment, addresses: readonly string[]): Check[] {
  const hasDatabase = ['DB_HOST', 'PGHOST', 'PGDATABASE'].some((variable) => isSet(environment, variable))
  const isNamed = (kind: (address: string) => boolean): boolean => addresses.some(kind)
  const topics = [
    topicsOf({ name: 'input topics', use: 'read', role: 'consumer', variable: 'CONSUMER_SERVER' }, environment),
    topicsOf({ name: 'output topic', use: 'write', role: 'producer', variable: 'PRODUCER_SERVER' }, environment),
    topicsOf({ name: 'metrics topic', use: 'write', role: 'metrics', variable: 'METRICS_HOST' }, environment),
  ].flat()
  return [
    ...(hasDatabase ? [databaseOf('postgres://', environment)] : []),
    ...(hasDatabase || isNamed(isPostgresAddress) ? [] : [nothing('database', 'no DB_HOST, no PGHOST')]),
    ...topics,
    ...(topics.length > 0 || isNamed(isKafkaAddress)
      ? []
      : [nothing('brokers', 'no CONSUMER_SERVER, no PRODUCER_SERVER, no METRICS_HOST')]),
    ...(isNamed(isS3Address) ? [] : [s3Of(environment)]),
  ]
}

interface EnvironmentTopics {
  readonly name: string
  readonly use: TopicUse
  readonly role: KafkaRole
  readonly variable: string
}

function topicsOf({ name, use, role, variable }: EnvironmentTopics, environment: Environment): Check[] {
  if (!isSet(environment, variable)) return []
  return [topicsCheck({ name, use, parse: () => kafkaAddressOf(role, environment)!, about: variable })]
}

function databaseOf(address: string, environment: Environment): Check {
  const parse = (): ReturnType<typeof parsePostgresAddress> => parsePostgresAddress(address, environment, 'any')
  return databaseCheck(
    parse,
    shownIf(() => parse().address),
  )
}

function s3Of(environment: Environment): Check {
  return isS3Configured(environment) ? s3Check(undefined, environment) : nothing('s3', 'no AWS_ settings')
}

function addressCheck(address: string, environment: Environment): Check {
  if (isPostgresAddress(address)) return databaseOf(address, environment)
  if (isS3Address(address)) return s3Check(address, environment)
  if (isKafkaAddress(address)) {
    const parse = (): ReturnType<typeof parseKafkaAddress> => parseKafkaAddress(address, 'consumer', environment)
    return topicsCheck({ name: 'topics', use: 'either', parse, about: withoutPassword(address) })
  }
  if (address === '-') throw new UsageError('-: there is nothing to check of stdin and stdout')
  return pathCheck(filePathOf(address, 'input'))
}

function nothing(name: string, message: string): Check {
  const finding: Finding = { name, status: 'not configured', message }
  return { name, look: () => Promise.resolve([finding]) }
}

function isS3Address(address: string): boolean {
  return /^s3:\/\//i.test(address)
}

function isSet(environment: Environment, variable: string): boolean {
  return (environment[variable] ?? '').trim() !== ''
}

/** What cannot be read is not shown either; the check itself says why. */
function shownIf(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
