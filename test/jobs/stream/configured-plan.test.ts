// A file of settings from its bytes to the plan.
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { planConfigured } from '../../../src/jobs/stream/configured-plan.ts'
import { describeStream, groupOf, planStream } from '../../../src/jobs/stream/plan.ts'
import { UsageError } from '../../../src/errors.ts'
import { lcclf } from '../../support/lcclf.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/config/', import.meta.url))
const production = join(fixtures, 'production.yaml')
/** the survey's schemas, where its image has /schemas */
const schemas = fileURLToPath(new URL('../../fixtures/kafka/', import.meta.url))
const today = (name: string) => join(schemas, 'today', name)
const work = temporaryFolder()
const typed = {
  threads: 0,
  delivery: 'at-least-once',
  untilCaughtUp: false,
  commit: true,
  missingObject: 'wait',
  watchQuality: false,
} as const
const variables = {
  ...{ KAFKA_SERVER: 'kafka:9092', KAFKA_USERNAME: 'me', KAFKA_PASSWORD: 'hush-1' },
  ...{ MODEL_PATH: 'bundle', SCHEMAS: schemas },
}
const plan = (config: string, environment: Record<string, string> = variables) =>
  planConfigured({ ...typed, config }, environment)

function written(text: string | Uint8Array): string {
  const file = join(work, 'config.yaml')
  writeFileSync(file, text)
  return file
}

const minimal = 'CONSUMER_CONFIG:\n  TOPICS: [f]\n  PARAMS: {bootstrap.servers: b, group.id: g}\n'
const output = (more: string) => `${minimal}PRODUCER_CONFIG:\n  TOPIC: t\n  PARAMS: {bootstrap.servers: b}\n${more}`

