// Writes a bundle's folder: whole or not at all, and the same bytes for the same model.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { LcclfError, messageOf, ServiceError, systemCode, UsageError } from '../../errors.ts'
import { coversFile, encodeCovers, encodeLeaves, encodeNodes } from './arrow-forests.ts'
import { encodeGolden } from './arrow-golden.ts'
import { type ArrowLibrary, loadArrow } from '../../formats/arrow/reader.ts'
import type { Forest } from './forest.ts'
import type { Golden } from './golden.ts'
import { encodeProfile, type InputProfile, profileFile } from './input-profile.ts'
import type { Manifest } from './manifest.ts'

/** What a bundle is made of. */
interface BundleContent {
  readonly manifest: Omit<Manifest, 'files'>
  /** empty for a model that is no forest */
  readonly forests: readonly Forest[]
  /** model.onnx of a model that is no forest */
  readonly graph?: Uint8Array
  readonly golden: Golden
  /** what the model's usual inputs look like, where that is known */
  readonly profile?: InputProfile | undefined
}

/**
 * Refuses, before any work is done, a place where no bundle may be written: something is there and `overwrite` was not
 * asked for, or what is there is no bundle (a folder of other things is never replaced).
 */
export async function checkBundlePlace(out: string, overwrite: boolean): Promise<void> {
  if (!existsSync(out)) return
  if (!overwrite) throw new UsageError(`${out}: exists already`, { hint: 'Give another --out, or --overwrite.' })
  const names = await readdir(out).catch(() => undefined)
  if (names && (names.length === 0 || names.includes('manifest.json'))) return
  throw new UsageError(`${out}: is no bundle, so it is not overwritten`, { hint: 'Give another --out.' })
}

/** Writes the files beside `out`, flushes them, and renames the folder. Returns the manifest with its checksums. */
export async function writeBundle(
  out: string,
  { manifest, forests, graph, golden, profile }: BundleContent,
  overwrite: boolean,
): Promise<{ manifest: Manifest; sha256: string }> {
  await checkBundlePlace(out, overwrite)
  const arrow = loadArrow()
  const model: [string, Uint8Array][] = graph
    ? [['model.onnx', graph]]
    : [
        ['forest.arrow', encodeNodes(arrow, forests)],
        ['leaves.arrow', encodeLeaves(arrow, forests)],
        ...coversOf(arrow, forests),
      ]
  const contents: [string, Uint8Array][] = [
    ...model,
    ['golden.arrow', encodeGolden(arrow, golden, manifest.features)],
    // without a profile the bundle has the bytes that it always had
    ...(profile ? [[profileFile, encodeProfile(profile)] satisfies [string, Uint8Array]] : []),
  ]
  const files = contents.map(([file, bytes]) => ({ file, sha256: sha256Of(bytes), size: bytes.length }))
  const complete: Manifest = { ...manifest, files }
  const text = Buffer.from(`${JSON.stringify(complete, null, 2)}\n`)
  await publish(resolve(out), [...contents, ['manifest.json', text]])
  return { manifest: complete, sha256: sha256Of(text) }
}

function coversOf(arrow: ArrowLibrary, forests: readonly Forest[]): [string, Uint8Array][] {
  const covers = forests.flatMap(({ cover }) => (cover ? [cover] : []))
  return covers.length === forests.length ? [[coversFile, encodeCovers(arrow, covers)]] : []
}

async function publish(out: string, contents: readonly (readonly [string, Uint8Array])[]): Promise<void> {
  let temporary: string | undefined
  try {
    await mkdir(dirname(out), { recursive: true })
    temporary = await mkdtemp(join(dirname(out), `.${basename(out)}.partial-`))
    const folder = join(temporary, 'new')
    await mkdir(folder)
    for (const [file, bytes] of contents) await writeFlushed(join(folder, file), bytes)
    await replaceFolder(folder, out, join(temporary, 'old'))
    await flushFolder(dirname(out))
  } catch (cause) {
    if (cause instanceof LcclfError) throw cause
    throw new ServiceError(`${out}: cannot be written (${systemCode(cause) ?? messageOf(cause)})`, {
      cause,
      hint: 'Is there room on the disk, and may you write there?',
    })
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true })
  }
}

/** The old bundle goes into the temporary folder, and away with it; if the new one cannot take its place, it comes back. */
async function replaceFolder(folder: string, out: string, aside: string): Promise<void> {
  const isThere = existsSync(out)
  if (isThere) await rename(out, aside)
  try {
    await rename(folder, out)
  } catch (error) {
    if (isThere) await rename(aside, out)
    throw error
  }
}

async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function flushFolder(path: string): Promise<void> {
  // some systems cannot flush a folder; the bundle is written all the same
  const folder = await open(path, 'r').catch(() => undefined)
  await folder?.sync().catch(() => undefined)
  await folder?.close()
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
