// The story of `lcclf model pull`: ask, download, import or verify, and only then put it into the store.
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LcclfError, ModelError, ServiceError } from '../../errors.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { describeModel, readPulledRecord } from '../../model/store/describe-model.ts'
import { refusedByPin } from '../../model/store/model-pin.ts'
import type { StoredModel } from '../../model/store/model-store.ts'
import { takeLock } from '../../model/store/process-lock.ts'
import { redacted } from '../../formats/shown-text.ts'
import { type FetchedModel, fetchModel } from './fetch-model.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { openReader } from './open-reader.ts'
import { readSha256Sums, type Sha256Sums } from './sha256-sums.ts'
import { InterruptedError, type InterruptWatch, watchInterrupts } from '../../terminal/interrupt.ts'
import { downloadFolder, modelStore } from '../../model/store/model-reference.ts'
import {
  listOf,
  type PullFlags,
  type PullOutcome,
  type PullRequest,
  type PullWork,
  resolvePull,
} from './pull-request.ts'
import { storeFetched } from './store-fetched.ts'
import { openTransferProgress, type TransferProgress } from '../../terminal/progress.ts'

/** Pulls, says what is in the store now, and with --json prints one object. */
export async function pullModel(flags: PullFlags): Promise<void> {
  const { source, name, version } = flags
  const request = resolvePull({ source, name, version }, process.env)
  const sums = flags.sha256 === undefined ? knownSums(request) : readSha256Sums(flags.sha256)
  const progress = openTransferProgress({ isSilent: flags.quiet })
  const interrupts = watchInterrupts()
  try {
    const work: PullWork = { request, sums, flags, progress, interrupts, say: sayUnless(flags.quiet, progress) }
    const outcome = await pull(work)
    progress.stop()
    work.say(storyOf(outcome))
    if (flags.json) {
      process.stdout.write(`${JSON.stringify({ schemaVersion: 1, command: 'model pull', ...outcome })}\n`)
    }
  } catch (error) {
    progress.stop()
    if (!(error instanceof InterruptedError)) interrupts.check(kept)
    throw error
  } finally {
    progress.stop()
    interrupts.stop()
  }
}

/** Pulls what `model pull` alone would, for a command that found no model. Answers its folder. */
export async function pullDefault(interrupts: InterruptWatch, progress: TransferProgress): Promise<string> {
  const flags = {
    source: undefined,
    allowHttp: false,
    acceptSwapped: false,
    overwrite: false,
    quiet: true,
    json: false,
  }
  const request = resolvePull({ source: undefined, name: undefined, version: undefined }, process.env)
  const say = (line: string): void => progress.say(line)
  try {
    const outcome = await pull({ request, sums: knownSums(request), flags, progress, interrupts, say })
    say(storyOf(outcome))
    return outcome.folder
  } catch (error) {
    if (!(error instanceof InterruptedError)) interrupts.check(kept)
    throw error
  } finally {
    progress.stop()
  }
}

function storyOf({ name, version, status, folder }: PullOutcome): string {
  return `${name} ${version} ${status} ${folder}`
}

async function pull(work: PullWork): Promise<PullOutcome> {
  return (await findGoodModel(work)) ?? (await fetchIntoStore(work))
}

const kept = 'what has arrived is kept, the same command goes on from there; the store is as it was'

function sayUnless(isQuiet: boolean, progress: TransferProgress): (line: string) => void {
  return (line) => (isQuiet ? undefined : progress.say(line))
}

function knownSums({ known }: PullRequest): Sha256Sums | undefined {
  const entries = Object.entries(known?.sha256 ?? {})
  return entries.length === 0 ? undefined : new Map(entries)
}

/**
 * The model that is asked for, where the store has it and it is whole: then nothing is downloaded, and a store that
 * cannot be written is good enough.
 */
async function findGoodModel({ request, sums, flags, say }: PullWork): Promise<PullOutcome | undefined> {
  const { name, version, address, pin } = request
  if (flags.overwrite || name === undefined || version === undefined) return undefined
  const model = modelStore().find(name, version)
  if (!model) return undefined
  const { sha256, problem } = await describeModel(model, { verify: true })
  if (problem !== null || sha256 === null) {
    say(`${name}@${version} in the store is damaged (${problem}): it is pulled again`)
    return undefined
  }
  if (sums && !(await isListed(model, sha256, sums))) return undefined
  if (pin?.name === name && pin.version === version && pin.sha256 !== sha256) {
    throw refusedByPin(process.cwd(), pin, `the one in the store (sha256 ${sha256})`)
  }
  return { ...model, sha256, address: redacted(address), status: 'is already in' }
}

