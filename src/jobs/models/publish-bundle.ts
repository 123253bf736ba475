// A bundle to an address, in an order in which a reader never sees half of it: files, manifest, index.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ServiceError, UsageError } from '../../errors.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { indexFile, indexText, parseIndex, withEntry, type IndexEntry } from '../../model/store/model-index.ts'
import type { BundleTarget } from './bundle-target.ts'

/** What to publish, and how. */
export interface PublishOptions {
  readonly manifest: Manifest
  /** of its manifest.json */
  readonly sha256: string
  readonly overwrite: boolean
  readonly signal?: AbortSignal
  readonly onFile?: (file: string) => void
}

/** What was published. */
export interface PublishedBundle {
  /** of the bundle's folder */
  readonly address: string
  readonly status: 'published' | 'already there'
}

/** Others may be publishing into the same index. */
const indexAttempts = 10

/**
 * Publishes a bundle below an address as NAME/VERSION/ and enters it into the index there.
 *
 * @throws UsageError where another bundle of this name and version is there and `overwrite` was not asked for;
 *   ServiceError where it cannot be written
 */
export async function publishBundle(
  directory: string,
  target: BundleTarget,
  { manifest, sha256, overwrite, signal, onFile }: PublishOptions,
): Promise<PublishedBundle> {
  const { name, version, files } = manifest
  const place = `${name}/${version}/`
  const address = `${target.address.replace(/\/?$/, '/')}${place}`
  const manifestText = await readFile(join(directory, 'manifest.json'), 'utf8')
  const there = await target.readText(`${place}manifest.json`)
  const isThere = there?.text === manifestText
  if (there && !isThere && !overwrite) {
    throw new UsageError(`${address}: another bundle of this name and version is published`, {
      hint: 'Models that people use do not change: give it another version, or --overwrite.',
    })
  }
  for (const { file } of isThere && !overwrite ? [] : files) {
    onFile?.(file)
    await target.putFile(`${place}${file}`, join(directory, file), signal)
  }
  if (!isThere && !(await target.putText(`${place}manifest.json`, manifestText, there))) {
    throw new ServiceError(`${address}: somebody else is publishing it`, { hint: 'Let one of you do it.' })
  }
  const size = files.reduce((sum, file) => sum + file.size, 0)
  await enter(target, { name, version, sha256, size })
  return { address, status: isThere ? 'already there' : 'published' }
}

async function enter(target: BundleTarget, entry: IndexEntry): Promise<void> {
  for (let attempt = 0; attempt < indexAttempts; attempt++) {
    const there = await target.readText(indexFile)
    const entries = there ? parseIndex(there.text, `${target.address}${indexFile}`) : []
    const text = indexText(withEntry(entries, entry))
    if (there?.text === text || (await target.putText(indexFile, text, there))) return
  }
  throw new ServiceError(`${target.address}: its index keeps changing`, {
    hint: 'The bundle is there, only not in the index: the same command enters it.',
  })
}
