// REF → the folder of a bundle (design: cli.md, "Commands").
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ModelError } from '../errors.ts'

/** The folder of the sample model that comes with this package. */
export const sampleModel = fileURLToPath(new URL('../../samples/model', import.meta.url))

/** Where models are kept: `$LCCLF_HOME/models`, else the XDG data folder. */
export function modelStore(): string {
  const { LCCLF_HOME: home, XDG_DATA_HOME: data } = process.env
  if (home) return join(home, 'models')
  return join(data || join(homedir(), '.local', 'share'), 'lcclf', 'models')
}

/** Where what can be made again is kept: `$LCCLF_HOME/cache`, else the XDG cache folder. */
export function cacheFolder(): string {
  const { LCCLF_HOME: home, XDG_CACHE_HOME: cache } = process.env
  if (home) return join(home, 'cache')
  return join(cache || join(homedir(), '.cache'), 'lcclf')
}

/** The folder of one model in the store. */
export function storedModel(name: string, version: string): string {
  return join(modelStore(), name, version)
}

/**
 * Finds a bundle. A folder that holds a `manifest.json` wins over a name; a name alone means its highest version.
 *
 * @throws ModelError naming what is in the store
 */
export function findModel(reference: string): string {
  if (existsSync(join(reference, 'manifest.json'))) return reference
  const at = reference.lastIndexOf('@')
  const name = at > 0 ? reference.slice(0, at) : reference
  const isPlainName = !/[/\\]/.test(name) && name !== '' && name !== '.' && name !== '..'
  const version = isPlainName ? (at > 0 ? reference.slice(at + 1) : highestVersion(name)) : undefined
  if (version && !/[/\\]/.test(version) && existsSync(join(storedModel(name, version), 'manifest.json'))) {
    return storedModel(name, version)
  }
  throw new ModelError(`model ${reference}: not found`, { hint: whatIsThere() })
}

function highestVersion(name: string): string | undefined {
  return foldersIn(join(modelStore(), name)).sort(byVersion).at(-1)
}

/** Numbers by value, so that 1.10.0 is above 1.9.0. */
function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

function whatIsThere(): string {
  const known = foldersIn(modelStore()).flatMap((name) =>
    foldersIn(join(modelStore(), name)).map((version) => `${name}@${version}`),
  )
  const store =
    known.length > 0 ? `The model store holds ${known.join(', ')}.` : `The model store ${modelStore()} is empty.`
  return `${store}\nA model is a bundle's folder (one with a manifest.json), name@version, or name; lcclf model import makes one from pickles.`
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => entry.name)
    .filter((name) => !name.startsWith('.'))
}
