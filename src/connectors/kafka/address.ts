// `kafka://host:9092[,host2]/topic[,topic2]?group=…` and the environment → how to connect, and to which topics.
import { UsageError } from '../../errors.ts'
import {
  type KafkaConnection,
  saslMechanisms,
  type SaslSettings,
  type TlsSettings,
} from './client/connection-settings.ts'
import type { TopicName } from './client/connection-settings.ts'
import { dailyTopic } from './topics.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What an address is for. It decides which names of the environment count: `CONSUMER_…`, `PRODUCER_…` and so on. */
export type KafkaRole = 'consumer' | 'producer' | 'scribe' | 'metrics'

/** An address taken apart. */
export type KafkaAddress = ReturnType<typeof parseKafkaAddress>

/** A schema registry. */
export interface RegistrySettings {
  readonly url: string
  readonly username?: string | undefined
  readonly password?: (() => string) | undefined
}

const addressForm = /^kafka:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i
const escapeHint =
  'In a password %-escape / as %2F, ? as %3F, # as %23, & as %26 and @ as %40, or set KAFKA_SASL_PASSWORD.'
const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const

/**
 * Reads an address. What it does not say is taken from the environment: first the original's names for the role, then the
 * general `KAFKA_…` ones.
 *
 * @throws UsageError
 */
export function parseKafkaAddress(address: string, role: KafkaRole, environment: Environment) {
  const shown = withoutPassword(address)
  // if there is an @, what is wrong may be part of a password, and is not shown
  const hasAccount = address.includes('@')
  const refuse = (why: string, hint = hasAccount ? escapeHint : undefined): never => {
    throw new UsageError(`${shown}: ${why}`, { hint })
  }
  const found = addressForm.exec(address) ?? refuse('expected kafka://host:9092/topic')
  const [, credentials, hosts, path, query] = found
  const { asked, schemas } = parametersOf(query ?? '', hasAccount, refuse)
  const setting: Setting = (name, ...variables) =>
    asked.get(name) ?? variables.map((each) => filled(environment[each])).find((value) => value !== undefined)
  const topics = splitList(decoded(path ?? ''))
  if (topics.some((topic) => topic.includes('@'))) refuse('a topic name cannot contain @', escapeHint)
  const brokers = brokersOf(hosts ?? '', hasAccount, refuse)
  const security = securityOf(setting, accountOf(credentials, prefixes[role], environment), prefixes[role], refuse)
  const connection: KafkaConnection = { brokers, patienceMs: seconds(asked, 'patience', 60), ...security }
  return {
    /** as it may be shown: without a password */
    shown,
    connection,
    /** names, `^` patterns (consumers) or daily names, as they were written */
    topics: topics.length > 0 ? topics : topicsOf(role, environment),
    group: setting('group', ...(role === 'consumer' ? ['CONSUMER_GROUP_ID'] : [])),
    registry: registryOf(setting('registry', 'SCHEMA_REGISTRY_URL'), environment),
    /** files of the schema of values that carry none, in their order */
    schemas: schemas.length > 0 || role !== 'consumer' ? schemas : splitList(environment['CONSUMER_SCHEMA_PATH'] ?? ''),
    /** how daily names are made, for topics with `%s` */
    daily: {
      dateFormat: setting('date_format', 'PRODUCER_DATE_FORMAT') ?? '%Y%m%d',
      changeHour: hourOf(setting('change_hour', 'PRODUCER_CHANGE_HOUR') ?? '22'),
    },
    /** what is sent, of an output: as it was written */
    output: outputParametersOf(asked),
    /** how long the group waits for a member that says nothing, in milliseconds */
    sessionTimeoutMs: seconds(asked, 'session_timeout', sessionTimeoutOf(role, environment)),
  }
}

/**
 * The address that the original's environment means: `CONSUMER_SERVER` and `CONSUMER_TOPICS`, `PRODUCER_SERVER` and
 * `PRODUCER_TOPIC_FORMAT` or `PRODUCER_TOPIC`, `SCRIBE_SERVER` and `SCRIBE_TOPIC`, `METRICS_HOST` and `METRICS_TOPIC`.
 * Undefined where it names no server.
 */
export function kafkaAddressOf(role: KafkaRole, environment: Environment): KafkaAddress | undefined {
  const server = filled(environment[role === 'metrics' ? 'METRICS_HOST' : `${prefixes[role]}_SERVER`])
  return server === undefined ? undefined : parseKafkaAddress(`kafka://${server}`, role, environment)
}

/** The one topic of an output. @throws UsageError if there is none, or more, or a pattern, or what only an input has */
export function outputTopic({ topics, daily, shown, schemas }: KafkaAddress): TopicName {
  if (schemas.length > 0) throw new UsageError(`${shown}: schema is only for inputs`)
  const [topic, ...others] = topics
  if (topic === undefined) throw noTopic(shown)
  if (others.length > 0) {
    throw new UsageError(`${shown}: an output has one topic`, { hint: 'Repeat --to for more outputs.' })
  }
  if (topic.startsWith('^')) throw new UsageError(`${shown}: an output's topic cannot be a pattern`)
  return dailyTopic(checkedName(topic, shown), daily)
}

