// From files that were fetched to a model of the store: imported or verified first, published in one step.
import { copyFile, open } from 'node:fs/promises'
import { join } from 'node:path'
import { LcclfError, ModelError, UsageError } from '../../errors.ts'
import { identityOf } from '../../model/bundle/identity.ts'
import { importModel } from '../../model/sklearn/import-model.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { describeModel, writePulledRecord } from '../../model/store/describe-model.ts'
import { refusedByPin } from '../../model/store/model-pin.ts'
import { redacted } from '../../formats/shown-text.ts'
import type { FetchedModel } from './fetch-model.ts'
import { checkBundle } from './verify.ts'
import { modelStore } from '../../model/store/model-reference.ts'
import type { PullOutcome, PullWork } from './pull-request.ts'

/**
 * Makes a bundle of pickles, or verifies one that came as such, and puts it into the store. Until then the store is as it
 * was.
 */
export async function storeFetched(work: PullWork, fetched: FetchedModel, address: string): Promise<PullOutcome> {
  const { flags, interrupts, say } = work
  const store = modelStore()
  const { name, version } = await identityOfFetched(work, fetched)
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
    checkAgainstPin(work, { name, version, sha256 })
    await writePulledRecord(staging.bundle, {
      schemaVersion: 1,
      address,
      pulledAt: new Date().toISOString(),
      files: fetched.files,
    })
    // what is damaged is no good model: it is replaced without being asked
    const there = store.find(name, version)
    const isDamaged = there !== undefined && (await describeModel(there, { verify: true })).problem !== null
    // a bundle keeps its name, and so does what is pulled by name
    const isRenamable = fetched.kind === 'pickles' && flags.source !== undefined && !work.request.known
    const publication = await store.publish(staging, { overwrite: flags.overwrite || isDamaged, isRenamable })
    return { name, version, folder: store.place(name, version), sha256, address, status: statusOf[publication] }
  } finally {
    await staging.discard()
  }
}

const statusOf = { added: 'is now in', replaced: 'is replaced in', 'already there': 'is already in' } as const

interface Identity {
  readonly name: string
  readonly version: string
}

async function identityOfFetched({ request }: PullWork, fetched: FetchedModel): Promise<Identity> {
  const { name, version } = request
  if (fetched.kind === 'pickles') {
    if (name === undefined || version === undefined) {
      throw new UsageError('these are pickles, which do not say what they are: --name and --version are needed', {
        hint: 'e.g. --name hierarchical_random_forest --version 1.0.0; what has arrived is kept.',
      })
    }
    identityOf(name, version)
    return { name, version }
  }
  const { manifest } = await readManifest(fetched.folder)
  refuseOtherName(manifest, request)
  try {
    identityOf(manifest.name, manifest.version)
  } catch (cause) {
    if (!(cause instanceof LcclfError)) throw cause
    throw new ModelError(`the manifest is not to be believed: ${cause.message}`, { cause })
  }
  return manifest
}

function refuseOtherName(manifest: Manifest, { name, version, address }: PullWork['request']): void {
  const isAsked = (name ?? manifest.name) === manifest.name && (version ?? manifest.version) === manifest.version
  if (isAsked) return
  const asked = `${name ?? manifest.name}@${version ?? manifest.version}`
  throw new ModelError(`${redacted(address)}: holds the bundle ${manifest.name}@${manifest.version}, not ${asked}`, {
    hint: 'A bundle keeps its name: leave out --name and --version.',
  })
}

async function importPickles(
  { flags, say }: PullWork,
  { folder, files }: FetchedModel,
  { name, version, out }: Identity & { out: string },
): Promise<void> {
  let step = ''
  const { manifest, warnings } = await importModel({
    source: folder,
    name,
    version,
    out,
    // the staging folder is there, and empty
    overwrite: true,
    acceptSwapped: flags.acceptSwapped,
    onProgress(event) {
      if (event.step !== step) say(event.step)
      step = event.step
    },
  })
  for (const warning of warnings) say(`warning: ${warning}`)
  // what was checked is what was imported, whatever happened to the files in between
  for (const { file, sha256 } of manifest.origin) {
    const fetched = files.find((candidate) => candidate.file === file)
    if (!fetched || fetched.sha256 === sha256) continue
    throw new ModelError(`${file}: was changed on this machine between download and import`)
  }
  const { rows, source } = manifest.golden
  say(`golden answers: ${rows} rows from ${source}, reproduced in every bit`)
}

async function copyBundle(from: string, to: string): Promise<void> {
  const { manifest } = await readManifest(from)
  for (const file of ['manifest.json', ...manifest.files.map((digest) => digest.file)]) {
    const target = join(to, file)
    try {
      await copyFile(join(from, file), target)
    } catch (cause) {
      throw new ModelError(`${file}: the manifest names it, and it is not there`, { cause })
    }
    const handle = await open(target, 'r+')
    await handle.sync().finally(() => handle.close())
  }
}

function checkAgainstPin(
  { request: { pin } }: PullWork,
  { name, version, sha256 }: Identity & { sha256: string },
): void {
  if (pin?.name !== name || pin.version !== version || pin.sha256 === sha256) return
  throw refusedByPin(process.cwd(), pin, `what lies at the address (sha256 ${sha256})`)
}
