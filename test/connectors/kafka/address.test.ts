import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/errors.ts'
import {
  type Environment,
  kafkaAddressOf,
  type KafkaRole,
  outputTopic,
  parseKafkaAddress,
  withoutPassword,
} from '../../../src/connectors/kafka/address.ts'

const parse = (address: string, environment: Environment = {}, role: KafkaRole = 'consumer') =>
  parseKafkaAddress(address, role, environment)

describe('a Kafka address', () => {
  it('names brokers, topics, a group and a registry', () => {
    expect(
      parse('kafka://one,two:9093,[::1]:9094/features, alerts?group=late&registry=http://r:8081/&patience=2.5'),
    ).toMatchObject({
      connection: { brokers: ['one:9092', 'two:9093', '[::1]:9094'], patienceMs: 2500 },
      topics: ['features', 'alerts'],
      group: 'late',
      registry: { url: 'http://r:8081' },
      sessionTimeoutMs: 15_000,
    })
  })

  it('keeps patterns and daily names', () => {
    expect(parse('kafka://h/^ztf_%5B0-9%5D+,lc_%s').topics).toEqual(['^ztf_[0-9]+', 'lc_%s'])
  })

  it('takes from the environment what it does not say', () => {
    const environment = { CONSUMER_TOPICS: ' a , b,', CONSUMER_GROUP_ID: 'g', PRODUCER_TOPIC: 'out' }
    expect(parse('kafka://h', environment)).toMatchObject({ topics: ['a', 'b'], group: 'g' })
    expect(parse('kafka://h/c?group=x', environment)).toMatchObject({ topics: ['c'], group: 'x' })
    expect(parse('kafka://h', environment, 'producer')).toMatchObject({ topics: ['out'], group: undefined })
  })

  it('names files of the schema of its values, each with its own parameter, or the environment does', () => {
    const environment = { CONSUMER_SCHEMA_PATH: ' /s/types.avsc , /s/output.avsc,' }
    expect(parse('kafka://h/t?schema=a.avsc&group=g&schema=b%26,c.avsc', environment).schemas).toEqual([
      'a.avsc',
      'b&,c.avsc',
    ])
    expect(parse('kafka://h/t', environment).schemas).toEqual(['/s/types.avsc', '/s/output.avsc'])
    expect(parse('kafka://h/t', environment, 'producer').schemas).toEqual([])
    expect(parse('kafka://h/t').schemas).toEqual([])
  })

  it.each([
    ['kafka:/h/t', /expected kafka:/],
    ['kafka://h/t?schema=', /schema= names no file/],
    ['kafka:///t', /no broker/],
    ['kafka://h:x/t', /not host:port/],
    ['kafka://h:99999/t', /not host:port/],
    ['kafka://h/t?grup=x', /unknown parameter grup/],
    ['kafka://h/t?registry=ftp://x', /http/],
    ['kafka://h/t?security=TLS', /TLS is not PLAINTEXT/],
    ['kafka://h/t?security=SASL_SSL', /needs a user name/],
    ['kafka://u:p@h/t?mechanism=GSSAPI', /GSSAPI is not PLAIN/],
    ['kafka://h/t?patience=0', /expected seconds/],
    ['kafka://h/t?change_hour=25', /expected an hour/],
  ])('is refused when it is %s', (address, message) => {
    expect(() => parse(address)).toThrow(UsageError)
    expect(() => parse(address)).toThrow(message)
  })

  it('is shown without its password, wherever there is one', () => {
    const address = parse('kafka://user:sec%40ret@h/t?registry=http://ru:rsecret@r:8081', {
      KAFKA_SASL_PASSWORD: 'other',
    })
    expect(address.shown).toBe('kafka://user:***@h/t?registry=http://ru:***@r:8081')
    expect(JSON.stringify(address)).not.toMatch(/sec|other/)
    expect(address.connection.sasl?.password()).toBe('sec@ret')
    expect(address.registry?.password?.()).toBe('rsecret')
    expect(withoutPassword('kafka://u:p:w@h/t')).toBe('kafka://u:***@h/t')
    for (const broken of ['kafka://u:secret@h:x/t', 'kafka://u:secret@h/t?nope=1', 'kafka://u:secret@/t']) {
      expect(() => parse(broken)).toThrow(expect.not.stringContaining('secret') as Error)
      try {
        parse(broken)
      } catch (error) {
        expect(String(error)).not.toContain('secret')
      }
    }
  })
})

