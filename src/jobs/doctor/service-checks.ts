// The services: a database, brokers, S3. Nothing is written to them, and no group is joined.
import type { KafkaAddress } from '../../connectors/kafka/address.ts'
import { type Cluster, connectCluster } from '../../connectors/kafka/client/cluster.ts'
import { committedOffsets, listOffsets } from '../../connectors/kafka/client/offsets.ts'
import { keyOf } from '../../connectors/kafka/client/partition.ts'
import { dailyTopic, describeTopics, selectTopics, type TopicDescription } from '../../connectors/kafka/topics.ts'
import type { PostgresAddress } from '../../connectors/postgres/address.ts'
import { connect, type Connection } from '../../connectors/postgres/client/connection.ts'
import { postgresFailure } from '../../connectors/postgres/client/failure.ts'
import { transaction } from '../../connectors/postgres/client/session.ts'
import { checkTables, type TablesReport } from '../../connectors/postgres/tables/check-tables.ts'
import { inspectTables } from '../../connectors/postgres/tables/inspect-tables.ts'
import type { TableCheck } from '../../connectors/postgres/tables/table-check.ts'
import { parseS3Address, s3Settings } from '../../connectors/s3/address.ts'
import { openS3Client, s3Failure } from '../../connectors/s3/client.ts'
import { messageOf } from '../../errors.ts'
import { TransientError } from '../../transfer/transient-error.ts'
import { type Check, failed, type Finding, ok, warning } from './check.ts'

/** within the ten seconds of a check: the way to the database, then two looks at the rows of a large table */
const connectMs = 4000
const statementMs = 2000

/**
 * Who we are in a database, and whether what lcclf reads or writes is there and allowed: the tables that results go to, or
 * the table or the query that the address names.
 *
 * @param parse reads the address: what is wrong with it is a failed line like everything else
 */
export function databaseCheck(parse: () => PostgresAddress): Check {
  return {
    name: 'database',
    about: shownIf(() => parse().address),
    async look(signal) {
      const { address, connection: given, tables, reading } = parse()
      const connectTimeout = Math.min(given.connectTimeout, connectMs)
      const settings = { ...given, connectTimeout, statementTimeout: statementMs }
      let connection: Connection | undefined
      const stop = (): void => connection?.destroy()
      signal.addEventListener('abort', stop)
      try {
        connection = await connect(settings)
        if (signal.aborted) return []
        const [reached, ...clock] = await reachedFindings(connection, address)
        const found = reading
          ? [await readingFinding(connection, reading)]
          : tableFindings(await checkTables(connection, { statementTimeout: statementMs, tables }))
        return joined(reached, [...found, ...clock], ', ')
      } catch (error) {
        throw postgresFailure(error, settings)
      } finally {
        signal.removeEventListener('abort', stop)
        if (connection && !signal.aborted) await connection.close()
      }
    },
  }
}

/** An address that cannot be read is not shown either; the check itself says why. */
function shownIf(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** One line if all is well, else one for the service and one for each thing that is wrong with it. */
function joined(reached: Finding, found: readonly Finding[], separator: string): Finding[] {
  const fine = found.filter(({ status }) => status === 'ok').map(({ message }) => message)
  const message = [reached.message, ...fine].join(separator)
  return [{ ...reached, message }, ...found.filter(({ status }) => status !== 'ok')]
}

/** The server, and a warning if its clock and ours are far apart: ours names daily topics and stamps records. */
async function reachedFindings(connection: Connection, address: string): Promise<[Finding, ...Finding[]]> {
  const sent = Date.now()
  const [row] = await connection.rows<[version: string, time: number, user: string, tls: string | null]>(
    `SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())::float8 * 1000, current_user::text,
       (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid())`,
  )
  const [version, time, user, tls] = row!
  const message = `${address} PostgreSQL ${version.split(' ', 1)[0]!}, ${tls ?? 'no TLS'}, as ${user}`
  // the server read its clock about half-way between question and answer
  const clock = clockFinding(time - (sent + Date.now()) / 2)
  return [ok(message), ...(clock ? [clock] : [])]
}

/** @param aheadMs how far the clock of the database is ahead of ours */
export function clockFinding(aheadMs: number): Finding | undefined {
  if (Math.abs(aheadMs) <= 60_000) return undefined
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1)
  const message = `its clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`
  const hint = 'Set the clocks (NTP): the names of daily topics and the times in records and receipts depend on them.'
  return warning(message, hint)
}

