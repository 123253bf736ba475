// A bundle's folder → a model in memory: checksums compared, every index in range, nothing copied.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { open } from 'node:fs/promises'
import { ModelError, whyUnreadable } from '../../errors.ts'
import { coversFile, decodeCovers, decodeForests, decodeGolden } from './arrow-files.ts'
import { type CoveredForest, findUnsafeNode, type Forest } from './forest.ts'
import type { Golden } from './golden.ts'
import { type InputProfile, parseProfile, profileFile } from './input-profile.ts'
import { calibrationFile, type FileDigest, type Manifest, parseManifest, taxonomyOf } from './manifest.ts'
import { decodeParts, type Part, partsFile, plainParts } from './parts.ts'

/** The manifest of a bundle, with its sha256, which is the model's identity. */
export interface BundleHead {
  readonly manifest: Manifest
  readonly sha256: string
}

export interface Bundle extends BundleHead {
  /** what stands around the trees, level by level; empty for a model that is not made of forests */
  readonly parts: readonly Part[]
  /** one a part */
  readonly forests: readonly Forest[]
  readonly golden: Golden
}

/** what classifying does not need */
const readLater = new Set([calibrationFile, coversFile, profileFile])

const damagedHint = 'The bundle is damaged: copy it again, or import the model again.'

type ReadFile = (name: string) => Buffer

/** What each kind of model is made of, from its files. */
const contents: Record<Manifest['kind'], (manifest: Manifest, file: ReadFile) => Pick<Bundle, 'parts' | 'forests'>> = {
  forest: readForests,
  // onnxruntime reads model.onnx itself
  onnx: () => ({ parts: [], forests: [] }),
}

function readForests(manifest: Manifest, file: ReadFile): Pick<Bundle, 'parts' | 'forests'> {
  const { levels } = manifest
  const parts = partsOf(manifest, partsIn(manifest) && file(partsFile))
  const shapes = parts.map(({ level, trees, nodes, sum }) => {
    const { name, classes } = levels[level]!
    return { name, classes: sum === null ? classes : ['margin'], trees, nodes }
  })
  return { parts, forests: decodeForests(file('forest.arrow'), file('leaves.arrow'), shapes) }
}

function partsIn({ files }: Manifest): FileDigest | undefined {
  return files.find(({ file }) => file === partsFile)
}

/** @param bytes of parts.json; undefined where the bundle has none */
function partsOf({ levels }: Manifest, bytes: Buffer | undefined): Part[] {
  return bytes ? decodeParts(bytes.toString('utf8'), levels.length) : plainParts(levels)
}

/** What stands around the trees of a bundle, without its trees; empty for a model that is not made of them. */
export async function readParts(directory: string, manifest: Manifest): Promise<readonly Part[]> {
  if (manifest.kind !== 'forest') return []
  const digest = partsIn(manifest)
  return partsOf(manifest, digest && (await readChecked(directory, digest)))
}

/**
 * Opens a bundle.
 *
 * @param directory the folder that holds manifest.json
 * @param head its manifest, if that was read already
 * @throws ModelError for a folder that is not a bundle, a checksum that does not agree, a forest that cannot be walked
 */
export async function readBundle(directory: string, head?: BundleHead): Promise<Bundle> {
  const { manifest, sha256 } = head ?? (await readManifest(directory))
  const files = new Map<string, Buffer>()
  for (const digest of manifest.files) {
    if (!readLater.has(digest.file)) files.set(digest.file, await readChecked(directory, digest))
  }
  const file = (name: string) => {
    const bytes = files.get(name)
    if (!bytes) throw new ModelError(`${directory}: the manifest names no ${name}`, { hint: damagedHint })
    return bytes
  }
  const golden = decodeGolden(file('golden.arrow'), manifest.features, taxonomyOf(manifest))
  const { parts, forests } = contents[manifest.kind](manifest, file)
  forests.forEach((forest, index) => {
    const problem = findUnsafeNode(forest, manifest.features.length)
    if (problem === null) return
    throw new ModelError(`${directory}: level ${manifest.levels[parts[index]!.level]!.name}: ${problem}`, {
      hint: damagedHint,
    })
  })
  return { manifest, sha256, parts, forests, golden }
}

