import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/errors.ts'
import { contentText, echoedFeatures, kafkaSinkSpec, kafkaSnapshotSpec } from '../../../src/connectors/kafka/spec.ts'
import { mayTakeMjd } from '../../../src/connectors/spec.ts'

const specOf = (parameters: string, schema: 'original' | 'alerce-2025' = 'original') =>
  kafkaSinkSpec(`kafka://h/t${parameters}`, schema, {})

describe('what an output’s address says of its messages', () => {
  it('is nothing, unless it is written', () => {
    expect(Object.keys(specOf(''))).toEqual(['kind', 'address', 'connection', 'topic', 'daily', 'outputSchema'])
  })

  it('is the framing, the kind, and the survey’s numbers', () => {
    const parameters = '?as=scribe-multisurvey&framing=schemaless&survey=lsst&sid=1&classifier_ids=a:b:7,c:0'
    expect(specOf(parameters)).toMatchObject({
      address: `kafka://h/t${parameters}`,
      framing: 'schemaless',
      as: 'scribe-multisurvey',
      numbers: {
        survey: 'lsst',
        sid: 1,
        classifierIds: new Map([
          ['a:b', 7],
          ['c', 0],
        ]),
      },
    })
  })

  it.each([
    ['?framing=bare', /framing=bare is not container, schemaless/],
    ['?as=Scribe', /as=Scribe is not messages, scribe,/],
    ['?as=', /as= is not messages/],
    ['?as=scribe&sid=0', /only for as=scribe-multisurvey/],
    ['?as=scribe-multisurvey&sid=', /sid=: expected/],
    ['?as=scribe-multisurvey&sid=32768', /sid=32768: expected/],
    ['?as=scribe-multisurvey&sid=1', /name its survey/],
    ['?as=scribe-multisurvey&survey=', /survey= names none/],
    ['?as=scribe-multisurvey&classifier_ids=', /is not NAME:ID/],
    ['?as=scribe-multisurvey&classifier_ids=a:1,b', /b is not NAME:ID/],
    ['?as=scribe-multisurvey&classifier_ids=a:1,b:1', /b:1 repeats/],
    ['?as=scribe-multisurvey&classifier_ids=a:1,a:2', /a:2 repeats/],
  ])('is refused when it is %s', (parameters, message) => {
    expect(() => specOf(parameters)).toThrow(UsageError)
    expect(() => specOf(parameters)).toThrow(message)
  })

  it('is not the schema of an input', () => {
    expect(() => specOf('?schema=own.avsc')).toThrow('kafka://h/t?schema=own.avsc: schema is only for inputs')
  })

  it('has no place in the address of an input', () => {
    const window = { window: {}, commit: false }
    expect(() => kafkaSnapshotSpec('kafka://h/t?framing=schemaless', window, {})).toThrow(/framing is only for outputs/)
  })

  it('is told in words', () => {
    expect(contentText(specOf(''))).toBe('original schema')
    expect(contentText(specOf('?framing=schemaless', 'alerce-2025'))).toBe('alerce-2025 schema, schemaless')
    expect(contentText(specOf('?as=scribe'))).toBe('commands, scribe')
  })

  it('decides what a source is asked for', () => {
    const [scribe, rows, stdout] = [specOf('?as=scribe'), specOf('?as=scribe-multisurvey'), { kind: 'stdout' }]
    expect(echoedFeatures([scribe, rows, stdout], ['own'])).toBeUndefined()
    expect(echoedFeatures([specOf('')], ['own'])).toHaveLength(178)
    expect(echoedFeatures([specOf('', 'alerce-2025'), scribe], ['own', 'rb'])).toEqual(['own', 'rb'])
    const both = echoedFeatures([specOf('', 'alerce-2025'), specOf('')], ['own', 'rb'])!
    expect([both.length, both[0]]).toEqual([179, 'own'])
    expect([specOf('?as=scribe'), specOf('?as=scribe-multisurvey')].map(mayTakeMjd)).toEqual([false, true])
  })
})