describe('a password as it comes from a generator', () => {
  const said = (address: string, role: KafkaRole = 'consumer'): string => {
    try {
      return JSON.stringify(parse(address, {}, role))
    } catch (error) {
      const { hint, stack } = error as UsageError
      expect(error).toBeInstanceOf(UsageError)
      return `${stack} ${hint} ${inspect(error)}`
    }
  }

  it.each([
    'kafka://user:p/SECRET@h/t',
    'kafka://user:p?SECRET@h/t',
    'kafka://user:p#SECRET@h/t',
    'kafka://user:SECRET/p@h/t',
    'kafka://user:1/SECRET@h/t',
    'kafka://user:1?SECRET@h/t',
    'kafka://user:1?SECRET=x@h/t',
    'kafka://user:1?a&SECRET&b@h/t',
    'kafka://user:x@SECRET@h/t',
    'kafka://user:x&SECRET@h/t?group=g',
    'kafka://user:x/y@SECRET/z@h/t?registry=http://r:8081',
    'kafka:/user:SECRET@h/t',
    'kafka://h:9092/t?registry=http://u:p/SECRET@r',
    'kafka://h:9092/t?registry=http://u:1/SECRET@r',
    'kafka://h:9092/t?registry=http://u:1?SECRET@r',
    'kafka://h:9092/t?registry=http://u:1#SECRET@r',
    'kafka://h:9092/t?registry=http://u:p&SECRET&x@r&group=g',
    'kafka://h:9092/t?registry=http%3A%2F%2Fu%3Ap%2FSECRET%40r',
    'kafka://h:9092/t?registry=u:SECRET@r',
  ])('is not shown of %s', (address) => {
    expect(said(address)).not.toContain('SECRET')
    expect(withoutPassword(address)).not.toContain('SECRET')
  })

  it('is said to want %-escapes', () => {
    for (const address of ['kafka://u:p/w@h/t', 'kafka://u:1/w@h/t', 'kafka://u:p?w@h/t', 'kafka://u:p#w@h/t'])
      expect(said(address)).toContain('%2F')
    expect(said('kafka://h/t?registry=http://u:p/w@r')).toContain('SCHEMA_REGISTRY_PASSWORD')
  })

  it('is whole with colons and at signs in it', () => {
    const passwordOf = (address: string) => parse(address).connection.sasl?.password()
    expect(passwordOf('kafka://u:a:b@h/t')).toBe('a:b')
    expect(passwordOf('kafka://u:a@b@h/t')).toBe('a@b')
    expect(parse('kafka://h/t?registry=http://u:50%25off@r').registry?.password?.()).toBe('50%off')
  })

  it('is all that is hidden', () => {
    expect(parse('kafka://h:9092,i:9093/t?group=a@b&registry=http://ru:rs@r:8081&patience=3').shown).toBe(
      'kafka://h:9092,i:9093/t?group=a@b&registry=http://ru:***@r:8081&patience=3',
    )
    expect(parse('kafka://user@h:9092/t', { KAFKA_SASL_PASSWORD: 'p' }).shown).toBe('kafka://user@h:9092/t')
  })
})

