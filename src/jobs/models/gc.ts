// The story of `lcclf model gc`: what crashed or interrupted processes left behind, and what is safe to remove.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { messageOf, ServiceError, systemCode } from '../../errors.ts'
import { byteText } from '../../formats/shown-text.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { cacheFolder, downloadFolder, modelStore } from '../../model/store/model-reference.ts'
import { staleUnpacked, unpackedStore } from '../../model/store/unpacked-models.ts'
import { isFolder, ownerFile, partialMark, stagedVersion } from '../../model/store/model-store.ts'
import { hasEnded, leftBehind, parseOwner } from '../../owner.ts'
import { print } from '../../terminal/standard-streams.ts'
import { isLockFree } from '../../transfer/lock.ts'

/** Removes what nobody needs any more, and says what. */
export async function cleanStore({ json, dryRun }: { json: boolean; dryRun: boolean }): Promise<void> {
  const litter = await collectLitter(dryRun)
  if (json) {
    await print(`${JSON.stringify({ schemaVersion: 1, command: 'model gc', dryRun, litter })}\n`)
    return
  }
  for (const { path, why, size, action } of litter) {
    await print(`${dryRun ? 'would be ' : ''}${action}  ${path}  ${byteText(size)}  ${why}\n`)
  }
  const bytes = litter.filter(({ action }) => action === 'removed').reduce((sum, { size }) => sum + size, 0)
  const said = litter.length === 0 ? 'nothing to remove' : `${byteText(bytes)} ${dryRun ? 'would be ' : ''}freed`
  process.stderr.write(`${said}\n`)
}

/** One thing that was (or, in a dry run, would be) removed or restored; `size` in bytes on the disk. */
type Litter = { readonly path: string; why: string; size: number; action: 'removed' | 'restored' }

/**
 * Removes staging folders whose process has ended, abandoned downloads, unpacked archives that nobody uses, and ONNX graphs
 * of models that are not here. A model whose replacement was interrupted between two renames comes back. Models of the store
 * are never removed.
 *
 * @throws ServiceError where something cannot be removed
 */
async function collectLitter(dryRun: boolean): Promise<Litter[]> {
  const found: Litter[] = []
  const note = async (litter: Litter, work: () => Promise<void>): Promise<void> => {
    try {
      if (!dryRun) await work()
    } catch (cause) {
      throw new ServiceError(`${litter.path}: cannot be ${litter.action} (${systemCode(cause) ?? messageOf(cause)})`, {
        cause,
        hint: 'Check your permissions there.',
      })
    }
    found.push(litter)
  }
  const remove = (path: string, why: string): Promise<void> =>
    note({ path, why, size: sizeOf(path), action: 'removed' }, () => rm(path, { recursive: true, force: true }))
  const stores = [modelStore(), unpackedStore()]
  const shelves = stores.flatMap(({ root }) => entriesIn(root)).filter(isFolder)
  for (const folder of shelves.flatMap(entriesIn)) {
    const version = stagedVersion(folder)
    if (version === undefined || !isAbandoned(folder)) continue
    const target = join(folder, '..', version)
    const old = join(folder, 'old')
    if (!existsSync(target) && existsSync(join(old, 'manifest.json'))) {
      const litter = { path: target, why: 'its replacement was interrupted', size: sizeOf(old) }
      await note({ ...litter, action: 'restored' }, () => rename(old, target))
    }
    await remove(folder, 'left by a process that has ended')
  }
  for (const path of entriesIn(downloadFolder()).filter((entry) => !entry.endsWith('.lock'))) {
    if (await isLockFree(`${path}.lock`)) await remove(path, 'an unfinished download')
  }
  for (const path of entriesIn(downloadFolder()).filter((entry) => entry.endsWith('.lock'))) {
    if (await isLockFree(path)) await remove(path, 'a lock that nobody holds')
  }
  for (const { path, why } of await staleUnpacked()) await remove(path, why)
  const models = stores.flatMap((store) => store.list())
  const manifests = await Promise.all(models.map(({ folder }) => readManifest(folder).catch(() => undefined)))
  const known = new Set(manifests.map((manifest) => manifest?.sha256))
  // a graph is named by its bundle's sha256
  for (const path of entriesIn(cacheFolder()).filter((entry) => entry.endsWith('.onnx'))) {
    if (known.has(basename(path).slice(0, 64))) continue
    await remove(path, 'the ONNX graph of a model that is not here')
  }
  return found
}

/** A staging folder that names no owner may belong to somebody who works for so long. */
const staleMs = 24 * 3600 * 1000

function isAbandoned(folder: string): boolean {
  // of a bundle's writer, which names its process there
  const prefix = `.${stagedVersion(folder)}${partialMark}`
  if (leftBehind([basename(folder)], prefix).length > 0) return true
  const mark = join(folder, ownerFile)
  const owner = existsSync(mark) ? parseOwner(readFileSync(mark, 'utf8')) : undefined
  if (owner && hasEnded(owner)) return true
  const times = [folder, ...entriesIn(folder)].map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  return Date.now() - Math.max(...times) > staleMs
}

function sizeOf(path: string): number {
  if (isFolder(path)) return entriesIn(path).reduce((sum, entry) => sum + sizeOf(entry), 0)
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function entriesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}
