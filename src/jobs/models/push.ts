// The story of `lcclf model push`: a bundle to a folder or a bucket, in an order in which a reader never sees half of it.
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { parseS3Address, s3Settings } from '../../connectors/s3/address.ts'
import { openS3Bucket } from '../../connectors/s3/bucket.ts'
import { openObjectOutput } from '../../connectors/s3/s3-output.ts'
import { messageOf, ServiceError, systemCode, UsageError, writeFailure } from '../../errors.ts'
import { redactedText } from '../../formats/shown-text.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { type IndexEntry, indexFile, indexWith, parseIndex } from '../../model/store/model-lists.ts'
import { findBundle } from '../../model/store/model-reference.ts'
import { watchInterrupts } from '../../terminal/interrupt.ts'
import { pathOfFileAddress } from '../../transfer/object-reader.ts'
import { takeLock } from '../../transfer/lock.ts'
import { patiently } from '../../transfer/transient-error.ts'
import { type ByteOutput, openReplacement, writeWholeFile } from '../../whole-file.ts'
import { localModel } from './local-model.ts'
import { checkBundle } from './check-bundle.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Verifies a bundle, publishes it, and says where. */
export async function pushModel(
  reference: string,
  options: { address: string; overwrite: boolean; allowHttp: boolean; json: boolean },
): Promise<void> {
  const { address, overwrite, allowHttp, json } = options
  const directory = findBundle(await localModel(reference))
  await checkBundle(directory)
  const { manifest, sha256 } = await readManifest(directory)
  const interrupts = watchInterrupts()
  const target = await openTarget(address, { allowHttp, environment: process.env })
  try {
    const published = await publishBundle(directory, target, { manifest, sha256, overwrite, signal: interrupts.signal })
    const { name, version } = manifest
    process.stderr.write(`${name} ${version} is ${published.status}: ${published.address}\n`)
    process.stderr.write(`lcclf model pull ${target.address} --name ${name} --version ${version} gets it\n`)
    if (!json) return
    const report = { schemaVersion: 1, command: 'model push', name, version, sha256, ...published }
    await print(`${JSON.stringify(report)}\n`)
  } catch (error) {
    interrupts.check('the bundle is not in the index')
    throw error
  } finally {
    interrupts.stop()
    await target.close()
  }
}

/** A small object, and which version it is. */
type TargetText = { readonly text: string; readonly etag: string | null }

/** Objects below one address; each appears whole or not at all. */
interface BundleTarget {
  readonly address: string
  /** undefined where there is none */
  readText(name: string): Promise<TargetText | undefined>
  /** Begins an object, or replaces the one that has the name. */
  openOutput(name: string): Promise<ByteOutput>
  /**
   * @param over the version it may replace; undefined: only where there is none
   * @returns false where another process was faster
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
  options: { readonly allowHttp: boolean; readonly environment: NodeJS.ProcessEnv },
): Promise<BundleTarget> {
  if (address.startsWith('s3://')) return openS3Target(address, options)
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase()
  const hint = 'Expected s3://bucket/prefix/ or a folder.'
  if (scheme !== undefined && scheme !== 'file') {
    throw new UsageError(`${redactedText(address)}: models cannot be published there`, { hint })
  }
  return openFolderTarget(resolve(scheme === 'file' ? pathOfFileAddress(address, hint) : address))
}

async function openS3Target(
  address: string,
  { allowHttp, environment }: Parameters<typeof openTarget>[1],
): Promise<BundleTarget> {
  const { bucket: name, key } = parseS3Address(address)
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`
  const bucket = await openS3Bucket(name, { allowHttp, settings: s3Settings(environment), needsCredentials: true })
  const ask = <T>(work: () => Promise<T>): Promise<T> =>
    patiently(work, { retries: 1, hint: 'No half bundle is published: run the same command again.' })
  return {
    address: `s3://${name}/${prefix}`,
    readText: (object) =>
      ask(async () => {
        const found = await bucket.read(`${prefix}${object}`)
        if (found === undefined || found === 'changed') return undefined
        return { text: await textOf(found.body), etag: found.etag }
      }),
    openOutput: (object) => openObjectOutput(bucket, `${prefix}${object}`, { overwrite: true }),
    async putText(object, text, over) {
      const options = { ifEtag: over ? over.etag : null, contentType: 'application/json' }
      return (await ask(() => bucket.write(`${prefix}${object}`, Buffer.from(text), options))) !== 'changed'
    },
    close: () => Promise.resolve(bucket.close()),
  }
}

async function openFolderTarget(folder: string): Promise<BundleTarget> {
  const lock = await takeLock(join(folder, '.lcclf-index.lock')).catch((error: unknown) => {
    throw writeFailure(folder, error)
  })
  return {
    address: folder,
    async readText(name) {
      try {
        return { text: await readFile(join(folder, name), 'utf8'), etag: null }
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return undefined
        throw new ServiceError(`${join(folder, name)}: cannot be read (${messageOf(error)})`, { cause: error })
      }
    },
    async openOutput(name) {
      const path = join(folder, name)
      return openReplacement({ path, address: path, overwrite: true })
    },
    async putText(name, text) {
      // the lock keeps others out
      await writeWholeFile(join(folder, name), text)
      return true
    },
    close: () => lock.release(),
  }
}

/** Other processes may be publishing into the same index. */
const indexAttempts = 10

/**
 * Publishes a bundle below an address as NAME/VERSION/: its files, then its manifest, then its entry in the index.
 *
 * @param options.sha256 of its manifest.json
 * @returns where its folder is
 * @throws UsageError where another bundle of this name and version is there and `overwrite` was not asked for;
 *   ServiceError where it cannot be written
 */
async function publishBundle(
  directory: string,
  target: BundleTarget,
  options: { manifest: Manifest; sha256: string; overwrite: boolean; signal: AbortSignal },
): Promise<{ address: string; status: 'published' | 'already there' }> {
  const { manifest, sha256, overwrite, signal } = options
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
    process.stderr.write(`${file}\n`)
    await putFile(await target.openOutput(`${place}${file}`), join(directory, file), signal)
  }
  if (!isThere && !(await target.putText(`${place}manifest.json`, manifestText, there))) {
    const hint = 'Publish a version only once at a time.'
    throw new ServiceError(`${address}: another process is publishing it`, { hint })
  }
  await enter(target, { name, version, sha256, size: files.reduce((sum, { size }) => sum + size, 0) })
  return { address, status: isThere ? 'already there' : 'published' }
}

async function putFile(output: ByteOutput, path: string, signal: AbortSignal): Promise<void> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      signal.throwIfAborted()
      await output.write(chunk as Buffer)
    }
    await output.finish()
    await output.publish()
  } finally {
    await output.close()
  }
}

async function enter(target: BundleTarget, entry: IndexEntry): Promise<void> {
  for (let attempt = 0; attempt < indexAttempts; attempt++) {
    const there = await target.readText(indexFile)
    const text = indexWith(there ? parseIndex(there.text, `${target.address}${indexFile}`) : [], entry)
    if (there?.text === text || (await target.putText(indexFile, text, there))) return
  }
  throw new ServiceError(`${target.address}: its index keeps changing`, {
    hint: 'The bundle was published but is not in the index yet: run the same command again.',
  })
}
