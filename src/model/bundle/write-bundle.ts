// The end of every import: a bundle's folder, whole or not at all, and the same bytes for the same model.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, link, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError, writeFailure } from '../../errors.ts'
import { leftBehind, ownerMark } from '../../owner.ts'
import { coversFile, encodeCovers, encodeGolden, encodeLeaves, encodeNodes } from './arrow-files.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { alreadyThere, syncFolder, writeWholeFile } from '../../whole-file.ts'
import type { Forest } from './forest.ts'
import type { Golden } from './golden.ts'
import { encodeProfile, type InputProfile, type ProfiledImport, profileFile } from './input-profile.ts'
import type { FileDigest, Manifest } from './manifest.ts'
import { readChecked, readManifest } from './read-bundle.ts'
import { encodeParts, isPlain, type Part, partsFile } from './parts.ts'

/** What every import is told, whatever it reads. */
export interface ImportOptions {
  readonly name: string
  readonly version: string
  /** the bundle's folder; must not exist, `overwrite` apart */
  readonly out: string
  /** a folder with golden_input.csv and golden.json: the trainer's own answers */
  readonly goldenDir?: string | undefined
  readonly overwrite?: boolean
  /** makes the profile of the model's usual inputs; without it, or where it has none, the bundle has no profile */
  readonly makeProfile?: (model: ProfiledImport) => Promise<InputProfile | undefined>
  readonly onProgress?: (event: ImportProgress) => void
}

/** How far one step has come. */
export interface ImportProgress {
  readonly step: string
  readonly done: number
  readonly total: number
}

export interface ImportedModel {
  readonly directory: string
  readonly manifest: Manifest
  readonly sha256: string
  readonly warnings: readonly string[]
}

/** Golden answers that a model reproduces. */
export interface ProvenGolden {
  readonly golden: Golden
  /** where they come from */
  readonly source: string
  readonly warnings: readonly string[]
}

/** What a bundle is made of. */
interface BundleContent {
  readonly manifest: Omit<Manifest, 'files' | 'golden'>
  /** one a level and nothing around them unless given */
  readonly parts?: readonly Part[]
  /** one a part; empty for a model that is not made of forests */
  readonly forests: readonly Forest[]
  /** model.onnx of a model that is not made of forests */
  readonly graph?: Uint8Array
  readonly proof: ProvenGolden
  /** see ProfiledImport */
  readonly open?: () => Promise<Classifier>
}

/**
 * Refuses, before any work is done, a place where no bundle may be written: something is there and `overwrite` was not
 * asked for, or what is there is not a bundle (a folder of other things is never replaced).
 */
export async function checkBundlePlace({ out, overwrite }: Pick<ImportOptions, 'out' | 'overwrite'>): Promise<void> {
  if (!existsSync(out)) return
  if (!overwrite) throw alreadyThere(out)
  const names = await readdir(out).catch(() => undefined)
  if (names && (names.length === 0 || names.includes('manifest.json'))) return
  throw new UsageError(`${out}: not a bundle; refusing to overwrite it`, { hint: 'Give another --out.' })
}

/**
 * Profiles the model's inputs, writes the files beside `out` and renames the folder.
 *
 * @param warnings of the import so far
 * @throws ServiceError where the bundle cannot be written
 */
