// What lies at an address (an index, a bundle, pickles, an archive of either) → its files in a folder of ours.
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelError, ServiceError } from '../../errors.ts'
import { alerceTaxonomy, type FileDigest, type Manifest } from '../../model/bundle/manifest.ts'
import { parseManifest } from '../../model/bundle/parse-manifest.ts'
import { type IndexEntry, indexFile, parseIndex } from '../../model/store/model-index.ts'
import { byVersion } from '../../model/store/model-store.ts'
import { download, type Downloaded, type DownloadOptions } from '../../transfer/download.ts'
import type { AbsentObject, ObjectReader } from '../../transfer/object-reader.ts'
import type { Sha256Sums } from './sha256-sums.ts'
import { unpackModel } from './unpack.ts'

/** What to fetch, and how. */
interface FetchOptions {
  /** where an index offers several */
  readonly name?: string | undefined
  readonly version?: string | undefined
  /** the pickles, where they are known by name */
  readonly files?: readonly string[] | undefined
  /** what the files must be; then every one that is fetched must be named in it */
  readonly sums?: Sha256Sums | undefined
  /** whether a bundle need not be fetched; the sha256 is that of its manifest */
  readonly isStored?: (manifest: Manifest, sha256: string) => Promise<boolean>
  readonly signal?: AbortSignal | undefined
  readonly patience?: DownloadOptions['patience']
  readonly onBytes?: (file: string, done: number, total: number) => void
  readonly onRetry?: (file: string, reason: string, waitMs: number) => void
}

/** A file that was fetched. */
type FetchedFile = FileDigest & { readonly etag: string | null }

/** The files of a model in a folder. */
export interface FetchedModel {
  /** stored: only the manifest was fetched, `isStored` said that the rest is there */
  readonly kind: 'bundle' | 'pickles' | 'stored'
  readonly folder: string
  readonly files: readonly FetchedFile[]
}

const maxText = 16 * 1024 * 1024
/** No array of a model's file may be longer in any Node that lcclf runs on. */
const maxFile = 4_000_000_000
const maxBundleFiles = 16

/**
 * Fetches a model.
 *
 * @param folder is made; what an earlier, broken attempt left there is used
 * @throws ModelError where there is no model, or not the one expected; ServiceError where it cannot be had
 */
export async function fetchModel(reader: ObjectReader, folder: string, options: FetchOptions): Promise<FetchedModel> {
  await mkdir(folder, { recursive: true })
  const fetcher = createFetcher(reader, folder, options)
  if (/\.(tar\.gz|tgz)$/.test(reader.address)) return fetchArchive(fetcher, reader, folder)
  if (options.files) return fetchPickles(fetcher, folder, [...options.files.map((name) => [name])])
  const index = await fetcher.text(indexFile)
  if (index !== null) {
    const entries = await orDrop(join(folder, indexFile), () => parseIndex(index, reader.nameOf(indexFile)))
    const entry = chooseEntry(entries, reader.nameOf(indexFile), options)
    return fetchBundle(fetcher, {
      reader,
      folder,
      path: `${entry.name}/${entry.version}/`,
      sha256: entry.sha256,
      options,
    })
  }
  const manifest = await fetcher.text('manifest.json')
  if (manifest !== null) return fetchBundle(fetcher, { reader, folder, path: '', sha256: undefined, options })
  const top = await fetcher.any(topNames)
  return fetchPickles(fetcher, folder, [[top.file], [featureListName], ...branchNames(top.file)])
}

/** What the manifest or the index says of a file. */
interface Pinned {
  readonly sha256?: string | undefined
  readonly size?: number | undefined
  readonly maxBytes?: number | undefined
  /** whether a checked manifest says it, so that no list need name the file */
  readonly isBound?: boolean
}

interface Fetcher {
  /** null where there is none; a web page in its place counts as none */
  text(name: string): Promise<string | null>
  file(name: string, pinned?: Pinned): Promise<FetchedFile>
  /** the first that is there */
  any(choice: NameChoice): Promise<FetchedFile>
}

