// What crashed or interrupted processes left behind, and what is safe to take away.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, ServiceError, systemCode } from '../../errors.ts'
import { readManifest } from '../bundle/read-bundle.ts'
import { openStore, ownerFile, stagedVersion } from './model-store.ts'
import { hasEnded, parseOwner } from '../../transfer/owner.ts'
import { isLockFree } from './process-lock.ts'

/** One thing that was (or, in a dry run, would be) taken away or put right. */
interface Litter {
  readonly path: string
  readonly why: string
  /** bytes on the disk */
  readonly size: number
  readonly action: 'removed' | 'restored'
}

/** Where to look. */
interface LitterPlaces {
  readonly store: string
  readonly downloads: string
  /** ONNX graphs of bundles, named by the bundle's sha256 */
  readonly graphs: string
}

/** A staging folder without an owner's name may belong to somebody who works for so long. */
const staleMs = 24 * 3600 * 1000

/**
 * Takes away: staging folders whose process has ended, downloads that nobody is at, and graphs of models that are not in
 * the store. A model whose replacement was interrupted between two renames comes back. Models are never taken away.
 *
 * @throws ServiceError where something cannot be removed
 */
export async function collectLitter(places: LitterPlaces, { dryRun }: { dryRun: boolean }): Promise<Litter[]> {
  const found: Litter[] = []
  const note = async (litter: Litter, work: () => Promise<void>): Promise<void> => {
    try {
      if (!dryRun) await work()
    } catch (cause) {
      throw new ServiceError(`${litter.path}: cannot be ${litter.action} (${systemCode(cause) ?? messageOf(cause)})`, {
        cause,
        hint: 'May you write there?',
      })
    }
    found.push(litter)
  }
  const remove = (path: string, why: string): Promise<void> =>
    note({ path, why, size: sizeOf(path), action: 'removed' }, () => rm(path, { recursive: true, force: true }))
  for (const { folder, target } of stagings(places.store)) {
    if (!isAbandoned(folder)) continue
    const old = join(folder, 'old')
    if (!existsSync(target) && existsSync(join(old, 'manifest.json'))) {
      const litter = { path: target, why: 'its replacement was interrupted', size: sizeOf(old) }
      await note({ ...litter, action: 'restored' }, () => rename(old, target))
    }
    await remove(folder, 'left by a process that has ended')
  }
  for (const path of entriesIn(places.downloads).filter((entry) => !entry.endsWith('.lock'))) {
    if (await isLockFree(`${path}.lock`)) await remove(path, 'a download that was not finished')
  }
  for (const path of entriesIn(places.downloads).filter((entry) => entry.endsWith('.lock'))) {
    if (await isLockFree(path)) await remove(path, 'a lock that nobody holds')
  }
  const known = await storedHashes(places.store)
  for (const path of entriesIn(places.graphs).filter((entry) => entry.endsWith('.onnx'))) {
    const sha256 = path.split(/[/\\]/).at(-1)!.slice(0, 64)
    if (!known.has(sha256)) await remove(path, 'the ONNX graph of a model that is not in the store')
  }
  return found
}

interface StagingFolder {
  readonly folder: string
  /** the model's place */
  readonly target: string
}

function stagings(store: string): StagingFolder[] {
  return entriesIn(store)
    .filter((entry) => statSync(entry, { throwIfNoEntry: false })?.isDirectory())
    .flatMap((parent) =>
      entriesIn(parent).flatMap((folder) => {
        const version = stagedVersion(folder)
        return version === undefined ? [] : [{ folder, target: join(parent, version) }]
      }),
    )
}

function isAbandoned(folder: string): boolean {
  const mark = join(folder, ownerFile)
  const owner = existsSync(mark) ? parseOwner(readFileSync(mark, 'utf8')) : undefined
  if (owner && hasEnded(owner)) return true
  const newest = Math.max(
    ...[folder, ...entriesIn(folder)].map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0),
  )
  return Date.now() - newest > staleMs
}

async function storedHashes(store: string): Promise<Set<string>> {
  const hashes = new Set<string>()
  for (const { folder } of openStore(store).list()) {
    const manifest = await readManifest(folder).catch(() => undefined)
    if (manifest) hashes.add(manifest.sha256)
  }
  return hashes
}

function sizeOf(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) return 0
  return stats.isDirectory() ? entriesIn(path).reduce((sum, entry) => sum + sizeOf(entry), 0) : stats.size
}

function entriesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}
