// The story of `lcclf model pull`: ask, download, import or verify, and only then put it into the store.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LcclfError, ModelError, ServiceError, UsageError } from '../../errors.ts'
import { redacted } from '../../formats/shown-text.ts'
import { identityOf, type Manifest } from '../../model/bundle/manifest.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { importModel } from '../../model/import-model.ts'
import { describeModel, readPulledRecord, writePulledRecord } from '../../model/store/describe-model.ts'
import { type ChosenModel, modelStore, readPin, refusedByPin, theNewest } from '../../model/store/model-reference.ts'
import { readKnownModels } from '../../model/store/model-lists.ts'
import { listOf, type StoredModel } from '../../model/store/model-store.ts'
import { InterruptedError, type InterruptWatch, watchInterrupts } from '../../terminal/interrupt.ts'
import type { PullFlags as ModelPullFlags } from '../../terminal/model-flags.ts'
import { openTransferProgress, type TransferProgress } from '../../terminal/progress.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { copyBundle } from './copy-bundle.ts'
import { type FetchedModel, fetchModel, lockDownload, openReader } from './fetch-model.ts'
import { chooseLocalModel } from './local-model.ts'
import { type PullRequest, type PullTarget, readSha256Sums, resolvePull, type Sha256Sums } from './pull-request.ts'
import { checkBundle } from './check-bundle.ts'
import { print } from '../../terminal/standard-streams.ts'

type PullFlags = PullTarget &
  Pick<ModelPullFlags, 'allowHttp' | 'acceptSwapped' | 'overwrite'> & { readonly classifierName?: string | undefined }

interface PullWork {
  readonly request: PullRequest
  readonly sums: Sha256Sums | undefined
  readonly flags: PullFlags
  readonly progress: TransferProgress
  readonly interrupts: InterruptWatch
  say(line: string): void
}

/** What is in the store in the end. */
interface PullOutcome extends StoredModel {
  readonly sha256: string
  readonly address: string
  readonly status: 'is now in' | 'is replaced in' | 'is already in'
}

/** Pulls, says what is in the store now, and with --json prints one object. */
export async function pullModel(
  flags: PullFlags & { sha256?: string | undefined; quiet: boolean; json: boolean },
): Promise<void> {
  const request = resolvePull(flags, process.env)
  const sums = flags.sha256 === undefined ? knownSums(request) : readSha256Sums(flags.sha256)
  const progress = openTransferProgress({ isSilent: flags.quiet })
  const interrupts = watchInterrupts()
  const say = (line: string): void => (flags.quiet ? undefined : progress.say(line))
  try {
    const outcome = await pull({ request, sums, flags, progress, interrupts, say })
    if (!flags.json) return
    await print(`${JSON.stringify({ schemaVersion: 1, command: 'model pull', ...outcome })}\n`)
  } finally {
    interrupts.stop()
  }
}

/**
 * A model whose results others rely on, never the sample: the one named, else the one pinned, else the newest of the store,
 * else the known default, pulled.
 *
 * @param options.mayPull false: an empty store is not filled (`LCCLF_PULL=never`, a dry run)
 * @throws ModelError if there is none
 */
export async function liveModel(
  reference: string | undefined,
  options: { interrupts: InterruptWatch; progress: TransferProgress; mayPull: boolean },
): Promise<ChosenModel> {
  const chosen = await chooseLocalModel(reference || undefined, theNewest, options)
  if (chosen) return chosen
  const { interrupts, progress, mayPull } = options
  const { root } = modelStore()
  const noModel = (why: string, cause?: unknown): ModelError =>
    new ModelError(`no --model, no LCCLF_MODEL, and the model store ${root} is empty${why}`, {
      cause,
      hint: 'The sample model is for demonstrations only and never writes to Kafka or Postgres. lcclf model import makes a model from pickles, lcclf model pull ADDRESS downloads one.',
    })
  if (!mayPull) throw noModel('')
  const say = (line: string): void => progress.say(line)
  say(`the model store ${root} is empty: pulling the known default (LCCLF_PULL=never forbids it)`)
  try {
    const request = resolvePull({}, process.env)
    const flags = { allowHttp: false, acceptSwapped: false, overwrite: false }
    const { folder } = await pull({ request, sums: knownSums(request), flags, progress, interrupts, say })
    return { directory: folder, chosenBy: 'the known default, just pulled', isDemonstration: false }
  } catch (error) {
    if (!(error instanceof LcclfError) || error instanceof InterruptedError) throw error
    throw noModel(`, and ${error.message}`, error)
  }
}

