// Where models are kept: ROOT/NAME/VERSION, each a bundle's folder that appears and disappears in one rename.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { messageOf, ServiceError, systemCode, UsageError, writeFailure } from '../../errors.ts'
import { ownerHere } from '../../owner.ts'
import { isPlainName } from '../bundle/manifest.ts'
import { syncFolder } from '../../whole-file.ts'

export interface StoredModel {
  readonly name: string
  readonly version: string
  /** the bundle's folder */
  readonly folder: string
}

/** A store. Reading needs no right to write, so a read-only volume can be a store too. */
export type ModelStore = ReturnType<typeof openStore>

/** Opens the store in a folder, which need not exist. */
export function openStore(root: string) {
  const place = (name: string, version: string): string => join(root, name, version)
  const stored = (name: string, version: string): StoredModel => ({ name, version, folder: place(name, version) })
  const placesOf = (name: string): StoredModel[] =>
    foldersIn(join(root, name))
      .sort(byVersion)
      .map((version) => stored(name, version))
  const listAll = (): StoredModel[] => foldersIn(root).sort().flatMap(placesOf)
  const timeStored = ({ folder }: StoredModel): number =>
    statSync(join(folder, 'manifest.json'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  return {
    root,
    /** where a model is or would be */
    place,
    /** by name, then by version, the highest last */
    list: (): StoredModel[] => listAll().filter(hasManifest),
    /**
     * Of the name that was put into its place last, the highest version, as `find` gives it: an older version that somebody
     * adds to compare with does not take over. Undefined for an empty store.
     */
    newest(): StoredModel | undefined {
      const [last] = listAll()
        .filter(hasManifest)
        .sort((a, b) => timeStored(b) - timeStored(a))
      return last && placesOf(last.name).findLast(hasManifest)
    },
    /** as `list`, together with damaged models: folders in a model's place that have lost their manifest.json */
    listAll,
    /**
     * Finds a model. A damaged one without a manifest.json is found too, by its version, or where there is no other.
     *
     * @param version the highest where none is given
     * @returns undefined where the store has no such model
     */
    find(name: string, version?: string): StoredModel | undefined {
      if (!isPlainName(name) || (version !== undefined && !isPlainName(version))) return undefined
      if (version !== undefined) return isFolder(place(name, version)) ? stored(name, version) : undefined
      const all = placesOf(name)
      return all.findLast(hasManifest) ?? all.at(-1)
    },
    /** @throws ServiceError before any work is done for a store that cannot be written */
    checkWritable: (): Promise<void> =>
      writing(root, async () => {
        await mkdir(root, { recursive: true })
        await rm(await mkdtemp(join(root, '.write-')), { recursive: true })
      }),
    /** A place beside the model's, to put its files into before `publish`. */
    stage: (name: string, version: string) =>
      writing(root, async () => {
        await mkdir(join(root, name), { recursive: true })
        return openStaging(root, name, version)
      }),
    /**
     * Makes a staged bundle the model. Of several processes that publish the same bundle at once, one adds it and the
     * others are told that it is there.
     *
     * @param options.isRenamable whether it could be stored under another name: the hint says so where its place is taken
     * @throws UsageError where another bundle is there and `overwrite` was not asked for
     */
    publish: (staging: Staging, options: { overwrite: boolean; isRenamable: boolean }) =>
      writing(root, () => publish(staging, place(staging.name, staging.version), options)),
    remove: (model: StoredModel): Promise<void> =>
      writing(root, async () => {
        const staging = await openStaging(root, model.name, model.version)
        try {
          // out of sight in one step, so that nobody opens half a model
          await rename(model.folder, staging.removed)
        } finally {
          await staging.discard()
        }
        await rmdir(join(root, model.name)).catch(() => undefined)
      }),
  }
}

/** Each of ten processes that overwrite at once may lose to each of the others. */
const attempts = 20

async function publish(
  staging: Staging,
  target: string,
  { overwrite, isRenamable }: { overwrite: boolean; isRenamable: boolean },
): Promise<'added' | 'replaced' | 'already there'> {
  let isReplaced = false
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      await rename(staging.bundle, target)
      await staging.flush()
      return isReplaced ? 'replaced' : 'added'
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(systemCode(error) ?? '')) throw error
    }
    if (!overwrite) {
      if (isSameModel(staging.bundle, target)) return 'already there'
      throw new UsageError(`${target}: another model of this name and version is in the store`, {
        hint: isRenamable ? 'Give another --name or --version, or --overwrite.' : 'Replace it with --overwrite.',
      })
    }
    try {
      await rm(staging.old, { recursive: true, force: true })
      await rename(target, staging.old)
      isReplaced = true
    } catch (error) {
      // another process has just moved it away to replace it
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
  throw new ServiceError(`${target}: other processes keep replacing it`, { hint: 'Run only one of them at a time.' })
}

function hasManifest({ folder }: StoredModel): boolean {
  return existsSync(join(folder, 'manifest.json'))
}

function isSameModel(a: string, b: string): boolean {
  const [left, right] = [a, b].map((folder) => {
    const path = join(folder, 'manifest.json')
    return existsSync(path) ? readFileSync(path) : undefined
  })
  return left !== undefined && right !== undefined && left.equals(right)
}

/** Turns a system error about a store that cannot be written into a sentence. */
async function writing<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = systemCode(cause) ?? ''
    if (!['EROFS', 'EACCES', 'EPERM'].includes(code)) throw writeFailure(root, cause)
    throw new ServiceError(`the model store ${root} cannot be written (${code})`, {
      cause,
      hint: 'It is read-only for you: set LCCLF_HOME to a folder of your own.',
    })
  }
}

