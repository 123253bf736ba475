// The survey's tables since 2025, ready for results: looked at once, before the first batch.
import { ServiceError, UsageError } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'
import { serverName } from '../settings.ts'
import { inspectTables, missingColumns, type TableFacts } from '../tables/inspect-tables.ts'
import { refuseAbsent, refuseLackingPrivileges, refuseUnlike } from '../tables/open-tables.ts'
import { inspectPartitions, missingPartitions, partitionFinder } from '../tables/partitions.ts'
import { classifier, knownSurveys, probability, sidLut, taxonomy } from './tables.ts'

/** What the sink must know of the tables. */
export type SurveyTables = Awaited<ReturnType<typeof inspectSurveyTables>>

/**
 * Looks at `probability`, which is written, and at what says the numbers of a model and of a survey.
 *
 * @throws ServiceError if one is absent, has other columns, lacks its key or a partition, or may not be used as it must be;
 *   UsageError for a survey that the tables do not know
 */
export async function inspectSurveyTables(connection: Connection, sid: number) {
  const needed = [probability, classifier, taxonomy]
  const facts = await inspectTables(
    connection,
    [...needed, sidLut].map(({ name }) => name),
  )
  const server = serverName(connection.settings)
  refuseAbsent(needed, facts, server, 'lcclf db init --tables multisurvey')
  refuseUnlike(probability, facts[0]!, server)
  refuseLackingPrivileges(facts[0]!, ['SELECT', 'INSERT', 'UPDATE'], server)
  ;[classifier, taxonomy].forEach((definition, i) => {
    const missing = missingColumns(definition, facts[i + 1]!)
    if (missing.length > 0) throw new ServiceError(`${server}: table ${definition.name} has no ${missing.join(', ')}`)
    refuseLackingPrivileges(facts[i + 1]!, ['SELECT'], server)
  })
  const partitioning = await inspectPartitions(connection, probability.name)
  const [gap] = partitioning ? missingPartitions(partitioning) : []
  if (gap) {
    throw new ServiceError(
      `${server}: table probability has no partition for remainder ${gap.remainder} of modulus ${gap.modulus}`,
      { hint: 'lcclf db check names all that are missing, and how to create them.' },
    )
  }
  return {
    /** false under row-level security */
    canCopy: !facts[0]!.hasRowSecurity,
    partitionOf: partitionFinder(partitioning),
    tid: await telescopeOf(connection, sid, facts[3]),
  }
}

/** The tid of a survey. @throws UsageError if `sid_lut`, or without it the survey's own list, does not have it */
export async function telescopeOf(connection: Connection, sid: number, lut: TableFacts | undefined): Promise<number> {
  const server = serverName(connection.settings)
  if (lut) refuseLackingPrivileges(lut, ['SELECT'], server)
  const rows = lut
    ? await connection.rows<[sid: number, tid: number, name: string | null]>(
        'SELECT sid::int4, tid::int4, survey_name::text FROM sid_lut ORDER BY 1',
      )
    : knownSurveys.map(({ sid, tid, name }) => [sid, tid, name] as const)
  const found = rows.find(([known]) => known === sid)
  if (found) return found[1]
  const known = rows.map(([id, , name]) => (name === null ? String(id) : `${id} (${name})`)).join(', ')
  throw new UsageError(`${server} has no survey ${sid} in sid_lut`, {
    hint: known === '' ? 'The table is empty: it needs a row for it.' : `?sid= names one of ${known}.`,
  })
}
