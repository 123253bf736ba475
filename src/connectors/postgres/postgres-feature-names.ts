// Names of the feature table → features of the model. The pipeline once stored `Amplitude_1`, later `Amplitude` with fid 1.
import { furtherNames } from '../columns/settle-names.ts'
import type { ReadOptions } from '../../pipeline/source.ts'

/** Which feature a stored row is of. */
export interface FeatureNames {
  readonly features: readonly string[]
  /**
   * The place of a feature among the model's, −1 for one that the model does not use.
   *
   * @param stored the stored name, its UTF-8 bytes as latin1: it is looked up for each row
   */
  find(stored: string, fid: number): number
  /** names that were met and that the model does not use */
  notes(): readonly string[]
}

/** bands whose number the pipeline takes off the names it stores: g and r */
const bands = [1, 2]
const shownNames = 40

/** The stored name if it is a feature of the model, else `name_fid` for fid 1 or 2; a renamed one under its old name only. */
export function createFeatureNames(naming: Pick<ReadOptions, 'features' | 'rename' | 'renameMap'>): FeatureNames {
  const { features, rename } = naming
  const oldName = new Map([...rename].map(([from, to]) => [to, from]))
  const places = new Map<string, number>()
  features.forEach((feature, place) => {
    const name = oldName.get(feature) ?? (rename.has(feature) ? undefined : feature)
    if (name !== undefined) places.set(name, place)
  })
  for (const [name, place] of furtherNames(naming)) if (!places.has(name)) places.set(name, place)
  const known = new Map<string, Map<number, number>>()
  const unused = new Set<string>()

  function find(stored: string, fid: number): number {
    const place = known.get(stored)?.get(fid)
    return place ?? lookUp(stored, fid)
  }

  function lookUp(stored: string, fid: number): number {
    const name = Buffer.from(stored, 'latin1').toString('utf8')
    const place = places.get(name) ?? (bands.includes(fid) ? places.get(`${name}_${fid}`) : undefined) ?? -1
    const byFid = known.get(stored) ?? new Map<number, number>()
    known.set(stored, byFid.set(fid, place))
    if (place < 0) unused.add(bands.includes(fid) ? `${name} (fid ${fid})` : name || '(no name)')
    return place
  }

  return {
    features,
    find,
    notes() {
      if (unused.size === 0) return []
      const names = [...unused].sort()
      const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : ''
      return [`the table has features that the model does not use: ${names.slice(0, shownNames).join(', ')}${more}`]
    },
  }
}
