// What is read of an input once its names are known: renames of a map that hold for it, and the features it is asked for.
import type { ReadOptions } from '../../pipeline/source.ts'

/**
 * The options with which an input is read. Called by each source once, as soon as it knows its names.
 *
 * An entry OLD → NEW of the rename map holds where the input has OLD and not NEW, NEW is needed, OLD is not, and no
 * `--rename` touches either; of several OLD the first in the map.
 */
export function settleNames(options: ReadOptions, names: readonly string[]): ReadOptions {
  const { renameMap, ...others } = options
  const { onNames } = options
  const rename = renameMap ? withMap(options, renameMap, names) : options.rename
  const settled = { ...others, rename }
  return onNames ? { ...settled, features: onNames(names, rename) } : settled
}

function withMap(
  { rename, features, idColumn, candidColumn }: ReadOptions,
  map: ReadonlyMap<string, string>,
  names: readonly string[],
): ReadonlyMap<string, string> {
  const present = new Set(names)
  const needed = new Set([...features, idColumn, candidColumn])
  const taken = new Set(rename.values())
  const all = new Map(rename)
  for (const [from, to] of map) {
    if (!present.has(from) || present.has(to) || !needed.has(to) || needed.has(from)) continue
    if (rename.has(from) || rename.has(to) || taken.has(to)) continue
    taken.add(to)
    all.set(from, to)
  }
  return all
}

/**
 * Names that may stand for a feature besides its own, where an input's names are not known before its rows: by name the
 * place of the feature. A name that is needed itself, or that a rename touches, stands for nothing else.
 */
export function furtherNames({
  features,
  rename,
  renameMap,
}: Pick<ReadOptions, 'features' | 'rename' | 'renameMap'>): Map<string, number> {
  const found = new Map<string, number>()
  const targets = new Set(rename.values())
  for (const [from, to] of renameMap ?? []) {
    const place = features.indexOf(to)
    if (place === -1 || features.includes(from) || rename.has(from) || rename.has(to) || targets.has(to)) continue
    found.set(from, place)
  }
  return found
}

// Under which keys a record has what is needed, renames undone.

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
