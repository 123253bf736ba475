// A model as a list shows it: read from its manifest, its files compared with their checksums; and where it was pulled from.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, ModelError } from '../../errors.ts'
import { jsonChecker } from '../../formats/checked-json.ts'
import { sha256OfFile } from '../../whole-file.ts'
import { type FileDigest, type Manifest, readDigest, taxonomyOf } from '../bundle/manifest.ts'
import { readManifest, readParts } from '../bundle/read-bundle.ts'
import { type Structure, structureOf } from '../bundle/structure.ts'
import type { StoredModel } from './model-store.ts'

/** One line of a list. */
export interface ModelDescription extends StoredModel {
  /** of manifest.json; null where it cannot be read */
  readonly sha256: string | null
  /** leaf classes in output order */
  readonly classes: readonly string[]
  /** null where it cannot be read */
  readonly structure: Structure | null
  readonly trees: number
  readonly features: number
  /** bytes of all files */
  readonly size: number
  /** whether every file has its checksum; null where that was not checked */
  readonly verified: boolean | null
  /** what is wrong with it */
  readonly problem: string | null
  /** where it was pulled from, else what it was imported from */
  readonly origin: string
}

/** Describes a model. A damaged one is described as such, not thrown. */
export async function describeModel(model: StoredModel, { verify }: { verify: boolean }): Promise<ModelDescription> {
  try {
    const { manifest, sha256 } = await readManifest(model.folder)
    const { levels, features, files } = manifest
    const problem = verify ? await findWrongFile(model.folder, files) : null
    return {
      ...model,
      sha256,
      classes: taxonomyOf(manifest).levels[0]!.classes,
      structure: structureOf(manifest, await readParts(model.folder, manifest)),
      trees: levels.reduce((sum, { trees }) => sum + trees, 0),
      features: features.length,
      size: files.reduce((sum, { size }) => sum + size, 0),
      verified: verify ? problem === null : null,
      problem,
      origin: originOf(model.folder, manifest),
    }
  } catch (error) {
    const nothing = { sha256: null, classes: [], structure: null, trees: 0, features: 0, size: 0, origin: '' }
    return { ...model, ...nothing, verified: false, problem: messageOf(error) }
  }
}

/** The first file that differs from the manifest, in words; null if none does. Holds no file in memory. */
async function findWrongFile(folder: string, files: readonly FileDigest[]): Promise<string | null> {
  for (const { file, sha256 } of files) {
    try {
      const found = await sha256OfFile(join(folder, file))
      if (found !== sha256) return `${file}: its sha256 is ${found}, the manifest says ${sha256}`
    } catch (error) {
      return `${file}: cannot be read (${messageOf(error)})`
    }
  }
  return null
}

function originOf(folder: string, { origin, trainedBy }: Manifest): string {
  const pulled = readPulledRecord(folder)
  if (pulled) return pulled.address
  const files = origin.length === 1 ? origin[0]!.file : `${origin.length} files`
  return `imported from ${files} of ${trainedBy.library}${trainedBy.version === null ? '' : ` ${trainedBy.version}`}`
}

/**
 * pulled.json beside a manifest: where a model of the store was pulled from. The manifest pins the files' checksums; this
 * is no part of the model's identity.
 */
export interface PulledRecord {
  readonly schemaVersion: 1
  /** without user, password and query */
  readonly address: string
  /** ISO-8601, UTC */
  readonly pulledAt: string
  readonly files: readonly (FileDigest & { readonly etag: string | null })[]
}

const fileName = 'pulled.json'

export async function writePulledRecord(folder: string, record: PulledRecord): Promise<void> {
  await writeFile(join(folder, fileName), `${JSON.stringify(record, null, 2)}\n`, { flush: true })
}

/** The record of a bundle's folder; undefined where it has none that can be read. */
export function readPulledRecord(folder: string): PulledRecord | undefined {
  // its failure is caught below: without the record a model is as good as with it
  const check = jsonChecker((what) => new ModelError(`${fileName}: ${what}`))
  try {
    const value = check.record(check.json(readFileSync(join(folder, fileName), 'utf8')), 'record')
    if (value['schemaVersion'] !== 1) return undefined
    return {
      schemaVersion: 1,
      address: check.text(value['address'], 'address'),
      pulledAt: check.text(value['pulledAt'], 'pulledAt'),
      files: check.list(value['files'], 'files').map((entry) => {
        const { etag } = check.record(entry, 'file')
        return { ...readDigest(check, entry), etag: etag === null ? null : check.text(etag, 'etag') }
      }),
    }
  } catch {
    return undefined
  }
}