function createFetcher(reader: ObjectReader, folder: string, options: FetchOptions): Fetcher {
  const { sums, signal, patience, onBytes, onRetry } = options
  const labelOf = (name: string): string => (name === '' ? reader.address : name).split(/[/\\]/).at(-1)!
  const attempt = (name: string, { maxBytes = maxFile, ...expected }: Pinned): Promise<Downloaded | AbsentObject> => {
    const label = labelOf(name)
    return download(reader, name, join(folder, label), {
      expected,
      maxBytes,
      signal,
      ...(patience ? { patience } : {}),
      onBytes: (done, total) => onBytes?.(label, done, total),
      onRetry: (reason, waitMs) => onRetry?.(label, reason, waitMs),
    })
  }
  const unlisted = (name: string): ModelError =>
    new ModelError(`${reader.nameOf(name)}: the list of --sha256 does not name it`, {
      hint: 'A list that is given must name every file of the model.',
    })
  return {
    async any(choice) {
      const reasons: string[] = []
      for (const name of choice) {
        const got = await attempt(name, { sha256: sums?.get(name) })
        if (got.kind === 'downloaded') {
          if (sums && !sums.has(name)) throw unlisted(name)
          if (!(await isWebPage(got.path))) return fetched(name, got)
          await rm(got.path)
        }
        reasons.push(`${name} ${got.kind === 'absent' ? got.why : 'is a web page'}`)
      }
      throw nothingThere(reader, reasons)
    },
    async text(name) {
      const got = await attempt(name, { maxBytes: maxText })
      if (got.kind === 'absent') return null
      return (await isWebPage(got.path)) ? null : readFile(got.path, 'utf8')
    },
    async file(name, pinned = {}) {
      const label = labelOf(name)
      const listed = sums?.get(label)
      if (sums && listed === undefined && !pinned.isBound) throw unlisted(name)
      if (listed !== undefined && pinned.sha256 !== undefined && listed !== pinned.sha256) {
        throw new ModelError(
          `${reader.nameOf(name)}: the list of --sha256 says ${listed}, the address ${pinned.sha256}`,
        )
      }
      const got = await attempt(name, { maxBytes: pinned.maxBytes, size: pinned.size, sha256: listed ?? pinned.sha256 })
      if (got.kind === 'absent') throw nothingThere(reader, [`${reader.nameOf(name)} ${got.why}`])
      return fetched(label, got)
    },
  }
}

/** A login page, or an error's, that was sent as if it were the file; no file of a model begins like this. */
async function isWebPage(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1024), 0, 1024, 0).finally(() => file.close())
  return buffer.subarray(0, bytesRead).toString('utf8').trimStart().startsWith('<')
}

/** What cannot be read is not kept: the next attempt fetches it from its first byte. */
async function orDrop<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ModelError) await rm(path, { force: true })
    throw error
  }
}

function fetched(file: string, { sha256, size, etag }: Downloaded): FetchedFile {
  return { file, sha256, size, etag }
}

function nothingThere(reader: ObjectReader, reasons: readonly string[]): ModelError | ServiceError {
  const isRefused = reasons.some((reason) => reason.includes('refuses'))
  const message = `${reader.address}: no model there (${reasons.join(', ')})`
  if (isRefused) {
    return new ServiceError(message, { hint: 'May you read it? A server may also say so of what is not there.' })
  }
  const isPage = reasons.some((reason) => reason.includes('web page'))
  return new ModelError(message, {
    hint: isPage
      ? loginHint
      : 'Expected a folder with an lcclf-index.json, a manifest.json or the pickles of a model, or a .tar.gz.',
  })
}

const loginHint = 'Is it the right address, and may you read it without logging in?'

interface BundlePlace {
  readonly options: FetchOptions
  readonly reader: ObjectReader
  readonly folder: string
  /** below the address, with a slash at its end, or '' */
  readonly path: string
  /** what the index says of the manifest */
  readonly sha256: string | undefined
}

