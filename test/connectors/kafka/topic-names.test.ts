import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/errors.ts'
import { dailyTopic, selectTopics } from '../../../src/connectors/kafka/topics.ts'

describe('a daily topic', () => {
  const topic = dailyTopic('lc_%s_v1', { dateFormat: '%Y%m%d', changeHour: 22 })
  it.each([
    ['2024-05-01T00:00:00.000Z', 'lc_20240501_v1'],
    ['2024-05-01T21:59:59.999Z', 'lc_20240501_v1'],
    ['2024-05-01T22:00:00.000Z', 'lc_20240502_v1'],
    ['2024-05-01T23:59:59.999Z', 'lc_20240502_v1'],
    ['2024-12-31T22:00:00.000Z', 'lc_20250101_v1'],
    ['2024-02-28T23:00:00.000Z', 'lc_20240229_v1'],
  ])('is one at any time: at %s it is %s', (time, name) => {
    expect(topic(new Date(time))).toBe(name)
  })

  it.each([
    ['%Y-%m-%d', '2024-03-09'],
    ['%y%j', '24069'],
    ['%d%b%Y', '09Mar2024'],
    ['%B%%%H', 'March%05'],
  ])('writes the day as %s', (dateFormat, text) => {
    expect(dailyTopic('%s', { dateFormat, changeHour: 24 })(new Date('2024-03-09T05:00:00Z'))).toBe(text)
  })

  it('refuses codes it does not know, before the first message', () => {
    expect(() => dailyTopic('%s', { dateFormat: '%Q', changeHour: 22 })).toThrow(UsageError)
    expect(() => dailyTopic('%s', { dateFormat: '%', changeHour: 22 })).toThrow(UsageError)
  })
})

describe('topics to read', () => {
  it('are names and patterns', () => {
    const selection = selectTopics(['features', '^ztf_\\d+'])
    const all = ['features', 'features2', 'ztf_1', 'xztf_1', 'ztf_', '__consumer_offsets']
    expect(all.filter((topic) => selection.matches(topic))).toEqual(['features', 'ztf_1'])
    expect(selection).toMatchObject({ names: ['features'], hasPatterns: true })
    expect(selectTopics(['^.*']).matches('__consumer_offsets')).toBe(false)
  })

  it('are those of every day for a daily name', () => {
    const selection = selectTopics(['lc.%s'])
    expect(
      ['lc.20240501', 'lc.2024-05-01', 'lcx20240501', 'lc.', 'lc.test'].filter((topic) => selection.matches(topic)),
    ).toEqual(['lc.20240501', 'lc.2024-05-01'])
  })

  it('cannot be a broken pattern', () => {
    expect(() => selectTopics(['^('])).toThrow(UsageError)
  })
})
