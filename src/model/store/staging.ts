// A place inside the store where a bundle is made ready, and what marks it as somebody's.
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ownerHere } from './owner.ts'

/** See openStaging. */
export interface Staging {
  readonly name: string
  readonly version: string
  /** the new bundle's folder: empty at first */
  readonly bundle: string
  /** where the bundle goes that is replaced, until the new one is in its place */
  readonly old: string
  /** where a bundle goes that is removed */
  readonly removed: string
  /** makes the store's folder durable after a rename */
  flush(): Promise<void>
  discard(): Promise<void>
}

/**
 * The folders have the names that a bundle's writer uses too (`.VERSION.partial-…/new`, `/old`), so that what a crash
 * leaves behind looks the same wherever it comes from.
 */
export async function openStaging(root: string, name: string, version: string): Promise<Staging> {
  const parent = join(root, name)
  const folder = await mkdtemp(join(parent, `.${version}${partialMark}`))
  await writeFile(join(folder, ownerFile), JSON.stringify(ownerHere()))
  const bundle = join(folder, 'new')
  await mkdir(bundle)
  return {
    name,
    version,
    bundle,
    old: join(folder, 'old'),
    removed: join(folder, 'removed'),
    async flush() {
      // some systems cannot flush a folder; the model is there all the same
      const handle = await open(parent, 'r').catch(() => undefined)
      await handle?.sync().catch(() => undefined)
      await handle?.close()
    },
    discard: () => rm(folder, { recursive: true, force: true }),
  }
}

const partialMark = '.partial-'

/** The file in a staging folder that says whose it is. */
export const ownerFile = 'owner.json'

/** The version that a folder of the store was made ready for; undefined for a folder that is no staging. */
export function stagedVersion(folder: string): string | undefined {
  const name = basename(folder)
  const at = name.lastIndexOf(partialMark)
  return name.startsWith('.') && at > 1 ? name.slice(1, at) : undefined
}