/**
 * Whether a list of checksums binds a model of the store as it would bind a download: it names the manifest, or every
 * file that was fetched, or (where nothing was) every file it was imported from. What a bundle from elsewhere says of
 * its origin proves nothing.
 *
 * @throws ModelError for a list that names another file than the model was made from
 */
async function isListed({ name, version, folder }: StoredModel, sha256: string, sums: Sha256Sums): Promise<boolean> {
  const { origin } = (await readManifest(folder)).manifest
  const other = origin.find(({ file, sha256: sum }) => sums.has(file) && sums.get(file) !== sum)
  if (other) {
    throw new ModelError(
      `${name}@${version} in the store was made from another ${other.file} than --sha256 names (${other.sha256})`,
      { hint: '--overwrite pulls it again; what is in the store stays until the new one is verified.' },
    )
  }
  if (sums.has('manifest.json')) return sums.get('manifest.json') === sha256
  const files = readPulledRecord(folder)?.files ?? origin
  return files.length > 0 && files.every(({ file, sha256: sum }) => sums.get(file) === sum)
}

async function fetchIntoStore(work: PullWork): Promise<PullOutcome> {
  const { request, flags, interrupts, say } = work
  if (request.known?.note) say(`note: ${request.known.note}`)
  await modelStore().checkWritable()
  const reader = await openReader(request.address, { allowHttp: flags.allowHttp, environment: process.env })
  // pulls of one model share a folder, and the first to come downloads for all
  const key = [reader.address, request.name, request.version, request.known?.files].join('\n')
  const folder = join(downloadFolder(), createHash('sha256').update(key).digest('hex').slice(0, 32))
  const lock = await takeLock(`${folder}.lock`, {
    signal: interrupts.signal,
    onWait: (holder) => say(`waiting for another pull of the same model${holder ? ` (process ${holder.pid})` : ''}`),
  }).catch((error: unknown) => {
    throw cannotKeep(error, folder)
  })
  try {
    // whoever held the lock may have done it; what is wrong with the one that is there was said
    const found = await findGoodModel({ ...work, say: () => undefined })
    if (found) return found
    const fetched = await fetch(work, reader, folder)
    const outcome =
      fetched.kind === 'stored'
        ? await outcomeOfStored(fetched, reader.address)
        : await storeFetched(work, fetched, reader.address).catch(async (error: unknown) => {
            // pieces of two versions look like this too, and must not come back with the next attempt
            if (error instanceof ModelError) await rm(folder, { recursive: true, force: true })
            throw error
          })
    await rm(folder, { recursive: true, force: true })
    return outcome
  } finally {
    reader.close()
    await lock.release()
  }
}

/** A bundle says its name only in its manifest; where that very manifest is in the store, the rest is not needed. */
async function isWholeInStore({ name, version }: Manifest, sha256: string): Promise<boolean> {
  const model = modelStore().find(name, version)
  if (!model) return false
  const { sha256: stored, problem } = await describeModel(model, { verify: true })
  return problem === null && stored === sha256
}

async function outcomeOfStored({ folder }: FetchedModel, address: string): Promise<PullOutcome> {
  const { manifest, sha256 } = await readManifest(folder)
  const { name, version } = manifest
  return { name, version, folder: modelStore().place(name, version), sha256, address, status: 'is already in' }
}

async function fetch(work: PullWork, reader: ObjectReader, folder: string): Promise<FetchedModel> {
  const { request, sums, progress, interrupts, say } = work
  const { known, name, version, others } = request
  try {
    return await fetchModel(reader, folder, {
      name,
      version,
      files: known?.files,
      sums,
      signal: interrupts.signal,
      ...(work.flags.overwrite ? {} : { isStored: isWholeInStore }),
      onBytes: (file, done, total) => progress.update(file, done, total),
      onRetry: (file, reason, waitMs) => say(`${file}: ${reason}; again in ${(waitMs / 1000).toFixed(1)} s`),
    })
  } catch (error) {
    if (!known || !(error instanceof LcclfError)) throw error
    if (!(error instanceof ModelError) && !(error instanceof ServiceError)) throw error
    const Failure = error instanceof ModelError ? ModelError : ServiceError
    throw new Failure(`${known.name}@${known.version} cannot be had from its address: ${error.message}`, {
      cause: error,
      hint: `Other known models: ${listOf(others)}. A copy elsewhere: lcclf model pull ADDRESS --name ${known.name} --version ${known.version}.`,
    })
  }
}

function cannotKeep(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || error.name === 'AbortError') return error
  return new ServiceError(`${folder}: cannot be written (${error.message})`, {
    cause: error,
    hint: 'Downloads are kept in $LCCLF_HOME/cache, else in the XDG cache folder, until they are whole.',
  })
}