describe('credentials', () => {
  const security = (environment: Environment, role: KafkaRole = 'producer', address = 'kafka://h/t') => {
    const { sasl, tls } = parse(address, environment, role).connection
    return { user: sasl && `${sasl.username}:${sasl.password()}`, mechanism: sasl?.mechanism, tls }
  }

  it('have the defaults of the version of the original that had their names', () => {
    expect(security({ PRODUCER_SASL_USERNAME: 'u', PRODUCER_SASL_PASSWORD: 'p' })).toEqual({
      user: 'u:p',
      mechanism: 'SCRAM-SHA-256',
      tls: undefined,
    })
    expect(security({ CONSUMER_KAFKA_USERNAME: 'u', CONSUMER_KAFKA_PASSWORD: 'p' }, 'consumer')).toEqual({
      user: 'u:p',
      mechanism: 'SCRAM-SHA-512',
      tls: {},
    })
    const producer = { PRODUCER_KAFKA_USERNAME: 'u', PRODUCER_KAFKA_PASSWORD: 'p' }
    expect(security(producer)).toEqual({ user: 'u:p', mechanism: 'SCRAM-SHA-256', tls: undefined })
    expect(
      security({
        ...producer,
        ...{ PRODUCER_SECURITY_PROTOCOL: 'SASL_SSL', PRODUCER_SASL_MECHANISM: 'SCRAM-SHA-512' },
      }),
    ).toEqual({ user: 'u:p', mechanism: 'SCRAM-SHA-512', tls: {} })
    expect(security({ METRICS_KAFKA_USERNAME: 'u', METRICS_KAFKA_PASSWORD: 'p' }, 'metrics')).toMatchObject({
      mechanism: 'SCRAM-SHA-512',
      tls: {},
    })
  })

  it('are those of the role before the general ones', () => {
    const general = { KAFKA_SASL_USERNAME: 'all', KAFKA_SASL_PASSWORD: 'a', KAFKA_SASL_MECHANISM: 'PLAIN' }
    expect(security(general)).toEqual({ user: 'all:a', mechanism: 'PLAIN', tls: undefined })
    expect(
      security({
        ...general,
        PRODUCER_SASL_USERNAME: 'u',
        PRODUCER_SASL_PASSWORD: 'p',
        PRODUCER_SASL_MECHANISM: 'scram-sha-512',
      }),
    ).toEqual({ user: 'u:p', mechanism: 'SCRAM-SHA-512', tls: undefined })
    expect(security({ ...general, CONSUMER_SASL_USERNAME: 'u' }, 'producer').user).toBe('all:a')
  })

  it('may come in the address, the password from the environment', () => {
    expect(security({}, 'producer', 'kafka://u:p%3Aw@h/t?mechanism=PLAIN').user).toBe('u:p:w')
    expect(security({ KAFKA_SASL_PASSWORD: 'p' }, 'producer', 'kafka://u@h/t').user).toBe('u:p')
    expect(
      security({ PRODUCER_SASL_USERNAME: 'other', PRODUCER_SASL_PASSWORD: 'p' }, 'producer', 'kafka://u:own@h/t').user,
    ).toBe('u:own')
  })

  it('are left out where the protocol has none', () => {
    const environment = { KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p', METRICS_SECURITY_PROTOCOL: 'PLAINTEXT' }
    expect(security(environment, 'metrics').user).toBeUndefined()
    expect(security(environment, 'producer').user).toBe('u:p')
  })

  it('go over TLS when there is a certificate authority, or the protocol says so', () => {
    expect(security({ KAFKA_SSL_CA: '/ca.pem' })).toEqual({
      user: undefined,
      mechanism: undefined,
      tls: { ca: '/ca.pem' },
    })
    expect(security({ KAFKA_SECURITY_PROTOCOL: 'SSL', KAFKA_SSL_CERT: 'c', KAFKA_SSL_KEY: 'k' }).tls).toEqual({
      ca: undefined,
      cert: 'c',
      key: 'k',
    })
    expect(security({ KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT', KAFKA_SSL_CA: '/ca.pem' }).tls).toBeUndefined()
    expect(security({ KAFKA_SASL_USERNAME: 'u', KAFKA_SSL_CA: '/ca.pem' })).toMatchObject({
      user: 'u:',
      tls: { ca: '/ca.pem' },
    })
  })
})

describe("the original's environment", () => {
  it('says where to read, to write and to measure', () => {
    const environment = {
      CONSUMER_SERVER: 'in:9092',
      CONSUMER_TOPICS: 'features',
      CONSUMER_GROUP_ID: 'late',
      PRODUCER_SERVER: 'out:9092,out2:9092',
      PRODUCER_TOPIC: 'lc',
      PRODUCER_TOPIC_FORMAT: 'lc_%s',
      PRODUCER_CHANGE_HOUR: '23',
      METRICS_HOST: 'm:9092',
      METRICS_TOPIC: 'metrics',
    }
    expect(kafkaAddressOf('consumer', environment)).toMatchObject({
      connection: { brokers: ['in:9092'] },
      topics: ['features'],
      group: 'late',
    })
    expect(kafkaAddressOf('producer', environment)).toMatchObject({
      connection: { brokers: ['out:9092', 'out2:9092'] },
      topics: ['lc_%s'],
      daily: { dateFormat: '%Y%m%d', changeHour: 23 },
    })
    expect(kafkaAddressOf('metrics', environment)).toMatchObject({ topics: ['metrics'] })
    expect(kafkaAddressOf('producer', { PRODUCER_SERVER: ' ' })).toBeUndefined()
  })

  it('of later deployments says where commands go, with an account as theirs and certificates for each connection', () => {
    const environment = {
      ...{ SCRIBE_SERVER: 's:9093', SCRIBE_TOPIC: 'w_object', SCRIBE_KAFKA_USERNAME: 'u', SCRIBE_KAFKA_PASSWORD: 'p' },
      ...{ SCRIBE_SSL_CA: 'scribe.pem', KAFKA_SSL_CA: 'all.pem', PRODUCER_TOPIC: 'other' },
    }
    const { topics, connection } = kafkaAddressOf('scribe', environment)!
    expect(topics).toEqual(['w_object'])
    expect(connection).toMatchObject({
      ...{ brokers: ['s:9093'], sasl: { mechanism: 'SCRAM-SHA-512', username: 'u' }, tls: { ca: 'scribe.pem' } },
    })
    const waiting = { CONSUMER_SERVER: 'h', CONSUMER_SESSION_TIMEOUT: '6' }
    expect(kafkaAddressOf('consumer', waiting)!.sessionTimeoutMs).toBe(6000)
    expect(() => kafkaAddressOf('consumer', { ...waiting, CONSUMER_SESSION_TIMEOUT: '-1' })).toThrow('expected seconds')
  })

  it('names one topic to write to', () => {
    expect(outputTopic(parse('kafka://h/lc', {}, 'producer'))(new Date())).toBe('lc')
    expect(outputTopic(parse('kafka://h/lc_%s', {}, 'producer'))(new Date('2024-05-01T10:00:00Z'))).toBe('lc_20240501')
    for (const wrong of ['kafka://h', 'kafka://h/a,b', 'kafka://h/^a', 'kafka://h/a b']) {
      expect(() => outputTopic(parse(wrong, {}, 'producer'))).toThrow(UsageError)
    }
  })
})