/**
 * Puts a model into the store under a name and a version, if no whole one is there: what lies at an address, or one file
 * below it.
 *
 * @param from.classifierName of its results, if it is imported
 * @throws ModelError, ServiceError
 */
export async function pullFrom(
  from: { address: string; file: string | undefined; name: string; version: string; classifierName: string },
  { interrupts, progress }: { interrupts: InterruptWatch; progress: TransferProgress },
): Promise<StoredModel> {
  const { address, file, name, version, classifierName } = from
  const published = readKnownModels(process.env['LCCLF_KNOWN_MODELS'] || undefined).models
  const known = published.find(({ url, files }) => url === address && files.length === 1 && files[0] === file)
  const alone = { url: address, files: [file ?? ''], sha256: {}, md5: {}, size: {}, note: '' }
  const entry = file === undefined ? undefined : { ...alone, ...known, name, version }
  const request = { address, name, version, known: entry, others: [], pin: readPin() }
  const flags = { allowHttp: false, acceptSwapped: false, overwrite: false, classifierName }
  const say = (line: string): void => progress.say(line)
  return pull({ request, sums: knownSums(request), flags, progress, interrupts, say })
}

function knownSums({ known }: PullRequest): Sha256Sums | undefined {
  const entries = Object.entries(known?.sha256 ?? {})
  return entries.length === 0 ? undefined : new Map(entries)
}

async function pull(work: PullWork): Promise<PullOutcome> {
  try {
    const outcome = (await findGoodModel(work)) ?? (await fetchIntoStore(work))
    work.progress.stop()
    work.say(`${outcome.name} ${outcome.version} ${outcome.status} ${outcome.folder}`)
    return outcome
  } catch (error) {
    work.progress.stop()
    if (!(error instanceof InterruptedError)) {
      work.interrupts.check('what has arrived is kept and the same command goes on from there; the store is as it was')
    }
    throw error
  }
}

/**
 * The model that is asked for, where the store has it and it is whole: then nothing is downloaded, and a read-only store
 * is good enough.
 */
