// Two lists of models: models/known.json, which can be pulled by name, and lcclf-index.json, which lie below an address.
import { fileURLToPath } from 'node:url'
import { ModelError, UsageError } from '../../errors.ts'
import { type JsonChecker, jsonChecker } from '../../formats/checked-json.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { isPlainName } from '../bundle/manifest.ts'
import { byVersion } from './model-store.ts'

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
  const failure = (what: string, cause?: unknown): UsageError =>
    new UsageError(`${path}: not a valid list of known models (${what})`, {
      cause,
      hint: 'LCCLF_KNOWN_MODELS names another list than the one of this package: correct it, or leave it out.',
    })
  const check = jsonChecker(failure)
  const list = check.record(check.file(path), 'list')
  const models = check.list(list['models'], 'models').map((entry) => readKnownModel(check, entry))
  return { models, byDefault: models.find(({ name, version }) => `${name}@${version}` === list['default']) }
}

function readMd5(check: JsonChecker, value: unknown, file: string): string {
  const sum = check.text(value, `md5 of ${file}`)
  if (!/^[0-9a-f]{32}$/.test(sum)) throw check.error(`md5 of ${file}`)
  return sum
}

function readKnownModel(check: JsonChecker, value: unknown): KnownModel {
  const entry = check.record(value, 'entry')
  const textOf = (key: 'name' | 'version' | 'url' | 'note'): string => check.text(entry[key] ?? '', key)
  const [name, version, url, note] = [textOf('name'), textOf('version'), textOf('url'), textOf('note')]
  const files = check.list(entry['files'] ?? [], 'files').map((file) => check.text(file, 'name of a file'))
  if (![name, version, ...files].every(isPlainName)) throw check.error(`name: ${JSON.stringify(`${name}@${version}`)}`)
  if (!url.endsWith('/')) throw check.error(`url: ${redactedText(url)} does not end with a slash`)
  const sums = Object.entries(check.record(entry['sha256'] ?? {}, 'sha256'))
  const sha256 = Object.fromEntries(sums.map(([file, sum]) => [file, check.sha256(sum, `sha256 of ${file}`)]))
  const md5Sums = Object.entries(check.record(entry['md5'] ?? {}, 'md5'))
  const md5 = Object.fromEntries(md5Sums.map(([file, sum]) => [file, readMd5(check, sum, file)]))
  const sizes = Object.entries(check.record(entry['size'] ?? {}, 'size'))
  const size = Object.fromEntries(sizes.map(([file, bytes]) => [file, check.count(bytes, `size of ${file}`)]))
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
  const check = jsonChecker((what, cause) => new ModelError(`${where}: not an index of models (${what})`, { cause }))
  const index = check.record(check.json(text), 'index')
  if (index['schemaVersion'] !== 1) {
    throw new ModelError(`${where}: not an index of models that this version of lcclf can read`)
  }
  return check.list(index['models'], 'models').map((value) => {
    const entry = check.record(value, 'entry')
    const [name, version] = [check.text(entry['name'], 'name'), check.text(entry['version'], 'version')]
    if (!isPlainName(name) || !isPlainName(version)) throw check.error(`entry: ${JSON.stringify(entry)}`)
    const about = `of ${name}@${version}`
    return {
      ...{ name, version },
      sha256: check.sha256(entry['sha256'], `sha256 ${about}`),
      size: check.count(entry['size'], `size ${about}`),
    }
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
