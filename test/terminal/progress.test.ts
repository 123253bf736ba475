import { describe, expect, it } from 'vitest'
import { timeLeft } from '../../src/terminal/progress.ts'

describe('timeLeft', () => {
  it('says what remains in the unit that suits', () => {
    expect(timeLeft(10, 0.5)).toBe('10 s')
    expect(timeLeft(60, 0.25)).toBe('3 min 0 s')
    expect(timeLeft(3600, 0.1)).toBe('9.0 h')
  })

  it('says nothing before it can know', () => {
    expect(timeLeft(10, 0)).toBe('?')
    expect(timeLeft(10, NaN)).toBe('?')
  })
})