function tableFindings(report: TablesReport): Finding[] {
  const findings = report.checks.filter(isWorthSaying).map((check): Finding => {
    const status = check.state === 'problem' ? 'failed' : isUnseen(check) ? 'ok' : 'warning'
    return { status, message: `${check.name}: ${check.detail}`, hint: check.hint }
  })
  return report.ok ? [ok(`tables complete${report.hasHistory ? ', with history' : ''}`), ...findings] : findings
}

/** Notes on tables that only the pipeline itself needs are left to `lcclf db check`. */
function isWorthSaying(check: TableCheck): boolean {
  if (check.state !== 'note') return check.state === 'problem'
  return isUnseen(check) || /constraints and indexes of (?:probability|taxonomy|step)$/.test(check.name)
}

function isUnseen({ detail }: TableCheck): boolean {
  return detail.startsWith('not examined')
}

type Reading = NonNullable<PostgresAddress['reading']>

async function readingFinding(connection: Connection, reading: Reading): Promise<Finding> {
  if (reading.kind === 'query') {
    const mode = { access: 'read only', isolation: 'repeatable read', statementTimeout: statementMs } as const
    const columns = await transaction(connection, mode, () => connection.describe(reading.sql))
    return ok(`the query has ${columns.length} columns`)
  }
  const { table } = reading
  const [facts] = await inspectTables(connection, [table])
  if (!facts) return failed(`there is no table ${table}`, 'Name it with its schema: ?table=schema.name.')
  if (facts.privileges.includes('SELECT')) return ok(`table ${table} can be read`)
  return failed(`this role may not read table ${table}`, `GRANT SELECT ON ${table} TO your role.`)
}

/** What topics are for: what is read must exist, what is written may be created. */
type TopicUse = 'read' | 'write' | 'either'

/** Whether the brokers answer, the topics of an address exist, and how far the group that it names is behind. */
export function topicsCheck(
  { name, about }: Pick<Check, 'name' | 'about'>,
  use: TopicUse,
  parse: () => KafkaAddress,
): Check {
  return {
    name,
    about,
    async look(signal) {
      const address = parse()
      const { shown, group, connection } = address
      // within the ten seconds of a check
      const cluster = await connectCluster({ ...connection, patienceMs: 3000 }, 'lcclf-doctor')
      const stop = (): void => void cluster.close()
      signal.addEventListener('abort', stop)
      try {
        const names = await topicNames(cluster, address, use)
        const topics = await cluster.persist('asking for the topics', () => describeTopics(cluster, names))
        const found = topics.map((topic) => topicFinding(topic, use))
        const present = topics.filter(({ state }) => state === 'there')
        if (group !== undefined && use !== 'write' && present.length > 0)
          found.push(await groupFinding(cluster, group, present))
        if (topics.length === 0) {
          const asked = address.topics.join(',')
          const message = asked === '' ? `${shown} names no topic` : `no topic matches ${asked}`
          found.push(warning(message, 'Write kafka://host:9092/topic, or set CONSUMER_TOPICS and PRODUCER_TOPIC.'))
        }
        const { sasl, tls } = connection
        const security = [...(tls ? ['TLS'] : []), ...(sasl ? [`${sasl.mechanism} as ${sasl.username}`] : [])]
        return joined(ok(`${shown} answers${security.length === 0 ? '' : ` (${security.join(', ')})`}`), found, '; ')
      } finally {
        signal.removeEventListener('abort', stop)
        await cluster.close()
      }
    },
  }
}

async function topicNames(
  cluster: Cluster,
  { topics, daily }: KafkaAddress,
  use: TopicUse,
): Promise<readonly string[]> {
  if (use === 'write') return topics.map((topic) => dailyTopic(topic, daily)(new Date()))
  const selection = selectTopics(topics)
  if (!selection.hasPatterns) return selection.names
  const all = await cluster.persist('asking for the topics', () => cluster.topics(null))
  return selection.among(all.keys())
}

