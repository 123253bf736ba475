import { describe, expect, it } from 'vitest'
import { DataError } from '../../../src/errors.ts'
import { type ColumnNaming, matchColumns, nearestNames } from '../../../src/connectors/columns/match-columns.ts'

const naming = (changes: Partial<ColumnNaming> = {}): ColumnNaming => ({
  features: ['Amplitude_1', 'Power_rate_1/2', 'gal_b'],
  idColumn: 'oid',
  candidColumn: 'candid',
  rename: new Map(),
  ...changes,
})

function refusal(names: readonly string[], changes: Partial<ColumnNaming> = {}): DataError {
  try {
    matchColumns(names, naming(changes), 'night.parquet')
  } catch (error) {
    if (error instanceof DataError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

function messageOf(names: readonly string[], changes: Partial<ColumnNaming> = {}): string {
  return refusal(names, changes).message
}

describe('matching columns', () => {
  it('goes by exact names, whatever their order and what else there is', () => {
    const names = ['gal_b', 'amplitude_1', 'Power_rate_1/2', 'candid', 'x', 'Amplitude_1', 'oid']
    expect(matchColumns(names, naming(), 'x')).toEqual({ oid: 6, candid: 3, features: [5, 2, 0] })
  })

  it('does without candids, unless their column was named', () => {
    const names = ['oid', 'Amplitude_1', 'Power_rate_1/2', 'gal_b']
    expect(matchColumns(names, naming(), 'x').candid).toBeUndefined()
    expect(messageOf(names, { candidColumn: 'alert' })).toBe('night.parquet lacks a column the model needs: alert')
  })

  it('names all that is missing, with what comes near', () => {
    expect(messageOf(['oid', 'amplitude_1', 'Power_rate_1_2', 'mean'])).toBe(
      'night.parquet lacks 3 columns the model needs: Amplitude_1 (nearest: amplitude_1), Power_rate_1/2 (nearest: Power_rate_1_2), gal_b',
    )
    expect(messageOf(['OID', 'Amplitude_1', 'Power_rate_1/2', 'gal_b'])).toBe(
      'night.parquet lacks a column the model needs: oid (nearest: OID)',
    )
  })

  it('knows the names of other years, and which flags read them', () => {
    const features = ['g-r_max', 'Period_fit', 'gal_b']
    const found = refusal(['oid', 'g_r_max_12', 'PPE', 'galb'], { features })
    expect(found.message).toMatch(/: g-r_max \(nearest: g_r_max_12\), Period_fit, gal_b \(nearest: galb\)$/)
    expect(found.hint).toContain('--rename-map alerce-2024 reads 1 of the 3 features; --rename OLD=NEW')
    expect(found.hint).toContain('lcclf check')
    expect(refusal(['oid', 'galb'], { features: ['gal_b'] }).hint).toBe('--rename OLD=NEW reads column OLD as NEW.')
    const ids = refusal(['oid', 'gal_b'], { features: ['gal_b'], candidColumn: 'alert' })
    expect(ids.hint).toMatch(/^--candid-column names/)
  })

  it('does not offer a column that is needed itself', () => {
    expect(messageOf(['oid', 'gal_l'], { features: ['gal_l', 'gal_b'] })).toMatch(/gal_b$/)
    expect(messageOf(['oid', 'gal_l'], { features: ['gal_b'] })).toMatch(/gal_b \(nearest: gal_l\)$/)
  })

  it('lets a renamed column shadow another, swap with it, and leave its own name', () => {
    const names = ['oid', 'a', 'b', 'c']
    const features = ['a', 'c']
    const rename = new Map([['b', 'a']])
    expect(matchColumns(names, naming({ features, rename }), 'x').features).toEqual([2, 3])
    const swapped = new Map([
      ['a', 'c'],
      ['c', 'a'],
    ])
    expect(matchColumns(names, naming({ features, rename: swapped }), 'x').features).toEqual([3, 1])
    expect(messageOf(names, { features, rename: new Map([['a', 'z']]) })).toMatch(/needs: a \(nearest|needs: a$/)
  })

  it('refuses a needed column that is there twice, and no other', () => {
    const features = ['a']
    expect(messageOf(['oid', 'a', 'a'], { features })).toBe('night.parquet has the column a 2 times')
    expect(matchColumns(['oid', 'a', 'z', 'z'], naming({ features }), 'x').features).toEqual([1])
  })

  it('shows names on one line, without what a terminal would obey', () => {
    expect(messageOf(['oid', 'a\u001b[31m\nb'], { features: ['a\u001b[31m\nB'] })).toBe(
      String.raw`night.parquet lacks a column the model needs: a\u001b[31m\u000aB (nearest: a\u001b[31m\u000ab)`,
    )
  })
})

describe('near names', () => {
  it('are those that differ by case, separators or a letter, best first, at most two', () => {
    const names = ['Power_rate_1_2', 'power-rate-1/2', 'Power_rate_1/3', 'Power_rate_2', 'period', 'W1_W2', 'w1 w2']
    expect(nearestNames('Power_rate_1/2', names)).toEqual(['Power_rate_1_2', 'power-rate-1/2'])
    expect(nearestNames('W1-W2', names)).toEqual(['W1_W2', 'w1 w2'])
    expect(nearestNames('Periods', names)).toEqual(['period'])
    expect(nearestNames('rb', names)).toEqual([])
  })
})
