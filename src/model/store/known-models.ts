// models/known.json: the models that can be pulled by name, and what is to be known of them.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { messageOf, UsageError } from '../../errors.ts'
import { isPlainName } from './model-store.ts'
import { redactedText } from '../../formats/shown-text.ts'

/** A model somebody publishes as pickles. */
export interface KnownModel {
  readonly name: string
  readonly version: string
  /** the folder of its files, with a slash at its end */
  readonly url: string
  readonly files: readonly string[]
  /** file → sha256, where somebody has written them down */
  readonly sha256: Readonly<Record<string, string>>
  readonly note: string
}

/** All of them, and the one that is meant when none is named. */
export interface KnownModels {
  readonly models: readonly KnownModel[]
  readonly byDefault: KnownModel | undefined
}

const shipped = fileURLToPath(new URL('../../../models/known.json', import.meta.url))

/**
 * Reads the list that comes with this package, or another.
 *
 * @throws UsageError for a list that is none
 */
export function readKnownModels(path: string = shipped): KnownModels {
  try {
    const { models: entries, default: byDefault } = JSON.parse(readFileSync(path, 'utf8')) as KnownFile
    const models = entries.map((entry) => readEntry(entry))
    return { models, byDefault: models.find(({ name, version }) => `${name}@${version}` === byDefault) }
  } catch (cause) {
    throw new UsageError(`${path}: is no list of known models (${messageOf(cause)})`, { cause })
  }
}

interface KnownFile {
  readonly models: readonly Partial<KnownModel>[]
  readonly default?: string
}

function readEntry({ name = '', version = '', url = '', files = [], sha256 = {}, note = '' }: Partial<KnownModel>) {
  if (![name, version, ...files].every(isPlainName)) throw new Error(`a name that is none: ${name}@${version}`)
  if (!url.endsWith('/')) throw new Error(`${redactedText(url)} does not end with a slash`)
  return { name, version, url, files, sha256, note }
}