function topicFinding(topic: TopicDescription, use: TopicUse): Finding {
  const { name, state, partitions, leaderless, mayRead, mayWrite } = topic
  const rightsHint = 'The account needs rights for the topics, and as a consumer for the group.'
  if (state === 'hidden') return failed(`topic ${name}: the account may not see it`, rightsHint)
  if (state === 'absent') {
    const message = `there is no topic ${name}`
    if (use !== 'write') return failed(message, 'Create it, or correct its name: names are compared exactly.')
    return warning(message, 'lcclf creates it if the brokers allow it; otherwise create it first.')
  }
  if (use === 'read' && mayRead === false) return failed(`topic ${name}: the account may not read it`, rightsHint)
  if (use === 'write' && mayWrite === false) return failed(`topic ${name}: the account may not write to it`, rightsHint)
  if (leaderless > 0) {
    const message = `topic ${name}: ${leaderless} of ${partitions} partitions have no leader`
    return failed(message, 'Check the brokers: some of them are down.')
  }
  const rights = use === 'write' && mayWrite === true ? ', may be written' : ''
  return ok(`topic ${name} with ${partitions} partitions${rights}`)
}

async function groupFinding(cluster: Cluster, group: string, topics: readonly TopicDescription[]): Promise<Finding> {
  const partitions = topics.flatMap((topic) =>
    Array.from({ length: topic.partitions }, (_, partition) => ({ topic: topic.name, partition })),
  )
  const [first, end, committed] = await Promise.all([
    listOffsets(cluster, partitions, 'earliest'),
    listOffsets(cluster, partitions, 'latest'),
    committedOffsets(cluster, group, partitions),
  ])
  const lag = partitions.reduce((sum, partition) => {
    const key = keyOf(partition)
    const [from, to] = [committed.get(key) ?? first.get(key) ?? 0n, end.get(key) ?? 0n]
    return to > from ? sum + (to - from) : sum
  }, 0n)
  if (committed.size > 0) return ok(`group ${group} is ${lag} messages behind`)
  return ok(`group ${group} has committed nothing: it would begin with the earliest of ${lag} messages`)
}

/**
 * Whether S3 answers, and accepts our credentials.
 *
 * @param address `s3://bucket/key`; undefined: the settings alone
 */
export function s3Check(address: string | undefined, env: Readonly<Record<string, string | undefined>>): Check {
  return {
    name: 's3',
    about: address,
    async look(signal) {
      const settings = s3Settings(env)
      const place = address ?? settings.endpoint ?? 'the settings (AWS_…)'
      try {
        // nothing but a question is sent, and plain http within a cluster is no failure
        const client = await openS3Client({ settings, needsCredentials: false, allowHttp: true })
        const { accessKeyId } = await client.config.credentials()
        const who = accessKeyId === '' ? 'without credentials' : 'with credentials'
        const content = await s3Content(client, address, signal).finally(() => client.destroy())
        return ok(`${place} answers, ${who}${content}`)
      } catch (error) {
        if (!(error instanceof TransientError)) throw error
        return failed(messageOf(error), 'Is the endpoint right (AWS_ENDPOINT_URL), and reachable from here?')
      }
    },
  }
}

/** Lists one key of a bucket, or without a bucket asks for all buckets, which the credentials need not be allowed to see. */
async function s3Content(
  client: Awaited<ReturnType<typeof openS3Client>>,
  address: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const sdk = await import('@aws-sdk/client-s3')
  const place = address === undefined ? undefined : parseS3Address(address)
  try {
    if (!place) {
      await client.send(new sdk.ListBucketsCommand({}), { abortSignal: signal })
      return ''
    }
    const listing = new sdk.ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.key, MaxKeys: 1 })
    const { Contents = [] } = await client.send(listing, { abortSignal: signal })
    return Contents.length > 0 ? ', objects are there' : ', nothing is there yet'
  } catch (error) {
    // our identity was accepted; permission to list all buckets is rare
    if (!place && error instanceof Error && error.name === 'AccessDenied') return ''
    throw s3Failure(error, place ? `s3://${place.bucket}/${place.key}` : 's3')
  }
}
