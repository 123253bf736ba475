// The keys of the survey's config.yaml → the names of the environment that a stream's plan understands. Pure.
import { UsageError } from '../../errors.ts'
import type { Environment } from '../../connectors/kafka/address.ts'
import { shownText } from '../../formats/shown-text.ts'

/** What a file of settings comes to. */
export interface ConfigSettings {
  /** the given environment with the file's settings in place of its own */
  readonly environment: Environment
  /** what is in the file, or beside it, and has no effect: one sentence each, and no value of anything */
  readonly notes: readonly string[]
  /** a name of the environment → the key of the file that it came from, or would have come from */
  readonly keys: ReadonlyMap<string, string>
}

/**
 * Reads the settings of the survey's steps since 2023. With a file, what it can say comes from it alone: names of the
 * environment that mean the same are not read, as in those steps. `${VAR}` and `${VAR:-default}` in texts come from there.
 *
 * @param file as messages name it
 * @param content of the file: mappings, lists, texts, numbers
 * @throws UsageError for a wrong type, a variable that is not set, or settings that exclude each other; never with a value
 */
export function settingsOf(file: string, content: unknown, environment: Environment): ConfigSettings {
  const used = new Set<string>()
  const refuse = (path: string, why: string, hint?: string): never => {
    throw new UsageError(path === '' ? `${file}: ${why}` : `${file}: ${path}: ${why}`, { hint })
  }
  const notes: string[] = []
  const filledIn = interpolated(content ?? {}, '', { environment, used, refuse })
  const top = sectionOf(filledIn, '', refuse)
  const values = new Map<string, string>()
  const keys = new Map<string, string>()
  const into: Into = {
    set(name, key, value) {
      keys.set(name, key)
      if (value !== undefined) values.set(name, value)
    },
    note: (key, why) => void notes.push(`${key} ${why}`),
    refuse,
  }
  readConsumer(top.section('CONSUMER_CONFIG'), into)
  readProducer(top.section('PRODUCER_CONFIG'), 'PRODUCER', into)
  readProducer(top.section('SCRIBE_PRODUCER_CONFIG'), 'SCRIBE', into)
  readMetrics(top.section('METRICS_CONFIG'), into)
  readModel(top, into)
  readStep(top, into)
  notes.push(...top.unknown().map((path) => `${path} is not known, and not used`))
  const others = Object.entries(environment).filter(([name]) => !keys.has(name))
  for (const name of keys.keys()) {
    const isOther = environment[name] !== undefined && environment[name] !== (values.get(name) ?? '')
    if (isOther && !used.has(name)) notes.push(`${name} of the environment is not read: ${file} decides`)
  }
  return { environment: { ...Object.fromEntries(others), ...Object.fromEntries(values) }, notes, keys }
}

/** Where settings go. */
interface Into {
  /** a setting and the key that says it; without a value: only this key could say it */
  set(name: string, key: string, value: string | undefined): void
  note(key: string, why: string): void
  refuse(key: string, why: string, hint?: string): never
}

