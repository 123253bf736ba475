// Postgres addresses as inputs and outputs of a run.
import { parsePostgresAddress } from './address.ts'
import {
  stepFromEnvironment,
  type MissingObject,
  type PostgresResultsSpec,
  type PostgresSinkSpec,
  type PostgresSourceSpec,
} from './settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The tables as an output; `environment` has what the address leaves out, and the names of the step. @throws UsageError */
export function postgresSinkSpec(
  address: string,
  missingObject: MissingObject | undefined,
  environment: Environment,
): PostgresSinkSpec {
  const { address: shown, connection, connections } = parsePostgresAddress(address, environment, 'output')
  return {
    kind: 'postgres',
    address: shown,
    connection,
    connections,
    missingObject: missingObject ?? 'wait',
    step: stepFromEnvironment(environment),
  }
}

/** A table or a query as an input. @throws UsageError */
export function postgresSourceSpec(address: string, environment: Environment): PostgresSourceSpec {
  const { address: shown, connection, reading } = parsePostgresAddress(address, environment, 'input')
  return { kind: 'postgres', address: shown, connection, reading: reading! }
}

/** Stored results, to be read back. @throws UsageError */
export function postgresResultsSpec(address: string, environment: Environment): PostgresResultsSpec {
  const { address: shown, connection, results } = parsePostgresAddress(address, environment, 'results')
  return { kind: 'postgres', address: shown, connection, results: results! }
}
