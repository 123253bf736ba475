// lcclf-index.json: which models lie below an address. `model push` writes it and `model pull` reads it.
import { messageOf, ModelError } from '../../errors.ts'
import { byVersion, isPlainName } from './model-store.ts'

/** The file's name, directly below the address. */
export const indexFile = 'lcclf-index.json'

/** One model below the address, in the folder NAME/VERSION/. */
export interface IndexEntry {
  readonly name: string
  readonly version: string
  /** of its manifest.json */
  readonly sha256: string
  /** bytes of all its files */
  readonly size: number
}

/**
 * Reads an index. Where a model lies follows from its name and version, so an index cannot point elsewhere.
 *
 * @throws ModelError naming what is not as it should be
 */
export function parseIndex(text: string, where: string): IndexEntry[] {
  let value: { schemaVersion?: unknown; models?: unknown } | null
  try {
    value = JSON.parse(text) as typeof value
  } catch (cause) {
    throw new ModelError(`${where}: is no index of models (${messageOf(cause)})`, { cause })
  }
  if (value?.schemaVersion !== 1 || !Array.isArray(value.models)) {
    throw new ModelError(`${where}: is no index of models that this version of lcclf knows`)
  }
  return value.models.map((entry: Partial<Record<keyof IndexEntry, unknown>> | null) => {
    const { name, version, sha256, size } = entry ?? {}
    const isEntry =
      typeof name === 'string' &&
      typeof version === 'string' &&
      isPlainName(name) &&
      isPlainName(version) &&
      typeof sha256 === 'string' &&
      /^[0-9a-f]{64}$/.test(sha256) &&
      typeof size === 'number'
    if (!isEntry) throw new ModelError(`${where}: has an entry that is not as it should be: ${JSON.stringify(entry)}`)
    return { name, version, sha256, size }
  })
}

/** The index with a model added, or in place of the one of its name and version. */
export function withEntry(entries: readonly IndexEntry[], added: IndexEntry): IndexEntry[] {
  const others = entries.filter(({ name, version }) => name !== added.name || version !== added.version)
  return [...others, added].sort((a, b) =>
    a.name === b.name ? byVersion(a.version, b.version) : a.name < b.name ? -1 : 1,
  )
}

/** The text of an index, the same for the same models. */
export function indexText(models: readonly IndexEntry[]): string {
  return `${JSON.stringify({ schemaVersion: 1, models }, null, 2)}\n`
}