function readConsumer(section: Section, into: Into): void {
  into.set('CONSUMER_CLASS', section.at('CLASS'), section.text('CLASS'))
  into.set('CONSUMER_SCHEMA_PATH', section.at('SCHEMA_PATH'), section.text('SCHEMA_PATH'))
  const topics = section.texts('TOPICS')
  const daily = readStrategy(section, into)
  if (topics && daily) into.refuse(section.at('TOPIC_STRATEGY'), 'there are TOPICS too, and only one of them can count')
  into.set('CONSUMER_TOPICS', section.at('TOPICS'), (topics ?? daily?.formats)?.join(','))
  for (const [name, own, older] of [
    ['CONSUME_MESSAGES', 'consume.messages', 'NUM_MESSAGES'],
    ['CONSUME_TIMEOUT', 'consume.timeout', 'TIMEOUT'],
  ] as const) {
    const [value, replaced] = [section.number(own), section.number(older)]
    into.set(name, section.at(value === undefined && replaced !== undefined ? older : own), value ?? replaced)
    if (value !== undefined && replaced !== undefined) into.note(section.at(older), `is not used: ${own} is there`)
  }
  if (section.holds('offsets')) {
    into.refuse(section.at('offsets'), 'a stream begins where its group is', replayHint)
  }
  section.passOver('ADD_TOPIC', 'COMMIT_RETRY', 'exit_on_consume')
  const params = section.section('PARAMS')
  into.set('CONSUMER_GROUP_ID', params.at('group.id'), params.text('group.id'))
  const session = params.number('session.timeout.ms')
  into.set('CONSUMER_SESSION_TIMEOUT', params.at('session.timeout.ms'), session && String(Number(session) / 1000))
  const reset = params.text('auto.offset.reset')
  if (reset !== undefined && !['beginning', 'earliest', 'smallest'].includes(reset)) {
    into.note(params.at('auto.offset.reset'), 'is not followed: a group without offsets starts at the earliest message')
  }
  if (params.flag('enable.partition.eof') === true) {
    into.note(
      params.at('enable.partition.eof'),
      'is not followed: --until-caught-up ends a stream that has read everything',
    )
  }
  readConnection(params, 'CONSUMER', 'CONSUMER_SERVER', into)
}

const replayHint = 'A replay is --since, --until or --on with --no-commit.'

function readProducer(section: Section, prefix: 'PRODUCER' | 'SCRIBE', into: Into): void {
  const topics = section.texts('TOPIC', { mayBeOne: true })
  const daily = readStrategy(section, into)
  if (topics && daily) into.refuse(section.at('TOPIC_STRATEGY'), 'there is a TOPIC too, and only one of them can count')
  const named = topics ?? daily?.formats ?? []
  if (named.length > 1) {
    into.refuse(section.at(topics ? 'TOPIC' : 'TOPIC_STRATEGY'), 'an output has one topic', 'Use --to once for each.')
  }
  const isScribe = prefix === 'SCRIBE'
  if (isScribe && daily) into.refuse(section.at('TOPIC_STRATEGY'), 'commands go to one TOPIC')
  const usual = section.holds('PARAMS') ? 'KafkaProducer' : undefined
  into.set(isScribe ? 'SCRIBE_PRODUCER_CLASS' : 'PRODUCER_CLASS', section.at('CLASS'), section.text('CLASS') ?? usual)
  into.set(`${prefix}_SCHEMA_PATH`, section.at('SCHEMA_PATH'), section.text('SCHEMA_PATH'))
  into.set(`${prefix}_TOPIC`, section.at('TOPIC'), topics?.[0])
  if (!isScribe) {
    const at = (key: string): string => section.at(`TOPIC_STRATEGY.PARAMS.${key}`)
    into.set('PRODUCER_TOPIC_FORMAT', at('topic_format'), daily?.formats[0])
    into.set('PRODUCER_DATE_FORMAT', at('date_format'), daily?.dateFormat)
    into.set('PRODUCER_CHANGE_HOUR', at('change_hour'), daily?.changeHour)
  }
  section.passOver('STRICT', 'FLUSH_TIMEOUT')
  readConnection(section.section('PARAMS'), prefix, `${prefix}_SERVER`, into)
}

/** A topic a day. The class may be any that makes them of these parameters. */
function readStrategy(section: Section, into: Into) {
  if (!section.holds('TOPIC_STRATEGY')) return undefined
  const strategy = section.section('TOPIC_STRATEGY')
  const name = lastWord(strategy.text('CLASS') ?? 'DailyTopicStrategy')
  if (!/^(?:Current)?DailyTopicStrategy$/.test(name)) {
    into.refuse(strategy.at('CLASS'), `${shownText(name)} is not DailyTopicStrategy`)
  }
  const params = strategy.section('PARAMS')
  const formats = params.texts('topic_format', { mayBeOne: true })
  params.passOver('retention_days')
  return {
    formats: formats ?? into.refuse(params.at('topic_format'), 'is missing'),
    dateFormat: params.text('date_format'),
    changeHour: params.number('change_hour'),
  }
}