describe('a file of the survey’s settings', () => {
  it('means the same as the environment of those settings', async () => {
    const { source, outputs, ...more } = await plan(production)
    const { source: same, outputs: sameOutputs } = planStream(typed, {
      ...{ CONSUMER_CLASS: 'KafkaSchemalessConsumer', CONSUMER_SCHEMA_PATH: `${schemas}/feature_step/output.avsc` },
      ...{ CONSUMER_SERVER: 'kafka:9092', CONSUMER_TOPICS: 'features,^features_late_.*' },
      ...{ CONSUMER_GROUP_ID: 'lc_classifier_ztf', CONSUME_MESSAGES: '100' },
      ...{ PRODUCER_CLASS: 'KafkaSchemalessProducer', PRODUCER_SERVER: 'public-1:9093,public-2:9093' },
      ...{
        PRODUCER_TOPIC_FORMAT: 'lc_classifier_ztf_%s',
        PRODUCER_CHANGE_HOUR: '23',
        PRODUCER_SSL_CA: '/etc/ssl/survey.pem',
      },
      ...{ PRODUCER_KAFKA_USERNAME: 'me', PRODUCER_KAFKA_PASSWORD: 'hush-1', PRODUCER_SECURITY_PROTOCOL: 'SASL_SSL' },
      ...{ PRODUCER_SASL_MECHANISM: 'SCRAM-SHA-512', SCRIBE_SERVER: 'kafka:9092', SCRIBE_TOPIC: 'w_object' },
      ...{ SCRIBE_KAFKA_USERNAME: 'me', SCRIBE_KAFKA_PASSWORD: 'hush-1', SCRIBE_PARSER_CLASS: 'TopBottomScribeParser' },
      SCRIBE_SSL_CA: '/etc/ssl/survey.pem',
    })
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown
    expect(plain(source)).toEqual(plain(same))
    expect(plain(outputs)).toEqual(plain(sameOutputs))
    expect(outputs).toMatchObject([
      { topic: 'lc_classifier_ztf_%s', outputSchema: 'alerce-2025', framing: 'schemaless' },
      { topic: 'w_object', as: 'scribe-top-bottom', connection: { sasl: { username: 'me' }, tls: {} } },
    ])
    expect(more).toMatchObject({ batchSize: 100, minDetections: 6, metricsPort: 8000 })
    expect(more.stepModel).toEqual({ path: 'bundle', name: 'lc_classifier_BHRF_forced_phot', version: '2.1.0' })
    expect(groupOf({ source })).toBe('lc_classifier_ztf')
  })

  it('loses to what is typed', async () => {
    const flags = { ...typed, config: production, batchSize: 7, batchTimeout: 2, metricsPort: 9, model: 'mine' }
    const { outputs, ...more } = await planConfigured(
      { ...flags, to: ['kafka://d/x'], outputSchema: 'legal' },
      variables,
    )
    expect(outputs).toMatchObject([{ topic: 'x', outputSchema: 'legal' }])
    expect(more).toMatchObject({ batchSize: 7, metricsPort: 9, model: 'mine', stepModel: { path: undefined } })
    expect(more.source.reading.batchWaitMs).toBe(2000)
  })

  it('is named by CONFIG_FROM_YAML too, and by the flag before it', async () => {
    const named = { ...variables, CONFIG_FROM_YAML: production }
    expect((await planConfigured(typed, named)).settingsFrom).toBe(production)
    await expect(planConfigured(typed, { CONFIG_FROM_YAML: 'yes' })).rejects.toThrow('/config/config.yaml: cannot be')
    await expect(planConfigured(typed, { CONFIG_FROM_YAML: 'no' })).rejects.toThrow('expected yes')
    expect(
      (await planConfigured({ ...typed, config: production }, { ...named, CONFIG_FROM_YAML: 'no' })).batchSize,
    ).toBe(100)
  })

  it('shows all that it comes to, and no secret in any form', async () => {
    const shown = describeStream(await plan(production))
    expect(shown).toContain('SCRAM-SHA-512 as me')
    expect(shown).toContain('commands, scribe-top-bottom')
    expect(shown).toContain('alerce-2025 schema, schemaless, a topic a day, %Y%m%d from 23:00 UTC')
    expect(shown).toContain('note     SCRIBE_PRODUCER_CONFIG.PARAMS.queue.size is not known, and not used')
    const { code, stdout, stderr } = await lcclf(['stream', '--config', production, '--no-watch', '--dry-run'], {
      env: variables,
    })
    expect([code, stderr, stdout]).toEqual([0, '', shown])
    for (const secret of ['hush', Buffer.from('hush-1').toString('base64')]) expect(stdout).not.toContain(secret)
  })

  it.each<[string, string | Uint8Array, string]>([
    ['a key twice', 'A: hush-2\nA: hush-2\n', 'line 2: the key is there twice'],
    ['what is no YAML', 'A: "hush-2\\q"\n', 'line 1: bad dq escape'],
    ['a tag of Python’s', 'A: !!python/object/apply:os.system [hush-2]\n', 'line 1: a tag that is not known'],
    ['an unquoted variable in a list', 'A: [${hush-2}]\n', 'put ${NAME} inside [ ] or { } in quotes'],
    ['an unknown alias', 'A: *hush-2\n', 'an alias is unknown, or repeats too much'],
    ['a bomb of aliases', bomb(), 'an alias is unknown, or repeats too much'],
    ['a tower of lists', '['.repeat(60_000), 'nested too deeply'],
    ['bytes that are no UTF-8', Uint8Array.from([65, 58, 32, 0xff, 0xfe]), 'is not UTF-8 text'],
    ['five megabytes', '#'.repeat(5_000_000), 'is larger than 64 kB'],
    ['a list', '- hush-2\n', 'expected keys with values'],
    ['an unset variable', 'A: "hush-2${NOWHERE}"\n', 'A: the variable NOWHERE is not set'],
  ])('is refused with %s, by line and without a value', async (_, text, sentence) => {
    const error: unknown = await plan(written(text)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UsageError)
    const { message, hint } = error as UsageError
    expect(message).toContain(sentence)
    expect(message).toContain(join(work, 'config.yaml'))
    expect(`${message}${hint}`).not.toContain('hush')
  })

  it.each<[string, string, string]>([
    ['no output', minimal, 'no output'],
    [
      'no topic of commands',
      output('SCRIBE_PRODUCER_CONFIG: {PARAMS: {bootstrap.servers: b}}'),
      'SCRIBE_PRODUCER_CONFIG.TOPIC is not',
    ],
    [
      'bare data without a schema',
      `${output('')}`.replace('TOPICS', 'CLASS: a.KafkaSchemalessConsumer\n  TOPICS'),
      'CONSUMER_CONFIG.CLASS KafkaSchemalessConsumer needs CONSUMER_CONFIG.SCHEMA_PATH',
    ],
    [
      'a consumer of files',
      output('').replace('TOPICS', 'CLASS: apf.consumers.CSVConsumer\n  TOPICS'),
      'CONSUMER_CONFIG.CLASS CSVConsumer',
    ],
    ['a producer of files', output('  CLASS: apf.producers.CSVProducer'), 'PRODUCER_CONFIG.CLASS CSVProducer'],
    [
      'a transformer',
      output('MODEL_CONFIG: {CLASS: alerce_classifiers.balto.model.BaltoClassifier}'),
      'MODEL_CONFIG.CLASS BaltoClassifier is a transformer',
    ],
    ['a model nobody knows', output('MODEL_CONFIG: {CLASS: a.b.Other}'), 'MODEL_CONFIG.CLASS Other is not known'],
    ['messages of ELAsTiCC', output('STEP_PARSER_CLASS: a.ElasticcParser'), 'STEP_PARSER_CLASS ElasticcParser'],
    [
      'commands about scores',
      output(
        'SCRIBE_PRODUCER_CONFIG: {TOPIC: w, PARAMS: {bootstrap.servers: b}}\nSCRIBE_PARSER_CLASS: a.ScoreScribeParser',
      ),
      'SCRIBE_PARSER_CLASS ScoreScribeParser',
    ],
    [
      'a schema that is not written',
      output(`  SCHEMA_PATH: ${today('scribe_step-scribe.avsc')}`),
      'does not write messages of this schema',
    ],
    [
      'a schema that is not there',
      output('  SCHEMA_PATH: /nowhere/own.avsc'),
      'PRODUCER_CONFIG.SCHEMA_PATH /nowhere/own.avsc: cannot be read',
    ],
    [
      'a command of another schema',
      output(
        `SCRIBE_PRODUCER_CONFIG: {TOPIC: w, SCHEMA_PATH: ${today('lc_classification_step-output_ztf.avsc')}, PARAMS: {bootstrap.servers: b}}`,
      ),
      'not the schema of commands',
    ],
    ['half a detection', output('MIN_DETECTIONS: 1.5'), 'MIN_DETECTIONS 1.5: expected a whole number'],
    [
      'another survey',
      output('MODEL_CONFIG: {SID: 1}\nSCRIBE_PRODUCER_CONFIG: {TOPIC: w, PARAMS: {bootstrap.servers: b}}'),
      'MODEL_CONFIG.SID 1',
    ],
    [
      'a mechanism of Kerberos',
      output('').replace(
        '{bootstrap.servers: b}',
        '{bootstrap.servers: b, security.protocol: SASL_SSL, sasl.mechanism: GSSAPI, sasl.username: u}',
      ),
      'GSSAPI',
    ],
  ])('that contradicts itself is refused: %s', async (_, text, sentence) => {
    await expect(plan(written(text))).rejects.toThrow(UsageError)
    await expect(plan(written(text))).rejects.toThrow(sentence)
  })

  it('writes the schema that its file has, in the framing of its class', async () => {
    copyFileSync(today('lc_classification_step-output_ztf.avsc'), join(work, 'own.avsc'))
    const of = async (more: string) => {
      const [{ outputSchema, framing }] = (await plan(written(output(more)))).outputs as never as [
        Record<string, string>,
      ]
      return [outputSchema, framing]
    }
    expect(await of(`  SCHEMA_PATH: ${join(work, 'own.avsc')}`)).toEqual(['alerce-2025', undefined])
    expect(await of('  CLASS: apf.producers.KafkaSchemalessProducer')).toEqual(['alerce-2025', 'schemaless'])
    expect(await of(`  SCHEMA_PATH: /schemas/lc_classification_step/output_ztf.avsc`)).toEqual([
      'alerce-2025',
      undefined,
    ])
  })

  it('that is 2026’s has a command for each row, and no parser', async () => {
    const text = `${minimal}SCRIBE_PRODUCER_CONFIG: {TOPIC: w, PARAMS: {bootstrap.servers: b}}\nPRODUCER_CONFIG: {}\nMETRICS_CONFIG: {}\nPSQL_CONFIG: {HOST: h, PASSWORD: hush-3}\n`
    const { outputs, notes, metrics } = await plan(written(text), { DB_HOST: 'h' })
    expect(outputs).toMatchObject([{ kind: 'postgres' }, { kind: 'kafka', as: 'scribe-multisurvey' }])
    expect(notes).toEqual([expect.stringContaining('PSQL_CONFIG is no output')])
    expect(metrics).toBeUndefined()
  })

  it('keeps a schema from messages that have their own', async () => {
    const text = output('').replace('TOPICS', 'CLASS: apf.consumers.KafkaConsumer\n  SCHEMA_PATH: x.avsc\n  TOPICS')
    const { notes, source } = await plan(written(text), {})
    expect(source.schemas ?? []).toEqual([])
    expect(notes).toEqual([expect.stringContaining('CONSUMER_CONFIG.SCHEMA_PATH is not used')])
  })
})

function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, i) => {
    const items = i === 0 ? Array(9).fill('hush-2') : Array(9).fill(`*a${i - 1}`)
    return `a${i}: &a${i} [${items.join(', ')}]`
  })
  return levels.join('\n')
}
