import { describe, expect, it } from 'vitest'
import { alercePreprocessing, preprocess } from '../../src/pipeline/preprocess.ts'

const ready = (value: number) => preprocess(value, alercePreprocessing)

describe('preprocess', () => {
  it('replaces missing values and both infinities by −999', () => {
    expect([NaN, Infinity, -Infinity].map(ready)).toEqual([-999, -999, -999])
  })

  it('replaces what is strictly above 1e32 by 0, tested on float64', () => {
    expect(ready(1e32)).toBe(Math.fround(1e32))
    expect(ready(1.0000000000000002e32)).toBe(0)
    expect(ready(1e39)).toBe(0)
    expect(ready(Number.MAX_VALUE)).toBe(0)
  })

  it('leaves large negative numbers, to the point where float32 ends', () => {
    expect(ready(-1e33)).toBe(Math.fround(-1e33))
    expect(ready(-3.4028235677973362e38)).toBe(-3.4028234663852886e38)
    expect(ready(-3.4028235677973366e38)).toBe(-Infinity)
  })

  it('rounds to float32 and keeps the sign of zero', () => {
    expect(ready(0.1)).toBe(Math.fround(0.1))
    expect(Object.is(ready(-0), -0)).toBe(true)
  })
})