/** An address that lacks a topic. */
export function noTopic(shown: string): UsageError {
  return new UsageError(`${shown}: names no topic`, { hint: 'Write kafka://host:9092/topic.' })
}

const prefixes: Readonly<Record<KafkaRole, string>> = {
  ...{ consumer: 'CONSUMER', producer: 'PRODUCER', scribe: 'SCRIBE', metrics: 'METRICS' },
}

function topicsOf(role: KafkaRole, environment: Environment): string[] {
  if (role === 'consumer') return splitList(environment['CONSUMER_TOPICS'] ?? '')
  if (role !== 'producer') return splitList(environment[`${prefixes[role]}_TOPIC`] ?? '')
  return splitList(filled(environment['PRODUCER_TOPIC_FORMAT']) ?? environment['PRODUCER_TOPIC'] ?? '')
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** `%s` of a daily name is not an escape, and stays. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escape) => {
    try {
      return decodeURIComponent(escape)
    } catch {
      return escape
    }
  })
}

/** A parameter of the address, or else the first of the variables that is set. */
type Setting = (name: string, ...variables: readonly string[]) => string | undefined
/** Throws an error about the address. */
type Refuse = (why: string, hint?: string) => never

/** The parameters, the last of each name; of `schema`, which may be there more than once, all. */
function parametersOf(query: string, hasAccount: boolean, refuse: Refuse) {
  const asked = new Map<string, string>()
  const schemas: string[] = []
  for (const part of query.split('&').filter((word) => word !== '')) {
    const at = part.indexOf('=')
    const name = at < 0 ? part : part.slice(0, at)
    if (!addressParameters.some((known) => known === name)) {
      const hint = `Known are ${addressParameters.join(', ')}.${hasAccount ? ` ${escapeHint}` : ''}`
      refuse(hasAccount ? 'unknown parameter' : `unknown parameter ${name}`, hint)
    }
    const value = at < 0 ? '' : decoded(part.slice(at + 1))
    asked.set(name, value)
    if (name !== 'schema') continue
    if (value === '') refuse('schema= names no file', 'Write ?schema=FILE.avsc.')
    schemas.push(value)
  }
  return { asked, schemas }
}

function outputParametersOf(asked: ReadonlyMap<string, string>) {
  return new Map(outputParameters.flatMap((name) => (asked.has(name) ? [[name, asked.get(name)!] as const] : [])))
}

function brokersOf(hosts: string, hasAccount: boolean, refuse: Refuse): string[] {
  const brokers = splitList(hosts)
  if (brokers.length === 0) refuse('names no broker')
  return brokers.map((broker, i) => {
    const [, host, port = '9092'] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d+))?$/i.exec(broker) ?? []
    const isPlace = host !== undefined && Number(port) <= 65_535
    return isPlace ? `${host}:${port}` : refuse(`${hasAccount ? `broker ${i + 1}` : broker} is not host:port`)
  })
}

/** Who we are and how that is protected. Defaults are those of the version of the original that had the names. */
function securityOf(
  setting: Setting,
  account: ReturnType<typeof accountOf>,
  prefix: string,
  refuse: Refuse,
): { sasl?: SaslSettings; tls?: TlsSettings } {
  const tls = {
    ca: setting('ca', `${prefix}_SSL_CA`, 'KAFKA_SSL_CA'),
    cert: setting('cert', `${prefix}_SSL_CERT`, 'KAFKA_SSL_CERT'),
    key: setting('key', `${prefix}_SSL_KEY`, 'KAFKA_SSL_KEY'),
  }
  const hasTls = Object.values(tls).some((value) => value !== undefined)
  const protocol = setting('security', `${prefix}_SECURITY_PROTOCOL`, 'KAFKA_SECURITY_PROTOCOL')
  const meant = (protocol ?? account?.protocol ?? 'PLAINTEXT').toUpperCase()
  const usesTls = (protocol === undefined && hasTls) || meant.endsWith('SSL')
  if (!protocols.some((known) => known === meant)) refuse(`${meant} is not ${protocols.join(', ')}`)
  const encryption = usesTls ? { tls } : {}
  if (!meant.startsWith('SASL')) return encryption
  if (!account) {
    const names = `${prefix}_SASL_USERNAME and ${prefix}_SASL_PASSWORD, or KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD`
    return refuse(`${meant} needs a user name and a password`, `Set ${names}.`)
  }
  const { username, password } = account
  const named = setting('mechanism', `${prefix}_SASL_MECHANISM`, 'KAFKA_SASL_MECHANISM') ?? account.mechanism
  const mechanism =
    saslMechanisms.find((known) => known === named.toUpperCase()) ??
    refuse(`the SASL mechanism ${named} is not ${saslMechanisms.join(', ')}`)
  return { sasl: { mechanism, username, password: () => password }, ...encryption }
}

const older = { protocol: 'SASL_PLAINTEXT', mechanism: 'SCRAM-SHA-256' } as const

