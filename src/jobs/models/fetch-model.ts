// An address, and what lies there (an index, a bundle, pickles, an archive of either) → its files in a folder of ours.
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { s3Settings } from '../../connectors/s3/address.ts'
import { messageOf, ModelError, ServiceError, UsageError } from '../../errors.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { alerceTaxonomy, type FileDigest, type Manifest, parseManifest } from '../../model/bundle/manifest.ts'
import { type IndexEntry, indexFile, type KnownModel, parseIndex } from '../../model/store/model-lists.ts'
import { downloadFolder } from '../../model/store/model-reference.ts'
import { highestOf, listOf } from '../../model/store/model-store.ts'
import { download, type Downloaded, type DownloadOptions } from '../../transfer/download.ts'
import { httpReader } from '../../transfer/http-reader.ts'
import { type AbsentObject, fileReader, type ObjectReader, pathOfFileAddress } from '../../transfer/object-reader.ts'
import { takeLock } from '../../transfer/lock.ts'
import type { Sha256Sums } from './pull-request.ts'
import { unpackModel } from './unpack.ts'

const addressHint =
  'Expected https://host/folder/, s3://bucket/prefix/, file:/folder/, a path, or a .tar.gz at any of these.'

/**
 * Opens http(s)://…, s3://…, file:… or a path. What does not end in `.tar.gz` or `.tgz` is a folder, with or without a
 * slash at its end.
 *
 * @throws UsageError for an address of another kind, or one that is not allowed
 */
export async function openReader(
  address: string,
  { allowHttp, environment }: { allowHttp: boolean; environment: Readonly<Record<string, string | undefined>> },
): Promise<ObjectReader> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase()
  if (scheme === 'http' || scheme === 'https') {
    if (!URL.canParse(address))
      throw new UsageError('not a valid http address', { hint: 'Expected https://host/path/.' })
    const url = new URL(address)
    if (!isArchive(url.pathname) && !url.pathname.endsWith('/')) url.pathname += '/'
    return httpReader(url, { allowHttp })
  }
  if (scheme === 's3') {
    const { s3Reader } = await import('../../connectors/s3/bucket.ts')
    const settings = s3Settings(environment)
    const folder = isArchive(address) || address.endsWith('/') ? address : `${address}/`
    return s3Reader(folder, { allowHttp, settings, needsCredentials: false })
  }
  const path = scheme === 'file' ? pathOfFileAddress(address, addressHint) : address
  if (!existsSync(path)) throw new UsageError(`${redactedText(address)}: not found`, { hint: addressHint })
  if (!isArchive(path) && !statSync(path).isDirectory()) {
    throw new UsageError(`${redactedText(address)}: neither a folder nor a .tar.gz`, { hint: addressHint })
  }
  return fileReader(path)
}

function isArchive(path: string): boolean {
  return /\.(tar\.gz|tgz)$/.test(path)
}

/**
 * The folder that everybody shares who fetches the same, locked: the first to come downloads for all.
 *
 * @param parts what makes it the same
 * @throws ServiceError where nothing can be written there
 */
export async function lockDownload(
  parts: readonly unknown[],
  { signal, say }: { signal: AbortSignal; say: (line: string) => void },
) {
  const key = createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32)
  const folder = join(downloadFolder(), key)
  const lock = await takeLock(`${folder}.lock`, {
    signal,
    onWait: (holder) => say(`waiting for another pull of the same model${holder ? ` (process ${holder.pid})` : ''}`),
  }).catch((error: unknown) => {
    if (!(error instanceof Error) || error.name === 'AbortError') throw error
    throw new ServiceError(`cannot write ${folder}: ${messageOf(error)}`, {
      cause: error,
      hint: 'Downloads are kept in $LCCLF_HOME/cache, else in the XDG cache folder, until they are whole.',
    })
  })
  return { folder, release: () => lock.release() }
}

/** What to fetch, and how. */
interface FetchOptions {
  /** where an index offers several */
  readonly name?: string | undefined
  readonly version?: string | undefined
  /** the pickles, where they are known by name, and what is known of them */
  readonly known?: Pick<KnownModel, 'files' | 'md5' | 'size'> | undefined
  /** the checksums of the files; if given, it must name every file that is fetched */
  readonly sums?: Sha256Sums | undefined
  /** whether a bundle need not be fetched; the sha256 is that of its manifest */
  readonly isStored?: (manifest: Manifest, sha256: string) => Promise<boolean>
  readonly signal?: AbortSignal | undefined
  readonly onBytes?: (file: string, done: number, total: number) => void
  readonly onRetry?: (file: string, reason: string, waitMs: number) => void
}

/** The files of a model in a folder. */
export interface FetchedModel {
  /** stored: only the manifest was fetched, `isStored` said that the rest is there */
  readonly kind: 'bundle' | 'pickles' | 'stored'
  readonly folder: string
  readonly files: readonly (FileDigest & { readonly etag: string | null })[]
  /** the object below the address by which it was chosen: while that is the same, so is the model */
  readonly witness: Witness
}