/**
 * The forests of a bundle with their covers, which classifying does not need and which are therefore read only here.
 *
 * @throws ModelError for a bundle without covers: one of another kind, or made by an older version
 */
export async function withCovers(directory: string, { manifest, forests }: Bundle): Promise<CoveredForest[]> {
  if (forests.length === 0) throw new ModelError(`${directory}: not a forest; only forests can be explained`)
  const digest = manifest.files.find(({ file }) => file === coversFile)
  if (!digest) {
    throw new ModelError(`${directory}: the bundle does not say how many training samples each node saw`, {
      hint: 'It was made by an older version: make it again from the pickles with lcclf model import.',
    })
  }
  const covers = decodeCovers(await readChecked(directory, digest), forests)
  return forests.map((forest, index) => ({ ...forest, cover: covers[index]! }))
}

/**
 * What the model's usual inputs look like; undefined for a bundle that does not say.
 *
 * @throws ModelError for a profile that is damaged
 */
export async function readProfile(directory: string): Promise<InputProfile | undefined> {
  const { manifest } = await readManifest(directory)
  const digest = manifest.files.find(({ file }) => file === profileFile)
  if (!digest) return undefined
  const bytes = await readChecked(directory, digest)
  return parseProfile(bytes.toString('utf8'), join(directory, profileFile), manifest.features)
}

/** The manifest of a bundle alone. */
export async function readManifest(directory: string): Promise<BundleHead> {
  const path = join(directory, 'manifest.json')
  if (!existsSync(path)) {
    throw new ModelError(`${directory}: is not a bundle (it has no manifest.json)`, {
      hint: 'Make a bundle from pickles with lcclf model import.',
    })
  }
  const { bytes, digest } = await readDigested(path)
  return { manifest: parseManifest(bytes.toString('utf8'), path), sha256: digest.sha256 }
}

/** One file of a bundle, compared with what the manifest says of it. */
export async function readChecked(directory: string, expected: FileDigest): Promise<Buffer> {
  const path = join(directory, expected.file)
  const { bytes, digest } = await readDigested(path, { isShared: expected.file.endsWith('.arrow') })
  if (digest.sha256 === expected.sha256) return bytes
  throw new ModelError(`${path}: its sha256 is ${digest.sha256}, the manifest says ${expected.sha256}`, {
    hint: damagedHint,
  })
}

const chunk = 4 * 1024 * 1024

/**
 * Reads a whole file and its sha256; its bytes begin at an address that is a multiple of eight, so that arrays can be views
 * of it.
 *
 * @param onBytes is told how many bytes have been read
 * @param isShared puts it into memory that threads can be given without a copy; onnxruntime does not take such
 * @throws ModelError for a file that cannot be read, or that shrinks meanwhile
 */
export async function readDigested(
  path: string,
  { onBytes, isShared = false }: { onBytes?: (done: number, total: number) => void; isShared?: boolean } = {},
): Promise<{ bytes: Buffer; digest: FileDigest }> {
  try {
    const file = await open(path, 'r')
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw new ModelError(`${path}: not a file`)
      // memory of its own, so that it begins at a multiple of eight
      const bytes = isShared ? Buffer.from(new SharedArrayBuffer(stats.size)) : Buffer.allocUnsafeSlow(stats.size)
      const hash = createHash('sha256')
      const readAt = (start: number) => file.read(bytes, start, Math.min(chunk, bytes.length - start), start)
      let ahead = bytes.length > 0 ? readAt(0) : undefined
      for (let done = 0; ahead;) {
        const { bytesRead } = await ahead
        if (bytesRead === 0) throw new ModelError(`${path}: became shorter while it was read`)
        // the next piece is read while this one is hashed
        ahead = done + bytesRead < bytes.length ? readAt(done + bytesRead) : undefined
        hash.update(bytes.subarray(done, done + bytesRead))
        done += bytesRead
        onBytes?.(done, bytes.length)
      }
      return { bytes, digest: { file: basename(path), sha256: hash.digest('hex'), size: bytes.length } }
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (cause instanceof ModelError) throw cause
    throw new ModelError(`${path}: cannot be read (${whyUnreadable(cause)})`, { cause })
  }
}