async function findGoodModel({ request, sums, flags, say }: PullWork): Promise<PullOutcome | undefined> {
  const { name, version, address, pin } = request
  if (flags.overwrite || name === undefined || version === undefined) return undefined
  const model = modelStore().find(name, version)
  if (!model) return undefined
  const { sha256, problem } = await describeModel(model, { verify: true })
  if (problem !== null || sha256 === null) {
    say(`${name}@${version} in the store is damaged (${problem}): pulling it again`)
    return undefined
  }
  if (sums && !(await isListed(model, sha256, sums))) return undefined
  if (pin?.name === name && pin.version === version && pin.sha256 !== sha256) {
    throw refusedByPin(pin, `the one in the store (sha256 ${sha256})`)
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
      { hint: 'Pull it again with --overwrite; what is in the store stays until the new one is verified.' },
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
  const key = [reader.address, request.name, request.version, request.known?.files]
  const lock = await lockDownload(key, { signal: interrupts.signal, say })
  const { folder } = lock
  try {
    // another process may have done it meanwhile; a damaged model was reported above
    const found = await findGoodModel({ ...work, say: () => undefined })
    if (found) return found
    const fetched = await fetchFiles(work, reader, folder)
    const outcome = await storeFetched(work, fetched, reader.address).catch(async (error: unknown) => {
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

async function fetchFiles(work: PullWork, reader: ObjectReader, folder: string): Promise<FetchedModel> {
  const { request, sums, flags, progress, interrupts, say } = work
  const { known, name, version, others } = request
  try {
    return await fetchModel(reader, folder, {
      name,
      version,
      known,
      sums,
      signal: interrupts.signal,
      ...(flags.overwrite ? {} : { isStored: isWholeInStore }),
      onBytes: (file, done, total) => progress.update(file, done, total),
      onRetry: (file, reason, waitMs) => say(`${file}: ${reason}; retrying in ${(waitMs / 1000).toFixed(1)} s`),
    })
  } catch (error) {
    if (!known || !(error instanceof ModelError || error instanceof ServiceError)) throw error
    const Failure = error instanceof ModelError ? ModelError : ServiceError
    const choice = others.length > 0 ? `Other known models: ${listOf(others)}. ` : ''
    throw new Failure(`${known.name}@${known.version} could not be downloaded: ${error.message}`, {
      cause: error,
      hint: `${choice}From a copy elsewhere: lcclf model pull ADDRESS --name ${known.name} --version ${known.version}.`,
    })
  }
}

/** A bundle's name is only in its manifest; where that very manifest is in the store, the rest is not needed. */
async function isWholeInStore({ name, version }: Manifest, sha256: string): Promise<boolean> {
  const model = modelStore().find(name, version)
  const found = model && (await describeModel(model, { verify: true }))
  return found?.problem === null && found.sha256 === sha256
}

/**
 * Makes a bundle of pickles, or verifies one that came as such, and puts it into the store. Until then the store is as it
 * was.
 */
async function storeFetched(work: PullWork, fetched: FetchedModel, address: string): Promise<PullOutcome> {
  const { flags, interrupts, request, say } = work
  const store = modelStore()
  const { name, version } = await identityOfFetched(work, fetched)
  const folder = store.place(name, version)
  if (fetched.kind === 'stored') {
    const { sha256 } = await readManifest(fetched.folder)
    return { name, version, folder, sha256, address, status: 'is already in' }
  }
  const staging = await store.stage(name, version)
  try {
    if (fetched.kind === 'pickles') await importPickles(work, fetched, { name, version, out: staging.bundle })
    else await copyBundle(fetched.folder, staging.bundle)
    interrupts.check('nothing was put into the store')
    if (fetched.kind === 'bundle') {
      say(`verifying ${name} ${version}`)
      await checkBundle(staging.bundle)
    }
    const { sha256 } = await readManifest(staging.bundle)
    const { pin } = request
    if (pin?.name === name && pin.version === version && pin.sha256 !== sha256) {
      throw refusedByPin(pin, `the model at the address (sha256 ${sha256})`)
    }
    const { files } = fetched
    await writePulledRecord(staging.bundle, { schemaVersion: 1, address, pulledAt: new Date().toISOString(), files })
    // a damaged model is replaced without being asked
    const there = store.find(name, version)
    const isDamaged = there !== undefined && (await describeModel(there, { verify: true })).problem !== null
    // a bundle keeps its name, and so does what is pulled by name
    const isRenamable = fetched.kind === 'pickles' && flags.source !== undefined && !request.known
    const publication = await store.publish(staging, { overwrite: flags.overwrite || isDamaged, isRenamable })
    return { name, version, folder, sha256, address, status: statusOf[publication] }
  } finally {
    await staging.discard()
  }
}

const statusOf = { added: 'is now in', replaced: 'is replaced in', 'already there': 'is already in' } as const

async function identityOfFetched({ request }: PullWork, fetched: FetchedModel) {
  const { name, version, address } = request
  if (fetched.kind === 'pickles') {
    if (name === undefined || version === undefined) {
      throw new UsageError('these are pickles, which do not say what they are: --name and --version are needed', {
        hint: 'E.g. --name hierarchical_random_forest --version 1.0.0. What has arrived is kept.',
      })
    }
    identityOf(name, version)
    return { name, version }
  }
  const { manifest } = await readManifest(fetched.folder)
  const asked = `${name ?? manifest.name}@${version ?? manifest.version}`
  if (asked !== `${manifest.name}@${manifest.version}`) {
    throw new ModelError(`${redacted(address)}: holds the bundle ${manifest.name}@${manifest.version}, not ${asked}`, {
      hint: 'A bundle keeps its name: omit --name and --version.',
    })
  }
  try {
    identityOf(manifest.name, manifest.version)
  } catch (cause) {
    if (!(cause instanceof LcclfError)) throw cause
    throw new ModelError(`invalid manifest: ${cause.message}`, { cause })
  }
  return manifest
}

async function importPickles(
  { request, flags, say }: PullWork,
  { folder, files }: FetchedModel,
  identity: { name: string; version: string; out: string },
): Promise<void> {
  let step = ''
  const { manifest, warnings } = await importModel({
    ...identity,
    source: request.known?.files.length === 1 ? join(folder, request.known.files[0]!) : folder,
    classifierName: flags.classifierName,
    // the staging folder is there, and empty
    overwrite: true,
    acceptSwapped: flags.acceptSwapped,
    onProgress(event) {
      if (event.step !== step) say(event.step)
      step = event.step
    },
  })
  for (const warning of warnings) say(`warning: ${warning}`)
  // the files that were checked must be the files that were imported, whatever happened to them in between
  for (const { file, sha256 } of manifest.origin) {
    const fetched = files.find((candidate) => candidate.file === file)
    if (!fetched || fetched.sha256 === sha256) continue
    throw new ModelError(`${file}: was changed on this machine between download and import`)
  }
  const { rows, source } = manifest.golden
  say(`golden answers: ${rows} rows from ${source}, reproduced in every bit`)
}
