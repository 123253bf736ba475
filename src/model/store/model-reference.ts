// REF → the folder of a bundle (design: cli.md, "Commands"), the pin of a work folder, and where models and caches are kept.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, ModelError } from '../../errors.ts'
import { redacted, redactedText } from '../../formats/shown-text.ts'
import { writeWholeFile } from '../../whole-file.ts'
import { listOf, type ModelStore, openStore } from './model-store.ts'

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

/** The bundle that a run uses, and why it is this one. */
export interface ChosenModel {
  readonly directory: string
  readonly chosenBy: 'its name' | typeof pinFile | 'the newest of the store' | 'the sample model'
}

/**
 * The one place that decides which model a run uses: the one that is named, else the one that `lcclf.lock` pins.
 *
 * @param otherwise what a run may use where there is neither: `theSample`, or `theNewest` where others rely on the results
 * @throws ModelError as findModel, and for a pin that cannot be read
 */
export function chooseModel<T>(named: string | undefined, otherwise: () => T): ChosenModel | T {
  if (named !== undefined) return { directory: findModel(named), chosenBy: 'its name' }
  const pin = readPin()
  if (!pin) return otherwise()
  return { directory: findModel(`${pin.name}@${pin.version}`), chosenBy: pinFile }
}

/** For demonstrations only. */
export function theSample(): ChosenModel {
  return { directory: sampleModel, chosenBy: 'the sample model' }
}

/** The model that was put into the store last; undefined for an empty store. */
export function theNewest(): ChosenModel | undefined {
  const newest = modelStore().newest()
  return newest && { directory: newest.folder, chosenBy: 'the newest of the store' }
}

/**
 * Finds the bundle that a run uses. A folder that holds a `manifest.json` wins over a name; a name alone means its highest
 * version.
 *
 * @throws ModelError naming what is in the store, or where `lcclf.lock` of the work folder pins another model
 */
export function findModel(reference: string): string {
  const folder = findBundle(reference)
  const pin = readPin()
  if (!pin) return folder
  const manifest = readFileSync(join(folder, 'manifest.json'))
  const sha256 = createHash('sha256').update(manifest).digest('hex')
  if (sha256 !== pin.sha256) throw refusedByPin(pin, `${folder} (sha256 ${sha256})`)
  return folder
}

/** As findModel, only to look at a bundle: a pin does not forbid that. */
export function findBundle(reference: string): string {
  if (existsSync(join(reference, 'manifest.json'))) return reference
  const found = modelStore().find(...splitReference(reference))
  if (!found) throw modelNotFound(reference)
  const { name, version, folder } = found
  if (existsSync(join(folder, 'manifest.json'))) return folder
  throw new ModelError(`${name}@${version} in the store is damaged: ${folder} has no manifest.json`, {
    hint: 'Pull it again, or remove it with lcclf model remove and import it again.',
  })
}

/** `name@version` → both; `name` → the name alone. */
export function splitReference(reference: string): [name: string, version: string | undefined] {
  const at = reference.lastIndexOf('@')
  return at > 0 ? [reference.slice(0, at), reference.slice(at + 1)] : [reference, undefined]
}

/** The error for a reference to nothing; its hint names everything in the store. */
export function modelNotFound(reference: string): ModelError {
  const store = modelStore()
  const known = listOf(store.list())
  const content = known === '' ? `The model store ${store.root} is empty.` : `The model store holds ${known}.`
  return new ModelError(`model ${redactedText(reference)}: not found`, {
    hint: `${content}\nA model is a bundle's folder (one with a manifest.json), name@version, or name; lcclf model import makes one from pickles, lcclf model pull downloads one.`,
  })
}

// lcclf.lock in the work folder: the one model that its results come from.

export const pinFile = 'lcclf.lock'

export interface ModelPin {
  readonly schemaVersion: 1
  readonly name: string
  readonly version: string
  /** of manifest.json, which holds the checksums of all other files */
  readonly sha256: string
  /** where the model can be pulled from; null for one that was not pulled */
  readonly address: string | null
}

/**
 * The pin of the work folder; undefined where it has none.
 *
 * @throws ModelError for an invalid file: a pin that cannot be read must not be ignored
 */
export function readPin(): ModelPin | undefined {
  const path = join(process.cwd(), pinFile)
  if (!existsSync(path)) return undefined
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<Record<keyof ModelPin, unknown>> | null
    const { schemaVersion, name, version, sha256, address = null } = value ?? {}
    const isPin =
      schemaVersion === 1 &&
      typeof name === 'string' &&
      typeof version === 'string' &&
      typeof sha256 === 'string' &&
      /^[0-9a-f]{64}$/.test(sha256) &&
      (address === null || typeof address === 'string')
    if (!isPin) throw new Error('it does not say name, version and sha256')
    return { schemaVersion, name, version, sha256, address }
  } catch (cause) {
    throw new ModelError(`${path}: cannot be read (${messageOf(cause)})`, {
      cause,
      hint: 'lcclf model lock REF writes it again; without the file any model may be used here.',
    })
  }
}

export async function writePin(pin: ModelPin): Promise<string> {
  const path = join(process.cwd(), pinFile)
  await writeWholeFile(path, `${JSON.stringify(pin, null, 2)}\n`)
  return path
}

/** @param other the model that is not the pinned one, in words */
export function refusedByPin({ name, version, sha256, address }: ModelPin, other: string): ModelError {
  const path = join(process.cwd(), pinFile)
  const pull = address === null ? '' : ` lcclf model pull gets it from ${redacted(address)}.`
  return new ModelError(`${path} pins ${name}@${version} (sha256 ${sha256}), not ${other}`, {
    hint: `Use the pinned model.${pull} To change the pin: lcclf model lock REF.`,
  })
}
