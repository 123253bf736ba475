// A profile as an explanation shows it beside an object's values.
import type { TrainingQuantiles } from './explanation.ts'
import { profileQuantiles, type InputProfile } from '../../model/bundle/input-profile.ts'

/** By feature; a feature without values has none. Undefined where the bundle has no profile. */
export function usualQuantiles(profile: InputProfile | undefined): ReadonlyMap<string, TrainingQuantiles> | undefined {
  if (!profile) return undefined
  const at = (quantiles: readonly number[], share: (typeof profileQuantiles)[number]): number =>
    quantiles[profileQuantiles.indexOf(share)]!
  const found = new Map<string, TrainingQuantiles>()
  for (const { name, missing, values } of profile.features) {
    if (values === null) continue
    const { quantiles } = values
    found.set(name, {
      q05: at(quantiles, 0.05),
      q25: at(quantiles, 0.25),
      q50: at(quantiles, 0.5),
      q75: at(quantiles, 0.75),
      q95: at(quantiles, 0.95),
      missing: missing / profile.rows,
    })
  }
  return found
}
