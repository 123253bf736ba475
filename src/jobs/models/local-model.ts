// A REF that is an archive or an address → the folder of its bundle in the cache: fetched once a machine, verified, shared.
import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, ModelError, ServiceError, UsageError } from '../../errors.ts'
import { redacted } from '../../formats/shown-text.ts'
import { writePulledRecord } from '../../model/store/describe-model.ts'
import { chooseModel, type ChosenModel } from '../../model/store/model-reference.ts'
import {
  addUnpacked,
  findUnpacked,
  markUsed,
  readUnpackedRecord,
  type UnpackedRecord,
  writeUnpackedRecord,
} from '../../model/store/unpacked-models.ts'
import { InterruptedError, interruptsOf, type InterruptWatch } from '../../terminal/interrupt.ts'
import { openTransferProgress, type TransferProgress } from '../../terminal/progress.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { StalePartError, TransientError } from '../../transfer/transient-error.ts'
import { copyBundle } from './copy-bundle.ts'
import { type FetchedModel, fetchModel, lockDownload, openReader, type Witness } from './fetch-model.ts'
import { checkBundle } from './check-bundle.ts'

/** What may be done on the way to a model, and who is told. */
export interface FetchEffects {
  readonly interrupts: InterruptWatch
  readonly progress: TransferProgress
  /** false: nothing is asked of another machine, what is here must do (`LCCLF_PULL=never`, a dry run) */
  readonly mayPull: boolean
}

/** For a command that says on stderr what it does, and that nothing but its end stops. */
function usualEffects(): FetchEffects {
  const progress = openTransferProgress({ isSilent: false })
  return { interrupts: interruptsOf(), progress, mayPull: process.env['LCCLF_PULL'] !== 'never' }
}

/**
 * As `chooseModel`, where the model that is named may also be an archive or an address.
 *
 * @throws as localModel
 */
export async function chooseLocalModel<T>(
  named: string | undefined,
  otherwise: () => T,
  effects?: FetchEffects,
): Promise<ChosenModel | T> {
  return chooseModel(named, otherwise, named && (await localModel(named, effects)))
}

/**
 * Answers the folder of the bundle for an archive (`m.tar.gz`) or an address that `lcclf model pull` takes, and any other
 * reference as it is. Of several processes that start at once, one fetches and the others wait for it.
 *
 * The source is asked each time whether it is still the same. One that cannot be reached leaves the copy that is here.
 *
 * @throws ModelError for an archive that is damaged or holds no bundle, an address that may not be asked; ServiceError for
 *   one that cannot be reached, where there is no copy
 */
export async function localModel(reference: string, effects = usualEffects()): Promise<string> {
  if (!isElsewhere(reference)) return reference
  const reader = await readerFor(reference)
  const isFile = /^(\/|[a-z]:\\)/i.test(reader.address)
  const request: Request = { reference, reader, isFile, key: keyOf(isFile ? reader.address : reference), effects }
  try {
    return (await currentCopy(request)) ?? (await fetchCopy(request))
  } catch (error) {
    if (!(error instanceof InterruptedError)) effects.interrupts.check('the model had not arrived')
    throw error
  } finally {
    effects.progress.stop()
    reader.close()
  }
}

interface Request {
  readonly reference: string
  readonly reader: ObjectReader
  /** it is on this machine */
  readonly isFile: boolean
  /** of its record */
  readonly key: string
  readonly effects: FetchEffects
}

function isElsewhere(reference: string): boolean {
  if (existsSync(join(reference, 'manifest.json'))) return false
  if (/^(https?|s3|file):/i.test(reference)) return true
  return /\.(tar\.gz|tgz)$/.test(reference) && statSync(reference, { throwIfNoEntry: false })?.isFile() === true
}

/** An address may hold secrets, and a record's name is seen by all. */
function keyOf(source: string): string {
  return createHash('sha256').update(source).digest('hex').slice(0, 32)
}

async function readerFor(reference: string): Promise<ObjectReader> {
  try {
    return await openReader(reference, { allowHttp: false, environment: process.env })
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    const isPlainHttp = /^http:/i.test(reference) && URL.canParse(reference)
    const hint = `Use https. Where the network can be trusted: lcclf model pull ${redacted(reference)} --allow-http, then --model NAME.`
    throw new ModelError(`model ${cause.message}`, { cause, hint: isPlainHttp ? hint : cause.hint })
  }
}

