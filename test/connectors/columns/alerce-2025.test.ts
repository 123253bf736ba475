// The rename map of the survey's model of 2025: every feature of it, and the spellings of others.
import { describe, expect, it } from 'vitest'
import { alerce2025 } from '../../../src/connectors/columns/alerce-2025.ts'
import { renameMapNamed } from '../../../src/connectors/columns/settle-names.ts'
import { readTruth } from '../../support/models-of-today.ts'

describe('the rename map alerce-2025', () => {
  it('leads to every feature of the model and to no other, and from none of them', () => {
    const { features } = readTruth('today/bhrf-2.1.0')
    expect(new Set(alerce2025.values())).toEqual(new Set(features))
    expect(features.filter((name) => alerce2025.has(name))).toEqual([])
    expect(renameMapNamed('alerce-2025')).toBe(alerce2025)
  })

  it.each([
    // the library's own, with its bands
    ['Amplitude_g', 'Amplitude_1'],
    ['MHPS_low_365_r', 'MHPS_low_365_2'],
    ['Power_rate_1/2_g,r', 'Power_rate_1_2_12'],
    ['g-r_max_g,r', 'g_r_max_12'],
    ['W1-W2_nan', 'W1_W2'],
    ['ps_g-r_nan', 'ps_g_r'],
    // the database's: its names and its bands
    ['Power_rate_1/2_12', 'Power_rate_1_2_12'],
    ['g-r_mean_corr_12', 'g_r_mean_corr_12'],
    ['W1-W2', 'W1_W2'],
    // those of 2020, and of the records since
    ['Multiband_period', 'Multiband_period_12'],
    ['Power_rate_1/4', 'Power_rate_1_4_12'],
    ['Power_rate_1_4', 'Power_rate_1_4_12'],
    ['g-W2', 'g_W2'],
    ['g_W2_12', 'g_W2'],
    ['sgscore1_12', 'sgscore1'],
  ])('reads %s as %s', (from, to) => {
    expect(alerce2025.get(from)).toBe(to)
  })

  it('does not read another feature for one that is gone', () => {
    for (const name of ['Period_fit', 'Period_fit_12', 'Amplitude', 'gal_b', 'delta_mag_fid_1']) {
      expect(alerce2025.has(name)).toBe(false)
    }
  })
})
