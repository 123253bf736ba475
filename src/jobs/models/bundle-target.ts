// Where a bundle can be published: a folder or an s3 prefix, by the same few calls.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { LcclfError, messageOf, ServiceError, systemCode, UsageError } from '../../errors.ts'
import { takeLock } from '../../model/store/process-lock.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { pathOfFileAddress } from '../../transfer/file-reader.ts'
import type { HttpPolicy } from '../../transfer/http-policy.ts'
import { parseS3Address, s3Settings } from '../../connectors/s3/address.ts'
import { openS3Bucket } from '../../connectors/s3/bucket.ts'
import { TransientError } from '../../transfer/transient-error.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { type IndexEntry, indexFile, indexText, parseIndex, withEntry } from '../../model/store/model-index.ts'

/** A small object, and the version it is. */
interface TargetText {
  readonly text: string
  readonly etag: string | null
}

/** Objects below one address; each appears whole or not at all. */
interface BundleTarget {
  readonly address: string
  /** undefined where there is none */
  readText(name: string): Promise<TargetText | undefined>
  putFile(name: string, path: string, signal?: AbortSignal): Promise<void>
  /**
   * @param over the version it may replace; undefined: only where there is none
   * @returns false where somebody else was faster
   */
  putText(name: string, text: string, over: TargetText | undefined): Promise<boolean>
  close(): Promise<void>
}

/**
 * Opens s3://bucket/prefix, file:… or a folder for writing.
 *
 * @throws UsageError for an address that cannot be written to
 */
export async function openTarget(
  address: string,
  { environment, ...policy }: HttpPolicy & { environment: Readonly<Record<string, string | undefined>> },
): Promise<BundleTarget> {
  if (address.startsWith('s3://')) return openS3Target(address, { environment, ...policy })
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase()
  const hint = 'Expected s3://bucket/prefix/ or a folder.'
  if (scheme !== undefined && scheme !== 'file') {
    throw new UsageError(`${redactedText(address)}: cannot be published to`, { hint })
  }
  return openFolderTarget(resolve(scheme === 'file' ? pathOfFileAddress(address, hint) : address))
}

/** Objects that are longer go up from the disk in parts. */
const wholeBytes = 32 * 1024 * 1024

async function openS3Target(
  address: string,
  { environment, ...policy }: HttpPolicy & { environment: Readonly<Record<string, string | undefined>> },
): Promise<BundleTarget> {
  const { bucket: name, key } = parseS3Address(address)
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`
  const bucket = await openS3Bucket(name, { ...policy, settings: s3Settings(environment), needsCredentials: true })
  const refuse = (error: unknown): never => {
    if (!(error instanceof TransientError)) throw error
    throw new ServiceError(error.message, {
      cause: error,
      hint: 'Nothing half is published: the same command tries again.',
    })
  }
  return {
    address: `s3://${name}/${prefix}`,
    async readText(object) {
      const found = await bucket.read(`${prefix}${object}`, {}).catch(refuse)
      if (found === undefined || found === 'changed') return undefined
      const pieces: Buffer[] = []
      for await (const piece of found.body as AsyncIterable<Buffer>) pieces.push(piece)
      return { text: Buffer.concat(pieces).toString('utf8'), etag: found.etag }
    },
    async putFile(object, path, signal) {
      const file = await open(path, 'r')
      const { size } = await file.stat().finally(() => file.close())
      const content = size > wholeBytes ? createReadStream(path, { highWaterMark: 1 << 20 }) : await readFile(path)
      await bucket.write(`${prefix}${object}`, content, { signal }).catch(refuse)
    },
    async putText(object, text, over) {
      const content = Buffer.from(text)
      const written = await bucket
        .write(`${prefix}${object}`, content, { ifEtag: over ? over.etag : null, contentType: 'application/json' })
        .catch(refuse)
      return written !== 'changed'
    },
    close: () => Promise.resolve(bucket.close()),
  }
}

async function openFolderTarget(folder: string): Promise<BundleTarget> {
  const write = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      if (cause instanceof LcclfError) throw cause
      throw new ServiceError(`${folder}: cannot be written (${systemCode(cause) ?? messageOf(cause)})`, {
        cause,
        hint: 'Is there room on the disk, and may you write there?',
      })
    }
  }
  const lock = await write(() => takeLock(join(folder, '.lcclf-index.lock')))
  const publish = (name: string, fill: (path: string) => Promise<void>): Promise<void> =>
    write(async () => {
      const path = join(folder, name)
      await mkdir(dirname(path), { recursive: true })
      const partial = join(dirname(path), `.${randomBytes(6).toString('hex')}.partial`)
      try {
        await fill(partial)
        const file = await open(partial, 'r+')
        await file.sync().finally(() => file.close())
        await rename(partial, path)
      } finally {
        await rm(partial, { force: true })
      }
    })
  const readText = async (name: string): Promise<TargetText | undefined> => {
    const text = await readFile(join(folder, name), 'utf8').catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    })
    return text === undefined ? undefined : { text, etag: createHash('sha256').update(text).digest('hex') }
  }
  return {
    address: folder,
    readText: (name) => write(() => readText(name)),
    putFile: (name, path) => publish(name, (partial) => copyFile(path, partial)),
    async putText(name, text, over) {
      const there = await write(() => readText(name))
      if (there?.etag !== over?.etag) return false
      await publish(name, (partial) => writeFile(partial, text))
      return true
    },
    close: () => lock.release(),
  }
}

// A bundle to an address, in an order in which a reader never sees half of it: files, manifest, index.

/** What to publish, and how. */
interface PublishOptions {
  readonly manifest: Manifest
  /** of its manifest.json */
  readonly sha256: string
  readonly overwrite: boolean
  readonly signal?: AbortSignal
  readonly onFile?: (file: string) => void
}

/** What was published. */
interface PublishedBundle {
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
