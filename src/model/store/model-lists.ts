// Two lists of models: models/known.json, which can be pulled by name, and lcclf-index.json, which lie below an address.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { messageOf, ModelError, UsageError } from '../../errors.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { byVersion, isPlainName } from './model-store.ts'

/** A model somebody publishes as pickles. */
export interface KnownModel {
  readonly name: string
  readonly version: string
  /** the folder of its files, with a slash at its end */
  readonly url: string
  readonly files: readonly string[]
  /** file → sha256, where somebody has written them down */
  readonly sha256: Readonly<Record<string, string>>
  /** the same of what else is known of a file */
  readonly md5: Readonly<Record<string, string>>
  readonly size: Readonly<Record<string, number>>
  readonly note: string
}

const shipped = fileURLToPath(new URL('../../../models/known.json', import.meta.url))

/**
 * Reads the list that comes with this package, or another.
 *
 * @returns all of them, and the one that is meant when none is named
 * @throws UsageError for an invalid list
 */
export function readKnownModels(path: string = shipped) {
  try {
    const { models: entries, default: byDefault } = JSON.parse(readFileSync(path, 'utf8')) as {
      models: readonly Partial<KnownModel>[]
      default?: string
    }
    const models = entries.map(readKnownModel)
    return { models, byDefault: models.find(({ name, version }) => `${name}@${version}` === byDefault) }
  } catch (cause) {
    throw new UsageError(`${path}: not a valid list of known models (${messageOf(cause)})`, { cause })
  }
}

function readKnownModel(entry: Partial<KnownModel>): KnownModel {
  const { name = '', version = '', url = '', files = [], sha256 = {}, md5 = {}, size = {}, note = '' } = entry
  if (![name, version, ...files].every(isPlainName)) throw new Error(`an invalid name: ${name}@${version}`)
  if (!url.endsWith('/')) throw new Error(`${redactedText(url)} does not end with a slash`)
  return { name, version, url, files, sha256, md5, size, note }
}

/** The name of the index, directly below the address. `model push` writes it and `model pull` reads it. */
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
 * @throws ModelError naming what is wrong
 */
export function parseIndex(text: string, where: string): IndexEntry[] {
  let value: { schemaVersion?: unknown; models?: unknown } | null
  try {
    value = JSON.parse(text) as typeof value
  } catch (cause) {
    throw new ModelError(`${where}: not an index of models (${messageOf(cause)})`, { cause })
  }
  if (value?.schemaVersion !== 1 || !Array.isArray(value.models)) {
    throw new ModelError(`${where}: not an index of models that this version of lcclf can read`)
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
    if (!isEntry) throw new ModelError(`${where}: has an invalid entry: ${JSON.stringify(entry)}`)
    return { name, version, sha256, size }
  })
}

/** The text of an index with a model added, or in place of the one of its name and version. */
export function indexWith(entries: readonly IndexEntry[], added: IndexEntry): string {
  const others = entries.filter(({ name, version }) => name !== added.name || version !== added.version)
  const models = [...others, added].sort((a, b) =>
    a.name === b.name ? byVersion(a.version, b.version) : a.name < b.name ? -1 : 1,
  )
  return `${JSON.stringify({ schemaVersion: 1, models }, null, 2)}\n`
}
