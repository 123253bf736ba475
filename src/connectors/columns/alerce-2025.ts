// How else the features of the survey's model of 2025 are written: by its database, its library, its records, and in 2020.

/** OLD → NEW; several OLD may lead to one NEW. */
export type RenameMap = ReadonlyMap<string, string>

// Names as the library has them, without their band (the step makes - and / to _ and adds _1, _2 or _12).

const ofEachBand =
  'Amplitude AndersonDarling Autocor_length Beyond1Std Con Eta_e ExcessVar GP_DRW_sigma GP_DRW_tau Gskew Harmonics_chi ' +
  'Harmonics_mag_1 Harmonics_mag_2 Harmonics_mag_3 Harmonics_mag_4 Harmonics_mag_5 Harmonics_mag_6 Harmonics_mag_7 ' +
  'Harmonics_mse Harmonics_phase_2 Harmonics_phase_3 Harmonics_phase_4 Harmonics_phase_5 Harmonics_phase_6 ' +
  'Harmonics_phase_7 IAR_phi LinearTrend MHPS_PN_flag MHPS_high_30 MHPS_high MHPS_low_365 MHPS_low MHPS_non_zero ' +
  'MHPS_ratio_365_30 MHPS_ratio MaxSlope Mean Meanvariance MedianAbsDev MedianBRP PairSlopeTrend PercentAmplitude ' +
  'Period_band Psi_CS Psi_eta Pvar Q31 Rcs SF_ML_amplitude SF_ML_gamma SPM_A SPM_beta SPM_chi SPM_gamma SPM_t0 ' +
  'SPM_tau_fall SPM_tau_rise Skew SmallKurtosis Std StetsonK TDE_decay_chi TDE_decay dbrightness_first_det_band ' +
  'dbrightness_forced_phot_band delta_period fleet_a fleet_chi fleet_w last_brightness_before_band ' +
  'max_brightness_after_band max_brightness_before_band median_brightness_after_band median_brightness_before_band ' +
  'n_forced_phot_band_after n_forced_phot_band_before positive_fraction ulens_chi ulens_fs ulens_tE ulens_u0'
const ofBothBands =
  'Multiband_period PPE Power_rate_1/2 Power_rate_1/3 Power_rate_1/4 Power_rate_2 Power_rate_3 Power_rate_4 ' +
  'color_variation g-r_max_corr g-r_max g-r_mean_corr g-r_mean mean_chinr mean_distnr mean_sharpnr sigma_distnr'
const ofNoBand =
  'Coordinate_x Coordinate_y Coordinate_z Timespan W1-W2 W2-W3 W3-W4 distpsnr1 g-W1 g-W2 g-W3 g-W4 ps_g-r ps_i-z ps_r-i ' +
  'r-W1 r-W2 r-W3 r-W4 sgscore1'

/** The likeliest first: of several columns that may be one feature, that one is read. */
export const alerce2025: RenameMap = new Map([
  ...spelled(ofEachBand, '_1', ['_1', '_g']),
  ...spelled(ofEachBand, '_2', ['_2', '_r']),
  ...spelled(ofBothBands, '_12', ['_12', '_g,r', '']),
  ...spelled(ofNoBand, '', ['', '_nan', '_0', '_12']),
])

/**
 * @param ending of the model's names
 * @param endings that others have in its place
 */
function spelled(names: string, ending: string, endings: readonly string[]): [string, string][] {
  return names.split(' ').flatMap((name) => {
    const plain = name.replace(/[-/]/g, '_')
    const spellings = [...new Set([name, plain, name.replace(/-/g, '_'), name.replace(/\//g, '_')])]
    const known = `${plain}${ending}`
    return endings
      .flatMap((other) => spellings.map((spelling): [string, string] => [`${spelling}${other}`, known]))
      .filter(([old]) => old !== known)
  })
}
