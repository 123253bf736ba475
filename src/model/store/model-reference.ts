// REF → the folder of a bundle (design: cli.md, "Commands"), and where models and what can be made again are kept.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ModelError } from '../../errors.ts'
import { checkPin, readPin } from './model-pin.ts'
import { type ModelStore, openStore, type StoredModel, timeStored } from './model-store.ts'
import { redactedText } from '../../formats/shown-text.ts'

/** The folder of the sample model that comes with this package. */
export const sampleModel = fileURLToPath(new URL('../../../samples/model', import.meta.url))

/** The store: `$LCCLF_HOME/models`, else in the XDG data folder. */
export function modelStore(): ModelStore {
  const { LCCLF_HOME: home, XDG_DATA_HOME: data } = process.env
  if (home) return openStore(join(home, 'models'))
  return openStore(join(data || join(homedir(), '.local', 'share'), 'lcclf', 'models'))
}

/** Where what can be made again is kept: `$LCCLF_HOME/cache`, else the XDG cache folder. */
export function cacheFolder(): string {
  const { LCCLF_HOME: home, XDG_CACHE_HOME: cache } = process.env
  if (home) return join(home, 'cache')
  return join(cache || join(homedir(), '.cache'), 'lcclf')
}

/** Where downloads are kept until they are whole. */
export function downloadFolder(): string {
  return join(cacheFolder(), 'downloads')
}

/** The folder of one model in the store. */
export function storedModel(name: string, version: string): string {
  return modelStore().place(name, version)
}

/**
 * Finds the bundle that is to answer. A folder that holds a `manifest.json` wins over a name; a name alone means its
 * highest version.
 *
 * @throws ModelError naming what is in the store, or where `lcclf.lock` of the work folder pins another model
 */
export function findModel(reference: string): string {
  const folder = findBundle(reference)
  checkPin(process.cwd(), folder)
  return folder
}

/** As findModel, to look at a bundle only: a pin says nothing against that. */
export function findBundle(reference: string): string {
  if (existsSync(join(reference, 'manifest.json'))) return reference
  const found = findStored(reference)
  if (found && existsSync(join(found.folder, 'manifest.json'))) return found.folder
  if (found) {
    throw new ModelError(
      `${found.name}@${found.version} in the store is damaged: ${found.folder} has no manifest.json`,
      {
        hint: 'Pull it again, or take it away with lcclf model remove and import it again.',
      },
    )
  }
  throw new ModelError(`model ${redactedText(reference)}: not found`, { hint: whatIsThere() })
}

/** A model of the store by `name@version` or `name`; it may be damaged. */
export function findStored(reference: string): StoredModel | undefined {
  const [name, version] = splitReference(reference)
  return modelStore().find(name, version)
}

/** `name@version` → both; `name` → the name alone. */
export function splitReference(reference: string): [name: string, version: string | undefined] {
  const at = reference.lastIndexOf('@')
  return at > 0 ? [reference.slice(0, at), reference.slice(at + 1)] : [reference, undefined]
}

/**
 * The reference that holds where none is typed: what `lcclf.lock` of the work folder pins.
 *
 * @throws ModelError for a pin that cannot be read
 */
export function pinnedReference(): string | undefined {
  const pin = readPin(process.cwd())
  return pin && `${pin.name}@${pin.version}`
}

/** The model that was put into the store last; undefined for an empty store. */
export function newestStored(): StoredModel | undefined {
  return modelStore()
    .list()
    .sort((a, b) => timeStored(b) - timeStored(a))[0]
}

/** A sentence with everything that is in the store. */
export function whatIsThere(): string {
  const store = modelStore()
  const known = store.list().map(({ name, version }) => `${name}@${version}`)
  const content =
    known.length > 0 ? `The model store holds ${known.join(', ')}.` : `The model store ${store.root} is empty.`
  return `${content}\nA model is a bundle's folder (one with a manifest.json), name@version, or name; lcclf model import makes one from pickles, lcclf model pull downloads one.`
}
