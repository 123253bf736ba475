import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/errors.ts'
import {
  type AddressRole,
  isPostgresAddress,
  parsePostgresAddress,
  passwordIn,
} from '../../../src/connectors/postgres/address.ts'
import { stepFromEnvironment } from '../../../src/connectors/postgres/settings.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

type Environment = Record<string, string | undefined>

// no ~/.pgpass of whoever runs the tests
const nowhere: Environment = { PGPASSFILE: '/nonexistent/pgpass' }

function parse(address: string, env: Environment = {}, role: AddressRole = 'output') {
  return parsePostgresAddress(address, { ...nowhere, ...env }, role)
}

describe('a Postgres address', () => {
  it('says everything itself', () => {
    const { connection, address } = parse(
      'postgresql://me:secret@db.example:6543/survey?sslmode=require&statement_timeout=30s',
    )
    expect(connection).toMatchObject({
      host: 'db.example',
      port: 6543,
      user: 'me',
      database: 'survey',
      statementTimeout: 30_000,
    })
    expect(connection.ssl.mode).toBe('require')
    expect(connection.password()).toBe('secret')
    expect(address).toBe('postgres://me@db.example:6543/survey?sslmode=require')
  })

  it('of the tables of 2025 may name the survey, for results and for the tables themselves', () => {
    expect(parse('postgres://h/db?tables=multisurvey&sid=2')).toMatchObject({ tables: 'multisurvey', sid: 2 })
    expect(parse('postgres://h/db?sid=0', {}, 'tables').sid).toBe(0)
    expect(parse('postgres://h/db').sid).toBeUndefined()
    for (const sid of ['', '-1', 'ztf', '10000']) expect(() => parse(`postgres://h/db?sid=${sid}`)).toThrow(UsageError)
  })

  it('alone stands for the DB_* variables, which win over PG*', () => {
    const env = {
      DB_HOST: 'one',
      DB_USER: 'a',
      DB_NAME: 'b',
      DB_PORT: '1',
      PGHOST: 'two',
      PGUSER: 'c',
      PGDATABASE: 'd',
      PGPORT: '2',
    }
    expect(parse('postgres://', env).connection).toMatchObject({ host: 'one', user: 'a', database: 'b', port: 1 })
    const { DB_HOST, DB_USER, DB_NAME, DB_PORT, ...rest } = env
    expect([DB_HOST, DB_USER, DB_NAME, DB_PORT].length).toBe(4)
    expect(parse('postgres://', rest).connection).toMatchObject({ host: 'two', user: 'c', database: 'd', port: 2 })
  })

  it('alone, with nothing in the environment, is not an address', () => {
    expect(() => parse('postgres://')).toThrow(/neither DB_HOST nor PGHOST is set/)
  })

  it('has the defaults of libpq', () => {
    const { connection } = parse('postgres://me@somewhere')
    expect(connection).toMatchObject({
      port: 5432,
      database: 'me',
      applicationName: 'lcclf',
      statementTimeout: undefined,
    })
    expect(connection.ssl.mode).toBe('prefer')
    expect(connection.password()).toBeUndefined()
  })

  it.each([
    ['postgres', true],
    ['postgresql', true],
    ['', true],
    ['mysql', false],
  ])('takes DB_ENGINE %j: %s', (engine, isTaken) => {
    const parsing = () => parse('postgres://', { DB_HOST: 'h', DB_ENGINE: engine })
    if (isTaken) expect(parsing().connection.host).toBe('h')
    else expect(parsing).toThrow(UsageError)
    // an address that names its host does not ask the original's variables what they are for
    expect(parse('postgres://other', { DB_HOST: 'h', DB_ENGINE: engine }).connection.host).toBe('other')
  })

  it.each([
    ['postgres://u:p%40ss%3Aw%2Frd%25@h/d', 'p@ss:w/rd%'],
    ['postgres://u:p@ss:w/rd%@h/d', 'p@ss:w/rd%'],
    ['postgres://u:50%off@h:5432/d', '50%off'],
    ['postgres://u:%zz@h/d', '%zz'],
    ['postgres://u@h/d?password=a%26b', 'a&b'],
    ['postgres://u@h/d?password=a&b=c&sslmode=require', 'a&b=c'],
  ])('takes a password with @ : / %% in it: %s', (address, password) => {
    const { connection } = parse(address)
    expect(connection.password()).toBe(password)
    expect(connection).toMatchObject({ user: 'u', host: 'h', database: 'd' })
  })

  it('takes passwords in this order: address, DB_PASSWORD, PGPASSWORD, ~/.pgpass', () => {
    const env = { DB_PASSWORD: 'b', PGPASSWORD: 'c' }
    expect(parse('postgres://u:a@h/d', env).connection.password()).toBe('a')
    expect(parse('postgres://u@h/d', env).connection.password()).toBe('b')
    expect(parse('postgres://u@h/d', { ...env, DB_PASSWORD: '' }).connection.password()).toBe('c')
  })

  it('finds a socket by its folder, and an IPv6 address', () => {
    expect(parse('postgres:///d?host=/run/postgresql&user=u').connection).toMatchObject({
      host: '/run/postgresql',
      user: 'u',
    })
    expect(parse('postgres://u@[::1]:5433/d')).toMatchObject({
      address: 'postgres://u@[::1]:5433/d',
      connection: { host: '::1', port: 5433 },
    })
  })

  it('names a table, or a query as it is typed', () => {
    expect(parse('postgres://h/d', {}, 'input').reading).toMatchObject({
      kind: 'table',
      table: 'feature',
      version: undefined,
    })
    expect(parse('postgres://h/d?table=s.f&version=lc_1.2&oids=list.txt', {}, 'input').reading).toEqual({
      kind: 'table',
      table: 's.f',
      version: 'lc_1.2',
      oidsFile: 'list.txt',
    })
    const survey = parse('postgres://h/d?tables=multisurvey&sid=1&names=ztf', {}, 'input')
    expect(survey).toMatchObject({ tables: 'multisurvey', reading: { survey: { sid: 1, names: 'ztf' } } })
    expect(survey.address).toMatch(/\?tables=multisurvey&sid=1&names=ztf$/)
    expect(() => parse('postgres://h/d?sid=-1', {}, 'input')).toThrow('?sid=-1 is not a number from 0 to 9999')
    const sql = "SELECT a+b AS c, d & 1 FROM t WHERE oid LIKE 'ZTF%' AND x = '?' -- 50% & more"
    expect(parse(`postgres://h/d?query=${sql}&sslmode=disable`, {}, 'input').reading).toEqual({ kind: 'query', sql })
    expect(parse(`postgres://h/d?query=${encodeURIComponent(sql)}`, {}, 'input').reading).toEqual({
      kind: 'query',
      sql,
    })
  })

  it('is shown so that it can be typed again', () => {
    const shown = parse("postgres://u:p@h/d?query=SELECT '100%25' || a & b", {}, 'input')
    expect(parse(shown.address, {}, 'input')).toMatchObject({ reading: shown.reading, address: shown.address })
  })

  it.each([
    ['postgres://h/d?table=feature', 'output', /\?table= is for inputs/],
    ['postgres://h/d?connections=2', 'input', /\?connections= is for outputs/],
    ['postgres://h/d?tabel=feature', 'input', /unknown parameter tabel/],
    ['postgres://h/d?sslrootcert=/ca.crt&ssl_mode=verify-full', 'output', /unknown parameter ssl_mode/],
    ['postgres://h/d?application_name=a&channel_binding=require', 'output', /unknown parameter channel_binding/],
    ['postgres://h/d?connections=2&ssl=true', 'output', /unknown parameter ssl$/],
    ['postgres://h/d?table=feature&SSLMODE=require', 'input', /begins no parameter/],
    ['postgres://h/d?query=SELECT 1&version=2', 'input', /\?query= and version= cannot be combined/],
    ['postgres://h/d?query=', 'input', /is empty/],
    ['postgres://h/d?sslmode=always', 'input', /sslmode is always: expected one of disable/],
    ['postgres://h/d?statement_timeout=soon', 'input', /statement_timeout is soon/],
    ['postgres://h/d?connections=0', 'output', /connections is 0/],
    ['postgres://h:99999/d', 'input', /not a number from 1 to 65535/],
    ['mysql://h/d', 'input', /begins with postgres:/],
  ] as const)('refuses %s', (address, role, message) => {
    expect(() => parse(address, {}, role)).toThrow(UsageError)
    expect(() => parse(address, {}, role)).toThrow(message)
  })

  it('never shows a password, whatever was typed', () => {
    const alphabet = fc.constantFrom(...'aZ0@:/%?&=#[] \\"\''.split(''))
    const property = fc.property(fc.string({ unit: alphabet, maxLength: 12 }), fc.boolean(), (text, isEncoded) => {
      const password = `Xx${text}yY`
      const address = `postgres://user:${isEncoded ? encodeURIComponent(password) : password}@host:5432/base`
      let shown: string
      try {
        const parsed = parse(address)
        shown = [parsed.address, JSON.stringify(parsed), inspect(parsed, { depth: 9 }), String(parsed.connection)].join(
          '\n',
        )
        if (isEncoded) expect(parsed.connection.password()).toBe(password)
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError)
        shown = inspect({ ...(error as UsageError), message: (error as UsageError).message })
      }
      expect(shown).not.toContain('Xx')
      expect(shown).not.toContain('yY')
    })
    fc.assert(property, { numRuns: 2000 })
  })

  it('shows no piece of a password that looks like a parameter', () => {
    const shown = (): unknown => parse('postgres://u:geheim?wort=1@h/d')
    expect(shown).toThrow(UsageError)
    expect(shown).not.toThrow(/geheim|wort/)
  })

  it('is recognised by its scheme', () => {
    expect(
      ['postgres://', 'postgresql://x', 'POSTGRES://x', 'postgres:', 'kafka://x', 'a.csv'].map(isPostgresAddress),
    ).toEqual([true, true, true, false, false, false])
  })
})