function readMetrics(section: Section, into: Into): void {
  const name = section.text('CLASS')
  const outer = section.section('PARAMS')
  section.passOver('EXTRA_METRICS')
  outer.passOver('SCHEMA_PATH')
  const topics = outer.texts('TOPIC', { mayBeOne: true })
  into.set('METRICS_TOPIC', outer.at('TOPIC'), topics?.join(','))
  if (name === undefined || lastWord(name) === 'KafkaMetricsProducer') {
    readConnection(outer.section('PARAMS'), 'METRICS', 'METRICS_HOST', into)
    return
  }
  into.note(section.at('CLASS'), 'is not used: metrics go to Kafka (KafkaMetricsProducer), or to --metrics-port')
  into.set('METRICS_HOST', outer.at('PARAMS'), undefined)
  outer.passOver('PARAMS')
}

/**
 * librdkafka's names. Its defaults are its own: without `security.protocol` it connects in plain text, whoever the user is.
 */
function readConnection(params: Section, prefix: string, serverName: string, into: Into): void {
  const server = params.text('bootstrap.servers') ?? params.text('metadata.broker.list')
  into.set(serverName, params.at('bootstrap.servers'), server)
  const mechanism = params.text('sasl.mechanism') ?? params.text('sasl.mechanisms')
  const account = { username: params.text('sasl.username'), password: params.text('sasl.password') }
  const asked = params.text('security.protocol')?.toUpperCase()
  const usesSasl = asked?.startsWith('SASL') === true
  into.set(`${prefix}_SECURITY_PROTOCOL`, params.at('security.protocol'), server && (asked ?? 'PLAINTEXT'))
  if (usesSasl && mechanism === undefined) {
    into.refuse(params.at('sasl.mechanism'), 'is missing', 'Name PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.')
  }
  if (!usesSasl && account.username !== undefined) {
    into.note(
      params.at('sasl.username'),
      `is not used: security.protocol is ${asked ?? 'not there, which is PLAINTEXT'}`,
    )
  }
  into.set(`${prefix}_SASL_MECHANISM`, params.at('sasl.mechanism'), usesSasl ? mechanism : undefined)
  into.set(`${prefix}_SASL_USERNAME`, params.at('sasl.username'), usesSasl ? account.username : undefined)
  into.set(`${prefix}_SASL_PASSWORD`, params.at('sasl.password'), usesSasl ? account.password : undefined)
  // the file's account is the only one
  into.set(`${prefix}_KAFKA_USERNAME`, params.at('sasl.username'), undefined)
  into.set(`${prefix}_KAFKA_PASSWORD`, params.at('sasl.password'), undefined)
  into.set(`${prefix}_SSL_CA`, params.at('ssl.ca.location'), params.text('ssl.ca.location'))
  into.set(`${prefix}_SSL_CERT`, params.at('ssl.certificate.location'), params.text('ssl.certificate.location'))
  into.set(`${prefix}_SSL_KEY`, params.at('ssl.key.location'), params.text('ssl.key.location'))
  params.passOver(...withoutMeaning)
}

/** What librdkafka is told about its own buffers, threads and pauses. */
const withoutMeaning = [
  ...['enable.auto.commit', 'auto.commit.interval.ms', 'enable.auto.offset.store', 'max.poll.interval.ms'],
  ...['heartbeat.interval.ms', 'partition.assignment.strategy', 'client.id', 'allow.auto.create.topics'],
  ...['fetch.min.bytes', 'fetch.max.bytes', 'fetch.message.max.bytes', 'max.partition.fetch.bytes'],
  ...['fetch.wait.max.ms', 'queued.min.messages', 'queued.max.messages.kbytes', 'receive.message.max.bytes'],
  ...['message.max.bytes', 'queue.buffering.max.ms', 'queue.buffering.max.messages', 'queue.buffering.max.kbytes'],
  ...['linger.ms', 'batch.size', 'batch.num.messages', 'message.timeout.ms', 'delivery.timeout.ms', 'retries'],
  ...['retry.backoff.ms', 'request.timeout.ms', 'socket.timeout.ms', 'socket.keepalive.enable', 'debug', 'log_level'],
  ...['api.version.request', 'broker.version.fallback', 'statistics.interval.ms', 'log.connection.close'],
  ...['reconnect.backoff.ms', 'reconnect.backoff.max.ms', 'topic.metadata.refresh.interval.ms', 'check.crcs'],
]