function accountOf(credentials = '', prefix: string, environment: Environment) {
  const colon = credentials.indexOf(':')
  const username = decoded(colon < 0 ? credentials : credentials.slice(0, colon))
  const password = colon < 0 ? undefined : decoded(credentials.slice(colon + 1))
  // the original's producer kept the defaults of its old names when it got the new ones
  const modern = prefix === prefixes.producer ? older : ({ protocol: 'SASL_SSL', mechanism: 'SCRAM-SHA-512' } as const)
  const names = [
    { name: `${prefix}_SASL`, ...older },
    { name: `${prefix}_KAFKA`, ...modern },
    { name: 'KAFKA_SASL', protocol: 'SASL_PLAINTEXT', mechanism: 'SCRAM-SHA-512' },
  ] as const
  const set = names.find(({ name }) => filled(environment[`${name}_USERNAME`]) !== undefined)
  const passwordSet = names.find(({ name }) => environment[`${name}_PASSWORD`] !== undefined)
  const user = filled(username) ?? (set && environment[`${set.name}_USERNAME`])
  if (user === undefined) return undefined
  const { protocol, mechanism } = set ?? passwordSet ?? names[2]
  const owner = username !== '' ? passwordSet : set
  const secret = password ?? (owner && environment[`${owner.name}_PASSWORD`]) ?? ''
  return { username: user, password: secret, protocol, mechanism }
}

function registryOf(address: string | undefined, environment: Environment): RegistrySettings | undefined {
  if (address === undefined) return undefined
  const refuse = (why: string): never => {
    const hint = 'Set SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD instead of an account in the address.'
    throw new UsageError(`registry ${withoutPassword(address)}: ${why}`, address.includes('@') ? { hint } : {})
  }
  if (!URL.canParse(address)) refuse('expected http://host:8081')
  const url = new URL(address)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') refuse('expected http:// or https://')
  // the rest of a password, which messages would show
  if (`${url.pathname}${url.search}${url.hash}`.includes('@')) refuse('there is an @ after the host')
  const username = decoded(url.username) || filled(environment['SCHEMA_REGISTRY_USERNAME'])
  const password = decoded(url.password) || environment['SCHEMA_REGISTRY_PASSWORD']
  url.username = ''
  url.password = ''
  return { url: url.href.replace(/\/$/, ''), username, password: password === undefined ? undefined : () => password }
}

function checkedName(topic: string, shown: string): string {
  if (/^[A-Za-z0-9._-]{1,249}$/.test(topic.replaceAll('%s', ''))) return topic
  const hint = 'A name consists of letters, digits, ".", "_" and "-".'
  throw new UsageError(`${shown}: ${topic} is not a valid topic name`, { hint })
}

function seconds(asked: ReadonlyMap<string, string>, name: string, otherwise: number): number {
  const text = asked.get(name)
  const value = text === undefined ? otherwise : Number(text)
  if (text === '' || !Number.isFinite(value) || value <= 0) throw new UsageError(`${name}=${text}: expected seconds`)
  return value * 1000
}

/** In seconds; longer than a broker away for a moment, shorter than what a crash may cost. */
function sessionTimeoutOf(role: KafkaRole, environment: Environment): number {
  const text = role === 'consumer' ? filled(environment['CONSUMER_SESSION_TIMEOUT']) : undefined
  const value = text === undefined ? 15 : Number(text)
  if (value > 0 && value < 86_400) return value
  throw new UsageError(`CONSUMER_SESSION_TIMEOUT ${text}: expected seconds`)
}

function hourOf(text: string): number {
  const hour = Number(text)
  if (Number.isInteger(hour) && hour >= 0 && hour <= 24 && text !== '') return hour
  throw new UsageError(`PRODUCER_CHANGE_HOUR ${text}: expected an hour from 0 to 24`)
}

/** A value of the environment; undefined where it is not set, or only white space. */
export function filled(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim()
}

/** What is sent, and how: for outputs alone. */
const outputParameters = ['framing', 'as', 'survey', 'sid', 'classifier_ids'] as const

/** What a Kafka address may have after its `?`. */
export const addressParameters = [
  ...['group', 'registry', 'schema', 'security', 'mechanism', 'ca', 'cert', 'key'],
  ...['patience', 'session_timeout', 'date_format', 'change_hour'],
  ...outputParameters,
] as const

/** Only a known name begins a parameter: `?` and `&` may be part of a password that was not escaped. */
const parameterStart = new RegExp(`(?=[?&](?:${addressParameters.join('|')})=)`)

/**
 * The address with its password masked, and its registry's: in each part everything from the first `:` to the last `@`, so
 * that an error does not show a password even if it holds `/`, `?` or `#`. Takes any text.
 */
export function withoutPassword(address: string): string {
  return address.split(parameterStart).map(masked).join('')
}

function masked(part: string): string {
  const slashes = /:\/\/|%3A%2F%2F/i.exec(part)
  const from = slashes ? slashes.index + slashes[0].length : 0
  const shown = part.slice(from)
  const colon = shown.search(/:|%3A/i)
  const end = Math.max(shown.lastIndexOf('@'), shown.lastIndexOf('%40'))
  return colon < 0 || end < colon ? part : `${part.slice(0, from + colon)}:***${shown.slice(end)}`
}
