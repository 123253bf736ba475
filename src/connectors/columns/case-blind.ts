// Names of formats that know no case: the column TARGETID is meant where targetid is needed.
import type { ReadOptions } from '../../pipeline/source.ts'

/**
 * The names of an input as they are needed: one that differs from a needed name by case alone is written as that. A
 * needed name that is there as it stands is left alone, and so are several names that would become one.
 *
 * @param names the input's own
 */
export function inNeededCase(names: readonly string[], options: ReadOptions): string[] {
  const { features, idColumn, candidColumn, mjdColumn, rename, renameMap } = options
  const also = mjdColumn === undefined ? [] : [mjdColumn]
  const renamed = [...rename.keys(), ...(renameMap?.keys() ?? [])]
  const needed = new Set([idColumn, candidColumn, ...also, ...features, ...renamed])
  const present = new Set(names)
  const places = byFoldedName([...needed].filter((name) => !present.has(name)))
  const unclaimed = byFoldedName(names.filter((name) => !needed.has(name)))
  return names.map((name) => {
    if (needed.has(name)) return name
    const [meant, ...others] = places.get(name.toLowerCase()) ?? []
    const isAlone = others.length === 0 && unclaimed.get(name.toLowerCase())!.length === 1
    return meant !== undefined && isAlone ? meant : name
  })
}

function byFoldedName(names: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const name of names) {
    const folded = name.toLowerCase()
    found.set(folded, [...(found.get(folded) ?? []), name])
  }
  return found
}