function readModel(top: Section, into: Into): void {
  const model = top.section('MODEL_CONFIG')
  const params = model.section('PARAMS')
  into.set('MODEL_CLASS', model.at('CLASS'), model.text('CLASS'))
  const path = params.text('model_path') ?? params.text('path_to_model')
  into.set('MODEL_PATH', params.at('model_path'), path)
  either('CLASSIFIER_NAME', [model, 'NAME'], [model, 'CLASSIFIER_NAME'], into)
  either('MODEL_VERSION', [top, 'MODEL_VERSION'], [model, 'VERSION'], into)
  either('MIN_DETECTIONS', [top, 'MIN_DETECTIONS'], [model, 'MIN_DETECTIONS'], into)
  into.set('SID', model.at('SID'), model.number('SID'))
  params.passOver('mapper')
  model.passOver('CLASS_MAPPER')
  for (const name of ['MAPPER_CLASS', 'CLASS_MAPPER']) into.set(name, params.at('mapper'), undefined)
}

/** The same setting in the two steps' files; both are read as text or number, and must agree. */
function either(name: string, [one, key]: [Section, string], [other, otherKey]: [Section, string], into: Into): void {
  const [value, second] = [one.scalar(key), other.scalar(otherKey)]
  if (value !== undefined && second !== undefined && value !== second) {
    into.refuse(other.at(otherKey), `differs from ${one.at(key)}`)
  }
  into.set(name, value === undefined && second !== undefined ? other.at(otherKey) : one.at(key), value ?? second)
}

function readStep(top: Section, into: Into): void {
  into.set('SCRIBE_PARSER_CLASS', top.at('SCRIBE_PARSER_CLASS'), top.text('SCRIBE_PARSER_CLASS'))
  into.set('STEP_PARSER_CLASS', top.at('STEP_PARSER_CLASS'), top.text('STEP_PARSER_CLASS'))
  const flags = top.section('FEATURE_FLAGS')
  const yes = (isOn: boolean | undefined): string | undefined => (isOn === true ? 'yes' : undefined)
  into.set('USE_PROMETHEUS', flags.at('PROMETHEUS'), yes(flags.flag('PROMETHEUS')))
  for (const name of ['USE_PROFILING', 'LOG_CLASS_DISTRIBUTION']) {
    if (flags.flag(name) === true) into.note(flags.at(name), 'is not used')
  }
  into.set('LOGGING_DEBUG', top.at('LOGGING_DEBUG'), yes(top.flag('LOGGING_DEBUG')))
  if (top.flag('COMMIT') === false) into.refuse('COMMIT', 'a stream commits what is done', replayHint)
  if (top.holds('PSQL_CONFIG')) {
    into.note('PSQL_CONFIG', 'is no output, there or here: DB_HOST or --to postgres:// names tables to write')
  }
  top.passOver('PYROSCOPE_SERVER', 'enabled')
}

/** `lc_classification.core.parsers.scribe_parser.ScribeParser` → `ScribeParser`. */
export function lastWord(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).trim()
}

type Refuse = Into['refuse']