/** The copy that is here, if its source is still what it was, or cannot be asked. */
async function currentCopy({ reader, isFile, key, effects }: Request): Promise<string | undefined> {
  const { interrupts, progress, mayPull } = effects
  const record = await readUnpackedRecord(key)
  const folder = record && (await findUnpacked(record.digest))
  if (!folder) return undefined
  if (isFile || mayPull) {
    try {
      if (!(await isUnchanged(reader, record.witness, interrupts.signal))) return undefined
    } catch (error) {
      if (!(error instanceof TransientError || error instanceof ServiceError)) throw error
      progress.say(`${reader.address}: ${messageOf(error)}; using the copy of ${record.fetchedAt}`)
    }
  }
  await markUsed(key)
  return folder
}

/** Asks for the last byte. A source that gives its versions no names must be read again. */
async function isUnchanged(reader: ObjectReader, { name, size, etag }: Witness, signal: AbortSignal): Promise<boolean> {
  if (etag === null || size === 0) return false
  try {
    const object = await reader.open(name, { from: size - 1, etag, signal })
    if (object.kind === 'absent') return false
    object.body.on('error', () => undefined).destroy()
    // a part that was asked for by a date need not repeat the date
    const isSame = object.etag === etag || (object.from > 0 && object.etag === null && !etag.startsWith('"'))
    return isSame && (object.size ?? size) === size
  } catch (error) {
    if (error instanceof StalePartError) return false
    throw error
  }
}

async function fetchCopy(request: Request): Promise<string> {
  const { reference, reader, isFile, effects } = request
  const { interrupts, progress, mayPull } = effects
  if (!isFile && !mayPull) {
    throw new ModelError(`model ${reader.address}: is not on this machine, and nothing may be downloaded`, {
      hint: 'LCCLF_PULL=never, or a dry run, forbids it. lcclf model pull puts a model into the store.',
    })
  }
  const say = (line: string): void => progress.say(line)
  const lock = await lockDownload(['model', isFile ? reader.address : reference], { signal: interrupts.signal, say })
  try {
    // another process may have done it meanwhile
    const there = await currentCopy(request)
    if (there) return there
    say(`${isFile ? 'unpacking' : 'fetching'} the model ${reader.address}`)
    const folder = await fetchAndKeep(lock.folder, request).catch(async (error: unknown) => {
      // pieces of two versions look like this too, and must not come back with the next attempt
      if (error instanceof ModelError) await rm(lock.folder, { recursive: true, force: true })
      throw error
    })
    await rm(lock.folder, { recursive: true, force: true })
    return folder
  } finally {
    await lock.release()
  }
}

async function fetchAndKeep(downloads: string, request: Request): Promise<string> {
  const { address } = request.reader
  const fetched = await fetchInto(downloads, request)
  const folder = await keep(fetched, address)
  await writeUnpackedRecord(request.key, recordOf(fetched, address))
  return folder
}

async function fetchInto(folder: string, { reader, effects }: Request): Promise<FetchedModel> {
  const { interrupts, progress } = effects
  try {
    return await fetchModel(reader, folder, {
      signal: interrupts.signal,
      isStored: async (_, sha256) => (await findUnpacked(sha256)) !== undefined,
      onBytes: (file, done, total) => progress.update(file, done, total),
      onRetry: (file, reason, waitMs) =>
        progress.say(`${file}: ${reason}; retrying in ${(waitMs / 1000).toFixed(1)} s`),
    })
  } catch (error) {
    if (!(error instanceof ModelError) || !error.hint?.includes('--name')) throw error
    const hint = `Give the address of one of them, ${reader.address}NAME/VERSION/, or get it with lcclf model pull --name.`
    throw new ModelError(error.message, { cause: error, hint })
  }
}

/** An archive's own sha256, else that of the manifest. */
const digestOf = ({ files }: FetchedModel): string => files[0]!.sha256

async function keep(fetched: FetchedModel, address: string): Promise<string> {
  const { kind, folder, files } = fetched
  if (kind === 'pickles') {
    throw new ModelError(`model ${address}: holds pickles, which must be imported first`, {
      hint: `lcclf model pull ${address} --name NAME --version VERSION makes a bundle of them in the store; then --model NAME.`,
    })
  }
  const there = await findUnpacked(digestOf(fetched))
  if (there) return there
  return addUnpacked(digestOf(fetched), async (target) => {
    await copyBundle(folder, target)
    await checkBundle(target)
    await writePulledRecord(target, { schemaVersion: 1, address, pulledAt: new Date().toISOString(), files })
  })
}

function recordOf(fetched: FetchedModel, address: string): UnpackedRecord {
  const { witness } = fetched
  return { schemaVersion: 1, address, digest: digestOf(fetched), witness, fetchedAt: new Date().toISOString() }
}
