// A bundle's folder → a model in memory: checksums compared, every index in range, nothing copied.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ModelError } from '../../errors.ts'
import { coversFile, decodeCovers, decodeForests } from './arrow-forests.ts'
import { decodeGolden } from './arrow-golden.ts'
import { loadArrow } from '../../formats/arrow/reader.ts'
import { findUnsafeNode, type Forest } from './forest.ts'
import type { Golden } from './golden.ts'
import { type InputProfile, parseProfile, profileFile } from './input-profile.ts'
import { type FileDigest, type Manifest, taxonomyOf } from './manifest.ts'
import { readOriginFile } from './origin-file.ts'
import { parseManifest } from './parse-manifest.ts'

/** A bundle in memory. */
export interface Bundle {
  readonly manifest: Manifest
  /** of manifest.json: the model's identity */
  readonly sha256: string
  /** by `manifest.levels`; empty for a model that is no forest */
  readonly forests: readonly Forest[]
  readonly golden: Golden
}

/** what classifying does not need */
const readLater = new Set([coversFile, profileFile])

const damagedHint = 'The bundle is damaged: copy it again, or import the model again.'

/**
 * Opens a bundle.
 *
 * @param directory the folder that holds manifest.json
 * @throws ModelError for a folder that is no bundle, a checksum that does not agree, a forest that cannot be walked
 */
export async function readBundle(directory: string): Promise<Bundle> {
  const { manifest, sha256 } = await readManifest(directory)
  const contents = new Map<string, Buffer>()
  for (const digest of manifest.files)
    if (!readLater.has(digest.file))
      contents.set(digest.file, await readChecked(directory, digest, manifest.kind === 'forest'))
  const file = (name: string) => {
    const bytes = contents.get(name)
    if (!bytes) throw new ModelError(`${directory}: the manifest names no ${name}`, { hint: damagedHint })
    return bytes
  }
  const arrow = loadArrow()
  const golden = decodeGolden(arrow, file('golden.arrow'), {
    features: manifest.features,
    taxonomy: taxonomyOf(manifest),
  })
  if (manifest.kind === 'onnx') return { manifest, sha256, forests: [], golden }
  const forests = decodeForests(arrow, { nodes: file('forest.arrow'), leaves: file('leaves.arrow') }, manifest.levels)
  forests.forEach((forest, index) => {
    const problem = findUnsafeNode(forest, manifest.features.length)
    if (problem === null) return
    throw new ModelError(`${directory}: level ${manifest.levels[index]!.name}: ${problem}`, { hint: damagedHint })
  })
  return { manifest, sha256, forests, golden }
}

/**
 * The forests of a bundle with their covers, which classifying does not need and which are therefore read only here.
 *
 * @throws ModelError for a bundle without covers: one of another kind, or made by an older version
 */
export async function withCovers(directory: string, { manifest, forests }: Bundle): Promise<Required<Forest>[]> {
  const digest = manifest.files.find(({ file }) => file === coversFile)
  if (manifest.kind !== 'forest') {
    throw new ModelError(`${directory}: is no forest, and only forests can be explained`)
  }
  if (!digest) {
    throw new ModelError(`${directory}: the bundle does not say how many training samples each node saw`, {
      hint: 'It was made by an older version: lcclf model import makes it again from the pickles.',
    })
  }
  const covers = decodeCovers(loadArrow(), await readChecked(directory, digest), forests)
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

/** The manifest of a bundle alone, with its sha256. */
export async function readManifest(directory: string): Promise<{ manifest: Manifest; sha256: string }> {
  const path = join(directory, 'manifest.json')
  if (!existsSync(path)) {
    throw new ModelError(`${directory}: is no bundle (it has no manifest.json)`, {
      hint: 'lcclf model import makes a bundle from pickles.',
    })
  }
  const { bytes, digest } = await readOriginFile(path)
  return { manifest: parseManifest(bytes.toString('utf8'), path), sha256: digest.sha256 }
}

/** One file of a bundle, compared with what the manifest says of it. */
export async function readChecked(directory: string, expected: FileDigest, isShared = false): Promise<Buffer> {
  const path = join(directory, expected.file)
  const { bytes, digest } = await readOriginFile(path, undefined, isShared)
  if (digest.sha256 === expected.sha256) return bytes
  throw new ModelError(`${path}: its sha256 is ${digest.sha256}, the manifest says ${expected.sha256}`, {
    hint: damagedHint,
  })
}
