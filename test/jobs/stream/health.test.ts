import { afterEach, describe, expect, it, vi } from 'vitest'
import type { KafkaStream } from '../../../src/connectors/kafka/kafka-source.ts'
import { createHealth } from '../../../src/jobs/stream/health.ts'

const source = (unreachableMs: number) => ({ status: () => ({ unreachableMs }) }) as unknown as KafkaStream

describe('the health of a stream', () => {
  afterEach(() => vi.useRealTimers())

  it('is not ready before everything is open, nor when it ends, and says why', () => {
    const health = createHealth()
    expect(health.unreadiness()).toBe('starting')
    health.step('verifying the model')
    expect(health.unreadiness()).toBe('verifying the model')
    health.step(undefined)
    expect(health.unreadiness()).toBeUndefined()
    health.step('ending')
    expect(health.unreadiness()).toBe('ending')
    expect(health.illness()).toBeUndefined()
  })

  it('is not ready while the brokers are away for more than a moment', () => {
    const health = createHealth()
    health.step(undefined)
    health.watch(source(5000))
    expect(health.unreadiness()).toBeUndefined()
    health.watch(source(20_000))
    expect(health.unreadiness()).toContain('20 s')
  })

  it('is not ready while an output takes nothing, ill when that does not end, and neither in a quiet stream', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const health = createHealth()
    health.step(undefined)
    vi.advanceTimersByTime(3_600_000)
    expect(health.unreadiness()).toBeUndefined()
    health.onReceived!()
    vi.advanceTimersByTime(59_000)
    expect(health.unreadiness()).toBeUndefined()
    vi.advanceTimersByTime(2000)
    expect(health.unreadiness()).toContain('61 s')
    expect(health.illness()).toBeUndefined()
    vi.advanceTimersByTime(900_000)
    expect(health.illness()).toContain('waiting')
    health.onCommitted!({} as never, 0)
    expect(health.illness()).toBeUndefined()
    vi.advanceTimersByTime(3_600_000)
    expect(health.unreadiness()).toBeUndefined()
  })
})
