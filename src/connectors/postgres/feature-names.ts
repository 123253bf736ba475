// Names that a feature table stores and the model's features.
import type { ReadOptions } from '../../pipeline/source.ts'
import { furtherNames } from '../columns/settle-names.ts'

const shownNames = 40

/** Under which names an input may have the model's features, each with its place: a renamed one under its old name only. */
export function featurePlaces(
  naming: Pick<ReadOptions, 'features' | 'rename' | 'renameMap'>,
): ReadonlyMap<string, number> {
  const { features, rename } = naming
  const oldName = new Map([...rename].map(([from, to]) => [to, from]))
  const places = new Map<string, number>()
  features.forEach((feature, place) => {
    const name = oldName.get(feature) ?? (rename.has(feature) ? undefined : feature)
    if (name !== undefined) places.set(name, place)
  })
  for (const [name, place] of furtherNames(naming)) if (!places.has(name)) places.set(name, place)
  return places
}

/** What is said of names that were found and that the model does not use. */
export function unusedNotes(unused: ReadonlySet<string>): readonly string[] {
  if (unused.size === 0) return []
  const names = [...unused].sort()
  const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : ''
  return [`the table has features that the model does not use: ${names.slice(0, shownNames).join(', ')}${more}`]
}