/** Fills in `${VAR}` in every text. `$${` stands for `${`. */
function interpolated(
  value: unknown,
  path: string,
  context: { readonly environment: Environment; readonly used: Set<string>; readonly refuse: Refuse },
): unknown {
  const { environment, used, refuse } = context
  if (Array.isArray(value)) return value.map((item, i) => interpolated(item, `${path}[${i}]`, context))
  if (isMapping(value)) {
    const entries = Object.entries(value).map(([key, item]) => [key, interpolated(item, joined(path, key), context)])
    return Object.fromEntries(entries) as unknown
  }
  if (typeof value !== 'string') return value
  return value.replace(/\$(\$\{)|\$\{(?:([A-Za-z_]\w*)(:-([^}]*))?\})?/g, (_, escaped, name, _default, otherwise) => {
    if (escaped !== undefined) return '${'
    if (name === undefined)
      return refuse(path, 'a ${ without a variable', 'Write ${NAME}, ${NAME:-default}, or $${ for ${.')
    used.add(name as string)
    const found = environment[name as string]
    if (otherwise !== undefined && (found === undefined || found === '')) return otherwise as string
    return found ?? refuse(path, `the variable ${name as string} is not set`, 'Set it, or write ${NAME:-default}.')
  })
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function joined(path: string, key: string): string {
  return path === '' ? shownText(key) : `${path}.${shownText(key)}`
}

/** A mapping of the file, which knows what it was asked for. An empty text is a setting that is not there. */
interface Section {
  at(key: string): string
  /** whether there is something */
  holds(key: string): boolean
  text(key: string): string | undefined
  /** a whole number or a fraction, above or equal to 0, as text */
  number(key: string): string | undefined
  /** a text or a number */
  scalar(key: string): string | undefined
  flag(key: string): boolean | undefined
  texts(key: string, options?: { readonly mayBeOne: boolean }): readonly string[] | undefined
  section(key: string): Section
  /** keys that are known and change nothing here */
  passOver(...keys: readonly string[]): void
  /** paths of keys that nobody asked for */
  unknown(): string[]
}

function sectionOf(value: unknown, path: string, refuse: Refuse): Section {
  const map = value === undefined ? {} : isMapping(value) ? value : refuse(path, 'expected keys with values')
  const asked = new Set<string>()
  const sections: Section[] = []
  const at = (key: string): string => joined(path, key)
  const take = (key: string): unknown => {
    asked.add(key)
    const found = Object.hasOwn(map, key) ? map[key] : undefined
    return found === null || found === '' ? undefined : found
  }
  const wholeText = (item: unknown): string | undefined =>
    typeof item === 'string' ? item : typeof item === 'bigint' ? String(item) : undefined
  const wrong = (key: string, expected: string): never => refuse(at(key), `expected ${expected}`)
  const textAt = (key: string): string | undefined => {
    const found = take(key)
    return found === undefined ? undefined : (wholeText(found) ?? wrong(key, 'a text; put it in quotes'))
  }
  return {
    at,
    holds(key) {
      const found = take(key)
      return found !== undefined && !(isMapping(found) && Object.keys(found).length === 0)
    },
    text: textAt,
    number(key) {
      const found = take(key)
      if (found === undefined) return undefined
      const text = typeof found === 'number' ? String(found) : wholeText(found)?.trim()
      return text !== undefined && /^\d+(?:\.\d+)?$/.test(text) ? text : wrong(key, 'a number')
    },
    scalar(key) {
      const found = take(key)
      return typeof found === 'number' ? String(found) : textAt(key)
    },
    flag(key) {
      const found = take(key)
      if (found === undefined || typeof found === 'boolean') return found
      const word = wholeText(found)?.toLowerCase() ?? ''
      if (/^(?:true|yes|on|1)$/.test(word)) return true
      return /^(?:false|no|off|0)$/.test(word) ? false : wrong(key, 'true or false')
    },
    texts(key, { mayBeOne } = { mayBeOne: false }) {
      const found = take(key)
      if (found === undefined) return undefined
      const list = mayBeOne && typeof found === 'string' ? [found] : found
      const isList = Array.isArray(list) && list.every((item) => typeof item === 'string' && item.trim() !== '')
      if (!isList) return wrong(key, mayBeOne ? 'a text, or a list of texts' : 'a list of texts')
      return list.length === 0 ? undefined : (list as string[])
    },
    section(key) {
      const inner = sectionOf(take(key), at(key), refuse)
      sections.push(inner)
      return inner
    },
    passOver: (...keys) => keys.forEach((key) => asked.add(key)),
    unknown() {
      const own = Object.keys(map).filter((key) => !asked.has(key))
      return [...own.map(at), ...sections.flatMap((section) => section.unknown())]
    },
  }
}
