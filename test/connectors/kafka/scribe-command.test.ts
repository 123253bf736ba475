import { describe, expect, it } from 'vitest'
import { createScribeCommands } from '../../../src/connectors/kafka/scribe-command.ts'
import { kafkaSinkSpec } from '../../../src/connectors/kafka/spec.ts'
import { ModelError, UsageError } from '../../../src/errors.ts'
import type { ClassifiedBatch, Taxonomy } from '../../../src/pipeline/batch.ts'
import type { SinkContext } from '../../../src/pipeline/sink.ts'
import { delicateBatch, flatTaxonomy, taxonomy, version } from '../../support/classified-samples.ts'
import { payloadOf } from '../../support/messages-of-today.ts'

const schema = { oidType: 'string', hasCandid: true } as const
const contextOf = (levels: Taxonomy, modelVersion?: string): SinkContext => ({
  ...{ schema, taxonomy: levels, classifierVersion: version, modelVersion },
})
const specOf = (parameters: string) => kafkaSinkSpec(`kafka://h/t?framing=schemaless&${parameters}`, 'original', {})
const ids = taxonomy.levels.map(({ classifierName }, i) => `${classifierName}:${i + 1}`).join(',')

function open(parameters: string, levels = taxonomy, modelVersion = '1.0.0') {
  const commandsOf = createScribeCommands(specOf(parameters), contextOf(levels, modelVersion))
  return (batch: ClassifiedBatch, row: number): string[] => {
    const values = commandsOf(batch, row)
    if ('refusal' in values) throw new Error(values.refusal)
    return values.map(({ value }) => payloadOf(value))
  }
}

describe('a command to the scribe', () => {
  it('keeps every float64, −0 and denormals included, and any id', () => {
    const batch = delicateBatch(10, schema)
    const commandsOf = open('as=scribe-top-bottom')
    for (let row = 0; row < 10; row++) {
      const commands = commandsOf(batch, row).map((text) => JSON.parse(text) as Record<string, Record<string, unknown>>)
      const heads = ['', '_stochastic', '_periodic', '_transient', '_top'].map((suffix) => `lc_classifier${suffix}`)
      expect(commands.map(({ data }) => data!['classifier_name'])).toEqual(heads)
      for (const { criteria, data } of commands) {
        expect(criteria).toEqual({ _id: batch.oids[row] })
        const place = taxonomy.levels.findIndex(({ classifierName }) => classifierName === data!['classifier_name'])
        const { classes } = taxonomy.levels[place]!
        expect(data!['classifier_version']).toBe('1.0.0')
        classes.forEach((name, i) => expect(data![name]).toBe(batch.probabilities[place]![row * classes.length + i]))
      }
    }
  })

  it('is written as Python writes JSON: floats remain floats', () => {
    const values = [Float64Array.of(0, 1e-7, 1 / 3)]
    const batch = { ...delicateBatch(1, schema, flatTaxonomy), probabilities: values }
    const [text] = open('as=scribe', flatTaxonomy)(batch, 0)
    expect(text).toContain('"star": 0.0, "galaxy \\"far\\"": 1e-07, "a,b": 0.3333333333333333}')
  })

  it('with the tables’ numbers has the ids that are named, and an integer oid as it is', () => {
    const batch = {
      ...delicateBatch(4, { ...schema, oidType: 'int64' }),
      mjds: Float64Array.of(59000, 0.1, 6e4, 6e4),
    }
    const commandsOf = open(`as=scribe-multisurvey&survey=lsst&sid=2&classifier_ids=${ids}`)
    const [first] = commandsOf(batch, 0)
    expect(first).toMatch(
      /^\{"step": "update-probability", "survey": "lsst", "payload": \{"oid": -9223372036854775808, /,
    )
    expect(first).toContain('"sid": 2, "classifier_id": 1, "classifier_version": 100, "class_id": 0, ')
    expect(first).toMatch(/"lastmjd": 59000\.0\}\}$/)
    expect(commandsOf(batch, 1).at(-1)).toMatch(/"classifier_id": 5, .* "lastmjd": 0\.1\}\}$/)
  })

  it.each([
    ['oid is neither a ZTF name nor', 'as=scribe-multisurvey&classifier_ids=', { oids: ['SN 1987A'] }],
    ['lastmjd is missing', 'as=scribe-multisurvey&classifier_ids=', { mjds: undefined }],
    ['lastmjd is missing', 'as=scribe-multisurvey&classifier_ids=', { mjds: Float64Array.of(Infinity) }],
    ['a probability is not a number', 'as=scribe', { probabilities: [Float64Array.of(0, NaN, 1)] }],
  ] as const)('is refused where %s', (reason, parameters, lacking) => {
    const batch = { ...delicateBatch(1, schema, flatTaxonomy), oids: ['ZTF18acuemsf'], mjds: Float64Array.of(59000) }
    const full = parameters.endsWith('=') ? `${parameters}lc_classifier:3` : parameters
    expect(open(full, flatTaxonomy)(batch, 0)).not.toEqual([])
    expect(() => open(full, flatTaxonomy)({ ...batch, ...lacking }, 0)).toThrow(reason)
  })

  it('needs a model that the tables can know, and a program that names its version', () => {
    const rows = 'as=scribe-multisurvey'
    expect(() => open(rows)).toThrow(/lc_classifier has no id/)
    expect(() => open(rows)).toThrow(ModelError)
    expect(() => open(`${rows}&classifier_ids=lc_classifier:5`)).toThrow(/lc_classifier_top has no id/)
    expect(() => open(`${rows}&classifier_ids=${ids},other:9`)).toThrow(/no classifier other/)
    expect(() => open(`${rows}&classifier_ids=${ids}`, taxonomy, '2026')).toThrow(ModelError)
    const level = { ...flatTaxonomy.levels[0]!, classes: ['star', 'classifier_name'] }
    expect(() => open('as=scribe', { levels: [level] })).toThrow(ModelError)
    expect(() => createScribeCommands(specOf('as=scribe'), contextOf(taxonomy))).toThrow(UsageError)
  })
})
