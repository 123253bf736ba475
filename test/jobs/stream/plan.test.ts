import { describe, expect, it } from 'vitest'
import { describeStream, groupOf, planStream } from '../../../src/jobs/stream/plan.ts'
import type { StreamFlags } from '../../../src/terminal/flags.ts'
import { UsageError } from '../../../src/errors.ts'

const typed: StreamFlags = {
  threads: 0,
  delivery: 'at-least-once',
  untilCaughtUp: false,
  commit: true,
  missingObject: 'wait',
  dryRun: false,
  watch: false,
  watchQuality: false,
  calibrated: false,
  novelty: false,
}
const from = 'kafka://broker/features?group=g'
const to = ['kafka://broker/classes']
const plan = (flags: Partial<StreamFlags>, environment: Record<string, string> = {}) =>
  planStream({ ...typed, ...flags }, environment)

const original = {
  ...{ CONSUMER_SERVER: 'a:9092,b', CONSUMER_TOPICS: 'one, two ', CONSUMER_GROUP_ID: 'late_steps' },
  ...{ PRODUCER_SERVER: 'c:9092', PRODUCER_TOPIC: 'late_classification', DB_HOST: 'db' },
  ...{ METRICS_HOST: 'm:9092', METRICS_TOPIC: 'metrics', STEP_VERSION: '1.2', LOGGING_DEBUG: 'x' },
}

describe('planStream', () => {
  it('needs nothing but the environment of the original', () => {
    const { source, outputs, metrics, isVerbose } = plan({}, original)
    expect(source.topics).toEqual(['one', 'two'])
    expect(source.connection.brokers).toEqual(['a:9092', 'b:9092'])
    expect(groupOf({ source })).toBe('late_steps')
    // the database first: whoever reads the topic may look there
    expect(outputs.map(({ kind }) => kind)).toEqual(['postgres', 'kafka'])
    expect(metrics?.topic(new Date())).toBe('metrics')
    const identity = { stepId: 'lc_classification', name: 'late classification', version: '1.2', comments: '' }
    expect(outputs[0]).toMatchObject({ step: identity })
    expect(isVerbose).toBe(true)
  })

  it('takes flags before the environment, and any --to in place of all its outputs', () => {
    const { source, outputs } = plan({ from, to: ['kafka://d/x', 'kafka://d/x'] }, original)
    expect(source.topics).toEqual(['features'])
    expect(outputs).toMatchObject([{ kind: 'kafka', topic: 'x', connection: { brokers: ['d:9092'] } }])
  })

  it('takes the format of daily topics before the fixed name', () => {
    const { outputs } = plan({ from }, { ...original, PRODUCER_TOPIC_FORMAT: 'lc_%s', PRODUCER_CHANGE_HOUR: '23' })
    expect(outputs[1]).toMatchObject({ topic: 'lc_%s', daily: { changeHour: 23 } })
  })

  it('keeps dead letters out of the topic of results', () => {
    expect(() => plan({ from, deadLetter: 'kafka://broker' }, original)).toThrow(UsageError)
    const formed = 'kafka://broker/dead?framing=schemaless'
    expect(() => plan({ from, to, deadLetter: formed })).toThrow('framing is only for results')
  })

  it('stops at bad messages, unless they have a place to go', () => {
    expect(plan({ from, to }).source.stopsAtBadMessage).toBe(true)
    const kept = plan({ from, to, deadLetter: 'dead.ndjson' })
    expect([kept.onBadMessage, kept.source.stopsAtBadMessage]).toEqual(['dead-letter', false])
    expect(plan({ from, to, onBadMessage: 'skip' }).source.stopsAtBadMessage).toBe(false)
  })

  it('takes outputs of a program’s own, after the others, and not exactly once', () => {
    const sink = () => Promise.reject(new Error('is not opened here'))
    const asked = { ...typed, from, to: [sink, ...to] }
    expect(planStream(asked, {}).outputs.map(({ kind }) => kind)).toEqual(['kafka', 'custom'])
    const exactly = { ...asked, delivery: 'exactly-once' } as const
    expect(() => planStream(exactly, {})).toThrow('cannot take back what a sink of your own has')
  })

  it('replays without being a member of a group', () => {
    const { source } = plan({ from, to, commit: false, on: '2026-11-22' })
    expect(groupOf({ source })).toBeUndefined()
    expect(source.reading).toMatchObject({ kind: 'snapshot', since: Date.UTC(2026, 10, 22), isEndless: true })
    const bounded = plan({ from, to, commit: false, since: '0', untilCaughtUp: true })
    expect(bounded.source.reading).toMatchObject({ isEndless: false })
  })

  it.each([
    ['no input', { to }],
    ['a file as input', { from: 'x.parquet', to }],
    ['no group', { from: 'kafka://broker/features', to }],
    ['no topic', { from: 'kafka://broker?group=g', to }],
    ['no output', { from }],
    ['a file as output', { from, to: ['x.parquet'] }],
    ['an output of two topics', { from, to: ['kafka://broker/a,b'] }],
    ['a window that would be committed', { from, to, since: '0' }],
    ['dead letters without a place', { from, to, onBadMessage: 'dead-letter' as const }],
    ['exactly once without a commit', { from, to, delivery: 'exactly-once' as const, commit: false }],
    ['exactly once on stdout', { from, to: ['-'], delivery: 'exactly-once' as const }],
    ['exactly once with a file', { from, to, delivery: 'exactly-once' as const, deadLetter: 'd.ndjson' }],
  ])('refuses %s', (_, flags) => {
    expect(() => plan(flags)).toThrow(UsageError)
  })

  it('shows what it decided and no password', () => {
    const environment = { ...original, CONSUMER_SASL_USERNAME: 'me', CONSUMER_SASL_PASSWORD: 'secret-1' }
    const text = describeStream(plan({ to: ['kafka://u:secret-2@c/out', 'postgres://u:secret-3@db/x'] }, environment))
    expect(text).not.toContain('secret')
    expect(text).toContain('SCRAM-SHA-256 as me')
  })
})