/** A version of one object; `name` is '' for the address itself. */
export interface Witness {
  readonly name: string
  readonly size: number
  readonly etag: string | null
}

const maxText = 16 * 1024 * 1024
/** No array of a model's file may be longer in any Node that lcclf runs on. */
const maxFile = 4_000_000_000
const maxBundleFiles = 16

/**
 * Fetches a model.
 *
 * @param folder is made; what an earlier, broken attempt left there is used
 * @throws ModelError where there is no model, or not the one expected; ServiceError where it cannot be downloaded
 */
export async function fetchModel(reader: ObjectReader, folder: string, options: FetchOptions): Promise<FetchedModel> {
  await mkdir(folder, { recursive: true })
  const fetcher = createFetcher(reader, folder, options)
  if (isArchive(reader.address)) return fetchArchive(fetcher)
  const known = options.known?.files.map((name) => [name])
  if (known) return fetchPickles(fetcher, known)
  const index = await fetcher.text(indexFile)
  if (index !== null) {
    const where = reader.nameOf(indexFile)
    const entries = await orDrop(join(folder, indexFile), () => parseIndex(index.text, where))
    const { name, version, sha256 } = chooseEntry(entries, where, options)
    return { ...(await fetchBundle(fetcher, `${name}/${version}/`, sha256)), witness: index.witness }
  }
  const manifest = await fetcher.text('manifest.json')
  if (manifest !== null) return { ...(await fetchBundle(fetcher, '', undefined)), witness: manifest.witness }
  const top = await fetcher.any([...topNames, wholeModel])
  if (top.file === wholeModel) return { kind: 'pickles', folder, files: [top], witness: witnessOf(top) }
  return fetchPickles(fetcher, [[top.file], ['features_RF_model.pkl'], ...branchNames(top.file)])
}

type Fetcher = ReturnType<typeof createFetcher>

function createFetcher(reader: ObjectReader, folder: string, options: FetchOptions) {
  const { sums, signal, onBytes, onRetry } = options
  const labelOf = (name: string): string => (name === '' ? reader.address : name).split(/[/\\]/).at(-1)!
  const attempt = (
    name: string,
    { maxBytes = maxFile, ...expected }: { maxBytes?: number | undefined } & NonNullable<DownloadOptions['expected']>,
  ): Promise<Downloaded | AbsentObject> => {
    const label = labelOf(name)
    return download(reader, name, join(folder, label), {
      expected,
      maxBytes,
      signal,
      onBytes: (done, total) => onBytes?.(label, done, total),
      onRetry: (reason, waitMs) => onRetry?.(label, reason, waitMs),
    })
  }
  const fetched = (file: string, { sha256, size, etag }: Downloaded) => ({ file, sha256, size, etag })
  const unlisted = (name: string): ModelError =>
    new ModelError(`${reader.nameOf(name)}: the list of --sha256 does not name it`, {
      hint: 'The list must name every file of the model.',
    })
  return {
    reader,
    folder,
    options,
    /** The first name that is there. */
    async any(choice: readonly string[]) {
      const reasons: string[] = []
      for (const name of choice) {
        const { md5, size } = options.known ?? {}
        const got = await attempt(name, { sha256: sums?.get(name), md5: md5?.[name], size: size?.[name] })
        if (got.kind === 'downloaded') {
          if (sums && !sums.has(name)) throw unlisted(name)
          if (!(await isWebPage(got.path))) return fetched(name, got)
          await rm(got.path)
        }
        reasons.push(`${name} ${got.kind === 'absent' ? got.why : 'is a web page'}`)
      }
      throw nothingThere(reader, reasons)
    },
    /** null where there is none; a web page in its place counts as none */
    async text(name: string): Promise<{ readonly text: string; readonly witness: Witness } | null> {
      const got = await attempt(name, { maxBytes: maxText })
      if (got.kind === 'absent' || (await isWebPage(got.path))) return null
      const { path, size, etag } = got
      return { text: await readFile(path, 'utf8'), witness: { name, size, etag } }
    },
    /** @param pinned what the manifest or the index says of the file; `isBound`: no list need name it */
    async file(
      name: string,
      pinned: { sha256?: string | undefined; size?: number; maxBytes?: number; isBound?: boolean } = {},
    ) {
      const label = labelOf(name)
      const where = reader.nameOf(name)
      const listed = sums?.get(label)
      if (sums && listed === undefined && pinned.isBound !== true) throw unlisted(name)
      if (listed !== undefined && pinned.sha256 !== undefined && listed !== pinned.sha256) {
        throw new ModelError(`${where}: the list of --sha256 says ${listed}, the address ${pinned.sha256}`)
      }
      const got = await attempt(name, { maxBytes: pinned.maxBytes, size: pinned.size, sha256: listed ?? pinned.sha256 })
      if (got.kind === 'absent') throw nothingThere(reader, [`${where} ${got.why}`])
      return fetched(label, got)
    },
  }
}