export async function writeBundle(
  { manifest: content, parts, forests, graph, proof, open: openModel }: BundleContent,
  { out, goldenDir, overwrite = false, makeProfile, onProgress }: ImportOptions,
  warnings: readonly string[],
): Promise<ImportedModel> {
  const { golden, source } = proof
  const { origin, ...head } = content
  // the order of the keys is that of manifest.json
  const manifest = { ...head, golden: { rows: golden.rowCount, source }, origin }
  const opened = openModel && { open: openModel }
  const profile = await makeProfile?.({ manifest, golden, isGoldenGiven: goldenDir !== undefined, ...opened })
  onProgress?.({ step: 'write the bundle', done: 0, total: 1 })
  await checkBundlePlace({ out, overwrite })
  const covers = forests.flatMap(({ cover }) => (cover ? [cover] : []))
  const contents = new Map<string, Uint8Array>()
  if (graph) contents.set('model.onnx', graph)
  else {
    contents.set('forest.arrow', encodeNodes(forests))
    if (parts && !parts.every(isPlain)) contents.set(partsFile, encodeParts(parts))
    contents.set('leaves.arrow', encodeLeaves(forests))
    if (covers.length === forests.length) contents.set(coversFile, encodeCovers(covers))
  }
  contents.set('golden.arrow', encodeGolden(golden, manifest.features))
  if (profile) contents.set(profileFile, encodeProfile(profile))
  const files = [...contents].map(([file, bytes]): FileDigest => ({
    file,
    sha256: sha256Of(bytes),
    size: bytes.length,
  }))
  const complete = { ...manifest, files }
  const text = Buffer.from(`${JSON.stringify(complete, null, 2)}\n`)
  await publish(resolve(out), contents.set('manifest.json', text))
  onProgress?.({ step: 'write the bundle', done: 1, total: 1 })
  const said = [...warnings, ...proof.warnings]
  return { directory: out, manifest: complete, sha256: sha256Of(text), warnings: said }
}

/**
 * Writes a bundle that is another one with one more file, or with another one of that name. The model's own files are the
 * same on the disk where the file system allows it, and copies elsewhere.
 *
 * @param source the other bundle's folder
 * @returns what the new bundle is
 * @throws ModelError for a file that differs from what the manifest says; ServiceError where the bundle cannot be written
 */
export async function writeExtendedBundle(
  source: string,
  { file, bytes }: { readonly file: string; readonly bytes: Uint8Array },
  { out, overwrite = false }: Pick<ImportOptions, 'out' | 'overwrite'>,
): Promise<{ manifest: Manifest; sha256: string }> {
  const { manifest } = await readManifest(source)
  await checkBundlePlace({ out, overwrite })
  const kept = manifest.files.filter((one) => one.file !== file)
  for (const one of kept) await readChecked(source, one)
  const added = { file, sha256: sha256Of(bytes), size: bytes.length }
  const complete = { ...manifest, files: [...kept, added] }
  const text = Buffer.from(`${JSON.stringify(complete, null, 2)}\n`)
  const contents = new Map<string, Uint8Array | { readonly path: string }>([
    ...kept.map((one) => [one.file, { path: join(source, one.file) }] as const),
    [file, bytes],
    ['manifest.json', text],
  ])
  await publish(resolve(out), contents)
  return { manifest: complete, sha256: sha256Of(text) }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** @param contents the bytes of each file, or the file that it is the same as */
async function publish(
  out: string,
  contents: ReadonlyMap<string, Uint8Array | { readonly path: string }>,
): Promise<void> {
  const parent = dirname(out)
  let temporary: string | undefined
  try {
    await mkdir(parent, { recursive: true })
    const prefix = `.${basename(out)}.partial-`
    temporary = await mkdtemp(join(parent, `${prefix}${ownerMark()}-`))
    const folder = join(temporary, 'new')
    await mkdir(folder)
    for (const [file, content] of contents) {
      if ('path' in content) await linkOrCopy(content.path, join(folder, file))
      else await writeWholeFile(join(folder, file), content, { address: out })
    }
    await replaceFolder(folder, out, join(temporary, 'old'))
    await syncFolder(parent)
    // only now: one of them may hold the bundle that was here
    for (const name of leftBehind(await readdir(parent), prefix)) {
      await rm(join(parent, name), { recursive: true, force: true })
    }
  } catch (error) {
    throw writeFailure(out, error)
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true })
  }
}

/** A second name for a file; its bytes again where another disk or somebody else's file has none. */
async function linkOrCopy(path: string, name: string): Promise<void> {
  await link(await realpath(path), name).catch(() => copyFile(path, name))
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