describe('~/.pgpass', () => {
  let folder: string

  beforeEach(() => {
    folder = temporaryFolder()
  })

  it('is read if it is private, and ignored if others may read it', () => {
    const path = join(folder, '.pgpass')
    writeFileSync(path, '# ours\nh:5432:*:u:from:file\\\\x\n')
    const password = () => parsePostgresAddress('postgres://u@h/d', { HOME: folder }, 'output').connection.password()
    chmodSync(path, 0o600)
    expect(password()).toBe('from:file\\x')
    chmodSync(path, 0o644)
    expect(password()).toBeUndefined()
  })

  it('takes the first line that fits, with escapes and stars', () => {
    const use = { host: 'h:1', port: 5432, database: 'd', user: 'u\\x' }
    const lines = ['other:*:*:*:no', 'h\\:1:*:e:*:no', 'short:line', 'h\\:1:5432:d:u\\\\x:yes', '*:*:*:*:late']
    expect(passwordIn(lines.join('\n'), use)).toBe('yes')
    expect(passwordIn(lines.slice(0, 3).join('\n'), use)).toBeUndefined()
    expect(passwordIn('localhost:*:*:*:socket', { ...use, host: '/run/postgresql' })).toBe('socket')
  })
})

it('names the step as the original does', () => {
  expect(stepFromEnvironment({})).toEqual({
    stepId: 'lc_classification',
    name: 'late classification',
    version: 'dev',
    comments: '',
  })
  expect(stepFromEnvironment({ STEP_ID: 'a', STEP_NAME: 'b', STEP_VERSION: 'c', STEP_COMMENTS: 'd' })).toEqual({
    stepId: 'a',
    name: 'b',
    version: 'c',
    comments: 'd',
  })
})

