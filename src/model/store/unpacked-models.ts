// Bundles that came as an archive or from an address and were not put into the store: cache/models, and who asked for them.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, readFile, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ModelError } from '../../errors.ts'
import { jsonChecker } from '../../formats/checked-json.ts'
import { writeWholeFile } from '../../whole-file.ts'
import { readManifest } from '../bundle/read-bundle.ts'
import { cacheFolder } from './model-reference.ts'
import { isFolder, type ModelStore, openStore } from './model-store.ts'

/** the name of all of them; a version is the sha256 of the archive, or of the manifest where there is no archive */
const shelf = 'unpacked'

/** Where they are, each in a folder that appears in one rename. */
export function unpackedStore(): ModelStore {
  return openStore(join(cacheFolder(), 'models'))
}

/** The files of a bundle appear in its place in one step, once `fill` has put them into a folder beside it. */
export async function addUnpacked(digest: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const store = unpackedStore()
  const staging = await store.stage(shelf, digest)
  try {
    await fill(staging.bundle)
    const folder = store.place(shelf, digest)
    // one that is there and whole stays: somebody may be reading it
    const isDamaged = existsSync(folder) && (await findUnpacked(digest)) === undefined
    await store.publish(staging, { overwrite: isDamaged, isRenamable: false })
    return folder
  } finally {
    await staging.discard()
  }
}

/** The folder of a bundle, if its files are there in the size that its manifest says. Who opens it checks the bytes. */
export async function findUnpacked(digest: string): Promise<string | undefined> {
  const folder = unpackedStore().place(shelf, digest)
  if (!existsSync(join(folder, 'manifest.json'))) return undefined
  try {
    const { files } = (await readManifest(folder)).manifest
    const sizeOf = (file: string) => statSync(join(folder, file), { throwIfNoEntry: false })?.size
    return files.every(({ file, size }) => sizeOf(file) === size) ? folder : undefined
  } catch (error) {
    if (error instanceof ModelError) return undefined
    throw error
  }
}

/** What a reference led to when it was last asked for. */
export interface UnpackedRecord {
  readonly schemaVersion: 1
  /** without secrets */
  readonly address: string
  /** which bundle: see findUnpacked */
  readonly digest: string
  /** the object below the address that says whether anything has changed; '' for the address itself */
  readonly witness: { readonly name: string; readonly size: number; readonly etag: string | null }
  /** ISO-8601, UTC */
  readonly fetchedAt: string
}

const recordPath = (key: string): string => join(unpackedStore().root, `${key}.json`)

/** undefined where there is none that can be read: then it is fetched again */
export async function readUnpackedRecord(key: string): Promise<UnpackedRecord | undefined> {
  return parseRecord(await readFile(recordPath(key), 'utf8').catch(() => ''))
}

function parseRecord(text: string): UnpackedRecord | undefined {
  const check = jsonChecker((what) => new ModelError(what))
  try {
    const value = check.record(check.json(text), 'record')
    if (value['schemaVersion'] !== 1) return undefined
    const { name, size, etag } = check.record(value['witness'], 'witness')
    return {
      schemaVersion: 1,
      address: check.text(value['address'], 'address'),
      digest: check.sha256(value['digest'], 'digest'),
      witness: {
        // the address itself has no name
        name: name === '' ? '' : check.text(name, 'name'),
        size: check.count(size, 'size'),
        etag: etag === null ? null : check.text(etag, 'etag'),
      },
      fetchedAt: check.text(value['fetchedAt'], 'fetchedAt'),
    }
  } catch {
    return undefined
  }
}

export async function writeUnpackedRecord(key: string, record: UnpackedRecord): Promise<void> {
  await mkdir(unpackedStore().root, { recursive: true })
  await writeWholeFile(recordPath(key), `${JSON.stringify(record, null, 2)}\n`)
}

/** Keeps `lcclf model gc` from a bundle that is used. A cache that cannot be written is good enough. */
export async function markUsed(key: string): Promise<void> {
  const now = new Date()
  await utimes(recordPath(key), now, now).catch(() => undefined)
}

const day = 24 * 3600 * 1000
/** how long a bundle is kept that nobody asks for */
const unusedDays = 30

/**
 * What is not needed: records that nobody used for a month, and bundles that no other record names. One without a record is
 * kept for a day, as its record may be about to be written.
 */
export async function staleUnpacked(): Promise<{ readonly path: string; readonly why: string }[]> {
  const { root } = unpackedStore()
  const names = existsSync(root) ? readdirSync(root) : []
  const ageOf = (path: string): number =>
    Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  const records = names.filter((name) => name.endsWith('.json')).map((name) => join(root, name))
  const unused = records.filter((path) => ageOf(path) > unusedDays * day)
  const needed = new Set<string | undefined>()
  for (const path of records.filter((record) => !unused.includes(record))) {
    needed.add((await readUnpackedRecord(basename(path, '.json')))?.digest)
  }
  const place = join(root, shelf)
  const bundles = existsSync(place) ? readdirSync(place).map((name) => join(place, name)) : []
  const left = bundles.filter((path) => {
    return /^[0-9a-f]{64}$/.test(basename(path)) && isFolder(path) && !needed.has(basename(path)) && ageOf(path) > day
  })
  return [
    ...unused.map((path) => ({ path, why: `where a model was unpacked that nobody used for ${unusedDays} days` })),
    ...left.map((path) => ({
      path,
      why: `an unpacked model that nobody used for ${unusedDays} days, or that was replaced`,
    })),
  ]
}
