// REF → the folder of a bundle (design: cli.md, "Commands"), the pin of a work folder, and where models and caches are kept.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, ModelError, systemCode, whyUnreadable } from '../../errors.ts'
import { jsonChecker } from '../../formats/checked-json.ts'
import { redacted, redactedText } from '../../formats/shown-text.ts'
import { writeWholeFile } from '../../whole-file.ts'
import { isPlainName, parseManifest } from '../bundle/manifest.ts'
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
  /** in words, for people */
  readonly chosenBy: string
  /** nobody asked for a model: the sample answers */
  readonly isDemonstration: boolean
}

/**
 * The one place that decides which model a run uses: the one that is named, else the one that `lcclf.lock` pins.
 *
 * @param named a REF: `--model`, else `LCCLF_MODEL`
 * @param otherwise what a run may use where there is neither: `theSample`, or `theNewest` where others rely on the results
 * @param folder where the bundle is, if `named` is an archive or an address
 * @throws ModelError as findModel, and for a pin that cannot be read
 */
export function chooseModel<T>(named: string | undefined, otherwise: () => T, folder = named): ChosenModel | T {
  const chosen = (reference: string, chosenBy: string): ChosenModel => {
    return { directory: findModel(reference), chosenBy, isDemonstration: false }
  }
  if (named && folder && folder !== named) return chosen(folder, `${flagOf(named)}, unpacked from ${redacted(named)}`)
  if (named) return chosen(named, reasonOf(named))
  const pin = readPin()
  return pin ? chosen(`${pin.name}@${pin.version}`, `pinned by ${pinFile}`) : otherwise()
}

/** Why a model is used that somebody named. */
function reasonOf(named: string): string {
  const by = flagOf(named)
  const [name, version] = splitReference(named)
  const isAlone = version !== undefined || existsSync(join(named, 'manifest.json'))
  const versions = isAlone
    ? []
    : modelStore()
        .list()
        .filter((model) => model.name === name)
  return versions.length > 1 ? `${by}, the highest version of ${name} in the store` : by
}

function flagOf(named: string): string {
  return named === process.env['LCCLF_MODEL'] ? 'LCCLF_MODEL' : '--model'
}

/** For demonstrations only. */
export function theSample(): ChosenModel {
  const chosenBy = 'the sample model of this package: a demonstration, not a classification; --model names another'
  return { directory: sampleModel, chosenBy, isDemonstration: true }
}

/** Of the name that was put into the store last, the highest version; undefined for an empty store. */
export function theNewest(): ChosenModel | undefined {
  const newest = modelStore().newest()
  return newest && { directory: newest.folder, chosenBy: 'the newest of the store', isDemonstration: false }
}

/** The one line of every run that says who answers, and why. */
export function modelLine({ name, version }: { name: string; version: string }, { chosenBy }: ChosenModel): string {
  return `model: ${name} ${version} (${chosenBy})`
}

/**
 * What a report adds to results of the sample model; nothing to those of another.
 *
 * @param classifierVersions as results name them: NAME_VERSION
 */
export function demonstrationNote(...classifierVersions: readonly string[]): string {
  const path = join(sampleModel, 'manifest.json')
  const { name, version } = parseManifest(readFileSync(path, 'utf8'), path)
  const isSample = classifierVersions.includes(`${name}_${version}`)
  return isSample ? ' This is a demonstration with the sample model, not a classification.' : ''
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
  const sha256 = createHash('sha256').update(readManifestBytes(folder)).digest('hex')
  if (sha256 !== pin.sha256) throw refusedByPin(pin, `${folder} (sha256 ${sha256})`)
  return folder
}

function readManifestBytes(folder: string): Buffer {
  const path = join(folder, 'manifest.json')
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new ModelError(`${path}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
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

/** The error for a reference to nothing that can be used: says what is there; its hint names everything in the store. */
export function modelNotFound(reference: string): ModelError {
  const shown = redactedText(reference)
  const found = foundInPlaceOf(reference)
  if (found?.isModel === true) {
    const words = /^[\w./@+-]+$/.test(shown) ? shown : `'${shown}'`
    return new ModelError(`model ${shown}: ${found.what}, and must be imported first`, {
      hint: `Make a bundle of it: lcclf model import ${words} --name NAME --version VERSION --out bundle/. Then --model bundle/ uses it.`,
    })
  }
  const store = modelStore()
  const known = listOf(store.list())
  const content = known === '' ? `The model store ${store.root} is empty.` : `The model store holds ${known}.`
  const there = found === undefined ? '' : `; ${found.what}`
  return new ModelError(`model ${shown}: not found${there}`, {
    hint: `${content}\nA model is a bundle's folder (one with a manifest.json), its .tar.gz, an address, name@version, or name; lcclf model import makes one from pickles, lcclf model pull downloads one.`,
  })
}

/** What stands where a reference leads, if it leads anywhere or looks like a path; `isModel`: a model that is no bundle yet. */
function foundInPlaceOf(reference: string): { readonly what: string; readonly isModel: boolean } | undefined {
  const path = resolve(reference)
  const status = statSync(path, { throwIfNoEntry: false })
  if (!status && /\.(tar\.gz|tgz)$/.test(reference)) return { what: 'there is no such file', isModel: false }
  if (!status) return /[\\/]/.test(reference) ? { what: 'there is no such folder', isModel: false } : undefined
  if (!status.isDirectory()) {
    const kind = /\.(pkl|pickle|onnx|joblib|sav)$/i.exec(path)?.[1]?.toLowerCase()
    if (kind === undefined) return { what: 'it is a file, not the folder or the .tar.gz of a bundle', isModel: false }
    return { what: `the file is ${kind === 'onnx' ? 'an ONNX graph' : 'a pickle'}`, isModel: true }
  }
  try {
    const isPickle = (name: string): boolean => /\.(pkl|pickle|joblib|sav)$/i.test(name)
    if (readdirSync(path).some(isPickle)) return { what: 'the folder holds pickles', isModel: true }
  } catch (cause) {
    return { what: `the folder cannot be read (${whyUnreadable(cause)})`, isModel: false }
  }
  return { what: 'the folder has no manifest.json, so it is no bundle', isModel: false }
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
  const failure = (what: string, cause?: unknown): ModelError =>
    new ModelError(`${path}: cannot be read (${what})`, {
      cause,
      hint: 'lcclf model lock REF writes it again; without the file any model may be used here.',
    })
  const check = jsonChecker(failure)
  const pin = check.record(check.file(path), 'pin')
  if (pin['schemaVersion'] !== 1) throw check.error('schemaVersion')
  const [name, version] = [check.text(pin['name'], 'name'), check.text(pin['version'], 'version')]
  if (!isPlainName(name) || !isPlainName(version)) throw check.error('name or version')
  const address = pin['address'] ?? null
  return {
    ...{ schemaVersion: 1, name, version },
    sha256: check.sha256(pin['sha256'], 'sha256'),
    address: address === null ? null : check.text(address, 'address'),
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