describe('an address of stored results', () => {
  it('names a table and a version, and shows both', () => {
    const found = parsePostgresAddress('postgres://u:geheim@h/d?table=s.p&classifier_version=lc_1.0', {}, 'results')
    expect(found.results).toEqual({ table: 's.p', classifierVersion: 'lc_1.0' })
    expect(found.address).toBe('postgres://u@h:5432/d?table=s.p&classifier_version=lc_1.0')
    const numbered = parsePostgresAddress('postgres://u@h/d?classifier=lc&names=integers', {}, 'results')
    expect(numbered.results).toMatchObject({ classifier: 'lc', survey: { names: 'integers' } })
    expect(parsePostgresAddress('postgres://u@h/d', {}, 'results').results).toEqual({
      table: 'probability',
      classifierVersion: undefined,
    })
  })

  it('takes no parameters of inputs or outputs, and they none of its own', () => {
    expect(() => parsePostgresAddress('postgres://h/d?query=SELECT 1', {}, 'results')).toThrow('is for inputs')
    expect(() => parsePostgresAddress('postgres://h/d?connections=2', {}, 'results')).toThrow('is for outputs')
    expect(() => parsePostgresAddress('postgres://h/d?classifier_version=x', {}, 'input')).toThrow(
      'is for stored results',
    )
  })
})
