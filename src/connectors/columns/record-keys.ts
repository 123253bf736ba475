// Under which keys a record has what is needed, renames undone.
import type { ReadOptions } from '../../pipeline/source.ts'

/** The keys of the needed values; undefined where a rename took the name away and gave it to no other. */
export interface RecordKeys {
  readonly oid: string | undefined
  readonly candid: string | undefined
  /** one a feature, in the model's order */
  readonly features: readonly (string | undefined)[]
}

/** See RecordKeys. A key OLD is read as NEW; a key that already was NEW is shadowed. */
export function recordKeys({
  idColumn,
  candidColumn,
  features,
  rename,
}: Pick<ReadOptions, 'idColumn' | 'candidColumn' | 'features' | 'rename'>): RecordKeys {
  const old = new Map([...rename].map(([from, to]) => [to, from]))
  const keyOf = (name: string): string | undefined => old.get(name) ?? (rename.has(name) ? undefined : name)
  return { oid: keyOf(idColumn), candid: keyOf(candidColumn), features: features.map(keyOf) }
}
