// The survey's file of settings as an environment: which key becomes which name, and what is refused.
import { describe, expect, it } from 'vitest'
import { settingsOf } from '../../../src/jobs/stream/config-settings.ts'
import { UsageError } from '../../../src/errors.ts'

const read = (content: unknown, environment: Record<string, string> = {}) => settingsOf('F', content, environment)
const connected = { 'bootstrap.servers': 'b:9092' }
const consumer = (more: object) => ({ CONSUMER_CONFIG: { TOPICS: ['f'], PARAMS: connected, ...more } })
const params = (more: object) => consumer({ PARAMS: { ...connected, ...more } })
const producer = (more: object) => ({ PRODUCER_CONFIG: { PARAMS: connected, ...more } })
const daily = (more: object, name = 'apf.core.topic_management.DailyTopicStrategy') => ({
  TOPIC_STRATEGY: { CLASS: name, PARAMS: { topic_format: 'lc_%s', ...more } },
})

describe('settingsOf', () => {
  it('connects in plain text unless the file names a protocol, as librdkafka does', () => {
    const { environment, notes } = read(params({ 'sasl.username': 'me', 'sasl.password': 'secret' }))
    expect(environment).toMatchObject({ CONSUMER_SERVER: 'b:9092', CONSUMER_SECURITY_PROTOCOL: 'PLAINTEXT' })
    expect(environment['CONSUMER_SASL_PASSWORD']).toBeUndefined()
    expect(notes).toEqual([expect.stringContaining('sasl.username is not used: security.protocol is not there')])
  })

  it('has an account and certificates for each of the four connections', () => {
    const secured = {
      ...{ 'security.protocol': 'sasl_ssl', 'sasl.mechanisms': 'PLAIN', 'sasl.username': 'me', 'sasl.password': 12n },
      ...{ 'ssl.ca.location': 'ca', 'ssl.certificate.location': 'cert', 'ssl.key.location': 'key' },
    }
    const PARAMS = { ...connected, ...secured }
    const { environment } = read({
      CONSUMER_CONFIG: { PARAMS },
      PRODUCER_CONFIG: { PARAMS },
      SCRIBE_PRODUCER_CONFIG: { PARAMS },
      METRICS_CONFIG: { PARAMS: { PARAMS } },
    })
    for (const prefix of ['CONSUMER', 'PRODUCER', 'SCRIBE', 'METRICS']) {
      expect(environment).toMatchObject({
        ...{ [`${prefix}_SECURITY_PROTOCOL`]: 'SASL_SSL', [`${prefix}_SASL_MECHANISM`]: 'PLAIN' },
        ...{ [`${prefix}_SASL_USERNAME`]: 'me', [`${prefix}_SASL_PASSWORD`]: '12' },
        ...{ [`${prefix}_SSL_CA`]: 'ca', [`${prefix}_SSL_CERT`]: 'cert', [`${prefix}_SSL_KEY`]: 'key' },
      })
    }
    expect(environment).toMatchObject({ SCRIBE_SERVER: 'b:9092', METRICS_HOST: 'b:9092' })
  })

  it('reads both steps’ words for the same things', () => {
    const older = read({ MODEL_VERSION: '2.1.0', MODEL_CONFIG: { NAME: 'n' }, MIN_DETECTIONS: 6n })
    const newer = read({ MODEL_CONFIG: { VERSION: '2.1.0', CLASSIFIER_NAME: 'n', MIN_DETECTIONS: '6' } })
    expect(newer.environment).toEqual(older.environment)
    expect(older.environment).toMatchObject({ MODEL_VERSION: '2.1.0', CLASSIFIER_NAME: 'n', MIN_DETECTIONS: '6' })
    const batches = read(consumer({ NUM_MESSAGES: 5n, TIMEOUT: 2.5, 'consume.messages': 7n }))
    expect(batches.environment).toMatchObject({ CONSUME_MESSAGES: '7', CONSUME_TIMEOUT: '2.5' })
    expect(batches.notes).toEqual(['CONSUMER_CONFIG.NUM_MESSAGES is not used: consume.messages is there'])
    expect(read(params({ 'session.timeout.ms': 6000n })).environment['CONSUMER_SESSION_TIMEOUT']).toBe('6')
  })

  it('fills in variables and their defaults, and leaves an escaped one', () => {
    const servers = (text: string, environment: Record<string, string> = {}) =>
      read(consumer({ PARAMS: { 'bootstrap.servers': text } }), environment).environment['CONSUMER_SERVER']
    expect(servers('${HOST}:${PORT:-9092}', { HOST: 'h' })).toBe('h:9092')
    expect(servers('${HOST:-other}:1', { HOST: '' })).toBe('other:1')
    expect(servers('$${HOST}')).toBe('${HOST}')
    expect(servers('a$b')).toBe('a$b')
  })

  it('decides alone: names of the environment that mean the same are not read, and that is said', () => {
    const own = { CONSUMER_SERVER: 'other', CONSUMER_KAFKA_PASSWORD: 'p', PRODUCER_TOPIC: 'old', LCCLF_MODEL: 'mine' }
    const { environment, notes } = read(params({ 'group.id': '${CONSUMER_KAFKA_PASSWORD}' }), own)
    expect(environment).toMatchObject({ CONSUMER_SERVER: 'b:9092', LCCLF_MODEL: 'mine' })
    expect(environment['PRODUCER_TOPIC']).toBeUndefined()
    expect(notes).toEqual([
      'CONSUMER_SERVER of the environment is not read: F decides',
      'PRODUCER_TOPIC of the environment is not read: F decides',
    ])
  })

  it('names keys that it does not know, and passes over those without meaning here', () => {
    const { notes } = read({
      ...params({ 'linger.ms': 5n, 'isolation.level': 'read_uncommitted' }),
      ...{ WHATEVER: { DEEP: 1n }, PYROSCOPE_SERVER: 'x', enabled: true, PSQL_CONFIG: { HOST: 'h' } },
      ...{ FEATURE_FLAGS: { PROMETHEUS: false, USE_PROFILING: true, OTHER: 1n } },
    })
    expect(notes).toEqual([
      'FEATURE_FLAGS.USE_PROFILING is not used',
      expect.stringContaining('PSQL_CONFIG is no output'),
      'WHATEVER is not known, and not used',
      'CONSUMER_CONFIG.PARAMS.isolation.level is not known, and not used',
      'FEATURE_FLAGS.OTHER is not known, and not used',
    ])
  })

  it('says what it does not follow', () => {
    const { notes } = read(params({ 'auto.offset.reset': 'latest', 'enable.partition.eof': true }))
    expect(notes).toEqual([
      expect.stringContaining('auto.offset.reset is not followed: a group without offsets starts at the earliest'),
      expect.stringContaining('--until-caught-up'),
    ])
  })

  it('takes an empty text for a setting that is not there, as the survey’s charts have them', () => {
    expect(read(params({ 'group.id': '', 'sasl.username': '', 'security.protocol': null })).notes).toEqual([])
    expect(read(null).environment).toEqual({})
  })

  it.each<[string, unknown, string]>([
    ['topics and a strategy', consumer(daily({})), 'CONSUMER_CONFIG.TOPIC_STRATEGY: there are TOPICS too'],
    [
      'a topic and a strategy',
      producer({ TOPIC: 't', ...daily({}) }),
      'PRODUCER_CONFIG.TOPIC_STRATEGY: there is a TOPIC',
    ],
    ['two topics of results', producer({ TOPIC: ['a', 'b'] }), 'PRODUCER_CONFIG.TOPIC: an output has one topic'],
    ['another strategy', producer(daily({}, 'a.HourlyStrategy')), 'HourlyStrategy is not DailyTopicStrategy'],
    ['a strategy without a format', producer(daily({ topic_format: '' })), 'topic_format: is missing'],
    [
      'commands by the day',
      { SCRIBE_PRODUCER_CONFIG: daily({}) },
      'SCRIBE_PRODUCER_CONFIG.TOPIC_STRATEGY: commands go',
    ],
    ['topics as a text', consumer({ TOPICS: 'f' }), 'CONSUMER_CONFIG.TOPICS: expected a list of texts'],
    ['topics of numbers', consumer({ TOPICS: [1n] }), 'CONSUMER_CONFIG.TOPICS: expected a list of texts'],
    ['a number of messages in words', consumer({ 'consume.messages': 'many' }), 'consume.messages: expected a number'],
    [
      'a password that is a fraction',
      params({ 'sasl.password': 1.5 }),
      'sasl.password: expected a text; put it in quotes',
    ],
    ['a section that is a list', { CONSUMER_CONFIG: [1n] }, 'CONSUMER_CONFIG: expected keys with values'],
    ['a flag in other words', { FEATURE_FLAGS: { PROMETHEUS: 'maybe' } }, 'PROMETHEUS: expected true or false'],
    ['SASL without a mechanism', params({ 'security.protocol': 'SASL_SSL' }), 'PARAMS.sasl.mechanism: is missing'],
    ['offsets', consumer({ offsets: { start: 0n } }), 'CONSUMER_CONFIG.offsets: a stream begins where its group is'],
    ['no commits', { COMMIT: false }, 'COMMIT: a stream commits what is done'],
    [
      'two versions',
      { MODEL_VERSION: '1', MODEL_CONFIG: { VERSION: '2' } },
      'MODEL_CONFIG.VERSION: differs from MODEL_VERSION',
    ],
    [
      'an unset variable',
      params({ 'sasl.password': '${NOWHERE}' }),
      'PARAMS.sasl.password: the variable NOWHERE is not set',
    ],
    ['a variable without a name', { X: ['${}'] }, 'F: X[0]: a ${ without a variable'],
    ['a list', [1n], 'F: expected keys with values'],
  ])('refuses %s', (_, content, sentence) => {
    expect(() => read(content)).toThrow(UsageError)
    expect(() => read(content)).toThrow(sentence)
  })
})
