import { describe, expect, it } from 'vitest'
import { clock } from '../../../src/jobs/stream/stream-batches.ts'
import { metricsMessage } from '../../../src/jobs/stream/metrics-topic.ts'

const alerts = [
  { oid: 'ZTF18aaa', candid: 1000000123456789010n },
  { oid: 'ZTF18aab', candid: null },
]

describe('the metrics message', () => {
  it('has the fields of the original in their order, lists for a batch', () => {
    const text = metricsMessage({
      receivedAt: 1_602_852_438_123.456,
      sentAt: 1_602_852_440_056.268,
      alerts,
      messageCount: 3,
      isSingle: false,
    })
    expect(JSON.parse(text)).toEqual({
      timestamp_received: '2020-10-16T12:47:18.123456+00:00',
      timestamp_sent: '2020-10-16T12:47:20.056268+00:00',
      execution_time: 1.932812,
      candid: ['1000000123456789010', null],
      oid: ['ZTF18aaa', 'ZTF18aab'],
      n_messages: 3,
      source: 'LateClassifier',
    })
    expect(Object.keys(JSON.parse(text) as object)).toEqual([
      'timestamp_received',
      'timestamp_sent',
      'execution_time',
      'candid',
      'oid',
      'n_messages',
      'source',
    ])
  })

  it('has scalars for one message at a time, and no fraction of a full second', () => {
    const unit = { receivedAt: 1_602_852_438_000, sentAt: 1_602_852_438_000.001, messageCount: 1, isSingle: true }
    expect(JSON.parse(metricsMessage({ ...unit, alerts: alerts.slice(0, 1) }))).toMatchObject({
      timestamp_received: '2020-10-16T12:47:18+00:00',
      timestamp_sent: '2020-10-16T12:47:18.000001+00:00',
      candid: '1000000123456789010',
      oid: 'ZTF18aaa',
    })
    expect(JSON.parse(metricsMessage({ ...unit, alerts: [] }))).toMatchObject({ candid: null, oid: null })
  })

  it('is timed by a clock of microseconds', () => {
    expect(Math.abs(clock() - Date.now())).toBeLessThan(10_000)
  })
})
