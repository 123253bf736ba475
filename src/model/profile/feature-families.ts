// Features that come from one place and fail together, by name: one cause is one line, however many columns it empties.

/** Features with one origin. */
export interface FeatureFamily {
  /** as a person would say it: `WISE colours` */
  readonly name: string
  /** positions in the model's list of features, ascending */
  readonly features: readonly number[]
}

/** What belongs to a family: features by name, each of which may end in `*`. */
export type FamilyNames = Readonly<Record<string, readonly string[]>>

/**
 * The families of the survey's features, both generations of names; the first that fits counts. A trailing band (`_1`, `_2`,
 * `_12`) is taken off before. Names: the survey's feature lists of 2020 (152) and 2025 (199).
 */
const surveyFamilies: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['WISE colours', /^(W\d|[gr])[-_]W\d$/],
  ['Pan-STARRS', /^(ps_[griz]_[griz]|sgscore1?|distpsnr1?)$/],
  ['g-r colours', /^(g[-_]r_(max|mean)(_corr)?|color_variation)$/],
  ['periods', /^(Multiband_period|Period_fit|Period_band|delta_period|PPE|Power_rate_.*|Psi_(CS|eta))$/],
  ['harmonics', /^Harmonics_.*$/],
  ['SPM', /^SPM_.*$/],
  ['FLEET', /^fleet_.*$/],
  ['TDE decay', /^TDE_decay.*$/],
  ['microlensing', /^ulens_.*$/],
  ['MHPS', /^MHPS_.*$/],
  ['random walks', /^(GP_DRW_(sigma|tau)|IAR_phi|SF_ML_(amplitude|gamma))$/],
  ['position', /^(gal_[bl]|Coordinate_[xyz])$/],
  [
    'before and after detection',
    /^(n_non_det_.*|n_forced_phot.*|.*_diffmaglim_.*|.*_brightness_.*|dbrightness_.*|dmag_.*)$/,
  ],
  ['image quality', /^(rb|mean_(chinr|distnr|sharpnr)|sigma_distnr)$/],
  [
    'light-curve statistics',
    /^(Amplitude|AndersonDarling|Autocor_length|Beyond1Std|Con|Eta_e|ExcessVar|Gskew|LinearTrend|MaxSlope|Mean|Meanvariance|MedianAbsDev|MedianBRP|PairSlopeTrend|PercentAmplitude|Pvar|Q31|Rcs|Skew|SmallKurtosis|Std|StetsonK|delta_mag_fid|positive_fraction|Timespan)$/,
  ],
]

/**
 * Divides a model's features into families: each feature is in exactly one. A feature that no family knows is in one named for
 * what its name has without its band, so that unknown models have families too.
 *
 * @param own families of the user's, which come before the survey's
 * @returns families in the order of their first features
 */
export function familiesOf(features: readonly string[], own: FamilyNames = {}): readonly FeatureFamily[] {
  const families = new Map<string, number[]>()
  features.forEach((feature, f) => {
    const name = ownFamily(feature, own) ?? surveyFamily(feature)
    const members = families.get(name)
    if (members) members.push(f)
    else families.set(name, [f])
  })
  return [...families].map(([name, members]) => ({ name, features: members }))
}

function ownFamily(feature: string, own: FamilyNames): string | undefined {
  const fits = (wanted: string): boolean =>
    wanted.endsWith('*') ? feature.startsWith(wanted.slice(0, -1)) : feature === wanted
  return Object.entries(own).find(([, names]) => names.some(fits))?.[0]
}

function surveyFamily(feature: string): string {
  const stem = feature.replace(/_(1|2|12)$/, '')
  // SPM_t0, Power_rate_2 and sgscore1 end in a digit that is no band
  return surveyFamilies.find(([, pattern]) => pattern.test(stem) || pattern.test(feature))?.[0] ?? stem
}