async function fetchBundle(
  fetcher: Fetcher,
  { reader, folder, path, sha256, options }: BundlePlace,
): Promise<FetchedModel> {
  const manifestFile = await fetcher.file(`${path}manifest.json`, {
    maxBytes: maxText,
    ...(sha256 === undefined ? {} : { sha256 }),
  })
  const where = reader.nameOf(`${path}manifest.json`)
  const manifestPath = join(folder, 'manifest.json')
  const text = await readFile(manifestPath, 'utf8')
  const manifest = await orDrop(manifestPath, () => parseManifest(text, where))
  checkFileCount(manifest, where)
  if (await options.isStored?.(manifest, manifestFile.sha256)) return { kind: 'stored', folder, files: [manifestFile] }
  const files: FetchedFile[] = [manifestFile]
  // the manifest's checksums bind all other files
  for (const { file, sha256: sum, size } of manifest.files) {
    files.push(await fetcher.file(`${path}${file}`, { sha256: sum, size, isBound: true }))
  }
  return { kind: 'bundle', folder, files }
}

function checkFileCount({ files }: Manifest, where: string): void {
  if (files.length > maxBundleFiles)
    throw new ModelError(`${where}: names ${files.length} files, too many for a bundle`)
}

async function fetchPickles(fetcher: Fetcher, folder: string, choices: readonly NameChoice[]): Promise<FetchedModel> {
  const files: FetchedFile[] = []
  for (const choice of choices) files.push(await fetcher.any(choice))
  return { kind: 'pickles', folder, files }
}

async function fetchArchive(fetcher: Fetcher, reader: ObjectReader, folder: string): Promise<FetchedModel> {
  const archive = await fetcher.file('')
  const target = join(folder, 'unpacked')
  const packed = join(folder, archive.file)
  const kind = await orDrop(packed, async () => {
    if (await isWebPage(packed)) throw new ModelError(`${reader.address}: is a web page`, { hint: loginHint })
    return unpackModel(packed, target, reader.address)
  })
  return { kind, folder: target, files: [archive] }
}

function chooseEntry(entries: readonly IndexEntry[], where: string, { name, version }: FetchOptions): IndexEntry {
  const offered = entries.filter((entry) => name === undefined || entry.name === name)
  const list = entries.map((entry) => `${entry.name}@${entry.version}`).join(', ')
  const names = new Set(offered.map((entry) => entry.name))
  if (names.size > 1) throw new ModelError(`${where}: offers several models`, { hint: `--name says which: ${list}.` })
  const found = offered
    .filter((entry) => version === undefined || entry.version === version)
    .sort((a, b) => byVersion(a.version, b.version))
    .at(-1)
  if (found) return found
  const wanted = [name, version].filter((part) => part !== undefined).join(' ')
  throw new ModelError(`${where}: has no model ${wanted}`, { hint: list === '' ? 'It is empty.' : `It has ${list}.` })
}

// Under which names the pickles of a model are looked for, where an address cannot be listed.

/** One file of a model: the first of its names that is there. */
type NameChoice = readonly string[]

/** The feature list, which every model as published has. */
const featureListName = 'features_RF_model.pkl'

/** The first file that is looked for; the name it has decides the kind (`RF` of 1.0.0, `BRF` of 1.1.x) of the others. */
const topNames: NameChoice = [
  'hierarchical_level_RF_model.pkl',
  'top_level_BRF_model.pkl',
  'top_level_RF_model.pkl',
  'hierarchical_level_BRF_model.pkl',
]

/** The files of the branches, beside the top that was found. */
function branchNames(top: string): NameChoice[] {
  const kinds = top.includes('_BRF_') ? ['BRF', 'RF'] : ['RF', 'BRF']
  return Object.keys(alerceTaxonomy).map((branch) =>
    kinds.map((kind) => `${branch.toLowerCase()}_level_${kind}_model.pkl`),
  )
}