/** Compares numbers by value, so that 1.10.0 is above 1.9.0. */
export function byVersion(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** The highest version, of those that have the name and version where one is given. */
export function highestOf<T extends { name: string; version: string }>(
  models: readonly T[],
  name: string | undefined,
  version: string | undefined,
): T | undefined {
  return models
    .filter((model) => (name ?? model.name) === model.name && (version ?? model.version) === model.version)
    .sort((a, b) => byVersion(a.version, b.version))
    .at(-1)
}

/** Models in a sentence. */
export function listOf(models: readonly { name: string; version: string }[]): string {
  return models.map(({ name, version }) => `${name}@${version}`).join(', ')
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  try {
    return readdirSync(folder).filter((name) => isPlainName(name) && isFolder(join(folder, name)))
  } catch (cause) {
    throw new ServiceError(`the model store ${folder} cannot be read (${systemCode(cause) ?? messageOf(cause)})`, {
      cause,
      hint: 'Check its permissions, or set LCCLF_HOME to a folder of your own.',
    })
  }
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** A place inside the store where a bundle is made ready, marked as this process's. */
type Staging = Awaited<ReturnType<typeof openStaging>>

/**
 * The folders have the names that a bundle's writer uses too (`.VERSION.partial-…/new`, `/old`), so that what a crash
 * leaves behind looks the same wherever it comes from.
 */
async function openStaging(root: string, name: string, version: string) {
  const parent = join(root, name)
  const folder = await mkdtemp(join(parent, `.${version}${partialMark}`))
  await writeFile(join(folder, ownerFile), JSON.stringify(ownerHere()))
  const bundle = join(folder, 'new')
  await mkdir(bundle)
  return {
    name,
    version,
    /** the new bundle's folder: empty at first */
    bundle,
    /** keeps the bundle that is replaced, until the new one is in its place */
    old: join(folder, 'old'),
    /** where a bundle goes that is removed */
    removed: join(folder, 'removed'),
    /** Makes the store's folder durable after a rename. */
    flush: () => syncFolder(parent),
    discard: () => rm(folder, { recursive: true, force: true }),
  }
}

/** in the name of a staging folder, after the version */
export const partialMark = '.partial-'

/** The file in a staging folder that names its process. */
export const ownerFile = 'owner.json'

/** The version that a staging folder was made for; undefined for any other folder. */
export function stagedVersion(folder: string): string | undefined {
  const name = basename(folder)
  const at = name.lastIndexOf(partialMark)
  return name.startsWith('.') && at > 1 ? name.slice(1, at) : undefined
}