/** A login or error page that was sent in place of the file; no file of a model begins like this. */
async function isWebPage(path: string): Promise<boolean> {
  return (await text(createReadStream(path, { end: 1023 }))).trimStart().startsWith('<')
}

/** A file that cannot be read is not kept: the next attempt fetches it from its first byte. */
async function orDrop<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ModelError) await rm(path, { force: true })
    throw error
  }
}

const loginHint = 'Check the address, and whether it can be read without logging in.'

function nothingThere(reader: ObjectReader, reasons: readonly string[]): ModelError | ServiceError {
  const message = `${reader.address}: no model there (${reasons.join(', ')})`
  if (reasons.some((reason) => reason.includes('refuses'))) {
    const hint = 'Check that you may read it. Some servers also refuse what does not exist.'
    return new ServiceError(message, { hint })
  }
  const expected =
    'Expected a folder with an lcclf-index.json, a manifest.json or the pickles of a model, or a .tar.gz.'
  const isPage = reasons.some((reason) => reason.includes('web page'))
  return new ModelError(message, { hint: isPage ? loginHint : expected })
}

/**
 * @param path below the address, with a slash at its end, or ''
 * @param sha256 of the manifest, where an index pins it
 */
async function fetchBundle(
  fetcher: Fetcher,
  path: string,
  sha256: string | undefined,
): Promise<Omit<FetchedModel, 'witness'>> {
  const { reader, folder, options } = fetcher
  const manifestFile = await fetcher.file(`${path}manifest.json`, { maxBytes: maxText, sha256 })
  const where = reader.nameOf(`${path}manifest.json`)
  const manifestPath = join(folder, 'manifest.json')
  const manifestText = await readFile(manifestPath, 'utf8')
  const manifest = await orDrop(manifestPath, () => parseManifest(manifestText, where))
  if (manifest.files.length > maxBundleFiles) {
    throw new ModelError(`${where}: names ${manifest.files.length} files, too many for a bundle`)
  }
  if (await options.isStored?.(manifest, manifestFile.sha256)) return { kind: 'stored', folder, files: [manifestFile] }
  const files = [manifestFile]
  // the manifest's checksums bind all other files
  for (const { file, sha256: sum, size } of manifest.files) {
    files.push(await fetcher.file(`${path}${file}`, { sha256: sum, size, isBound: true }))
  }
  return { kind: 'bundle', folder, files }
}

async function fetchPickles(fetcher: Fetcher, choices: readonly (readonly string[])[]): Promise<FetchedModel> {
  const files = []
  for (const choice of choices) files.push(await fetcher.any(choice))
  return { kind: 'pickles', folder: fetcher.folder, files, witness: witnessOf(files[0]!) }
}

const witnessOf = ({ file: name, size, etag }: FetchedModel['files'][number]): Witness => ({ name, size, etag })

async function fetchArchive(fetcher: Fetcher): Promise<FetchedModel> {
  const { reader, folder } = fetcher
  const archive = await fetcher.file('')
  const target = join(folder, 'unpacked')
  const packed = join(folder, archive.file)
  const kind = await orDrop(packed, async () => {
    if (await isWebPage(packed)) throw new ModelError(`${reader.address}: is a web page`, { hint: loginHint })
    return unpackModel(packed, target, reader.address)
  })
  return { kind, folder: target, files: [archive], witness: { ...witnessOf(archive), name: '' } }
}

function chooseEntry(entries: readonly IndexEntry[], where: string, { name, version }: FetchOptions): IndexEntry {
  const offered = entries.filter((entry) => name === undefined || entry.name === name)
  const list = listOf(entries)
  if (new Set(offered.map((entry) => entry.name)).size > 1) {
    throw new ModelError(`${where}: offers several models`, { hint: `Choose one with --name: ${list}.` })
  }
  const found = highestOf(offered, name, version)
  if (found) return found
  const wanted = [name, version].filter((part) => part !== undefined).join(' ')
  throw new ModelError(`${where}: has no model ${wanted}`, { hint: list === '' ? 'It is empty.' : `It has ${list}.` })
}

// The names under which the pickles of a model are looked for, where an address cannot be listed.

/** The first file that is looked for; its name decides the kind (`RF` of 1.0.0, `BRF` of 1.1.x) of the others. */
const topNames = [
  'hierarchical_level_RF_model.pkl',
  'top_level_BRF_model.pkl',
  'top_level_RF_model.pkl',
  'hierarchical_level_BRF_model.pkl',
]

/** Since 2024 all forests are in one file. */
const wholeModel = 'hierarchical_random_forest_model.pkl'

/** The files of the branches, beside the top that was found. */
function branchNames(top: string): string[][] {
  const kinds = top.includes('_BRF_') ? ['BRF', 'RF'] : ['RF', 'BRF']
  return Object.keys(alerceTaxonomy).map((branch) =>
    kinds.map((kind) => `${branch.toLowerCase()}_level_${kind}_model.pkl`),
  )
}
