// The model that a step's settings name: a bundle is used as it is, anything else is imported at the first start.
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ModelError } from '../../errors.ts'
import { redacted } from '../../formats/shown-text.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { readPulledRecord } from '../../model/store/describe-model.ts'
import { type ChosenModel, findModel, modelStore } from '../../model/store/model-reference.ts'
import type { Taxonomy } from '../../pipeline/batch.ts'
import type { InterruptWatch } from '../../terminal/interrupt.ts'
import type { TransferProgress } from '../../terminal/progress.ts'
import { sha256OfFile } from '../../whole-file.ts'
import { openReader } from '../models/fetch-model.ts'
import { pullFrom } from '../models/pull.ts'
import type { StepModel } from './step-settings.ts'

/**
 * Finds the model of `MODEL_PATH`. One that must be imported goes into the store under its name and version, from which
 * later starts take it as long as the path and, of a file here, the content are the same.
 *
 * @returns undefined where no path is named
 * @throws ModelError where it is not there, has no name or version, or the store has another of that name and version
 */
export async function modelOfStep(
  { path, name, version }: StepModel,
  options: { interrupts: InterruptWatch; progress: TransferProgress; mayPull: boolean },
): Promise<ChosenModel | undefined> {
  if (path === undefined) return undefined
  const chosen = (directory: string): ChosenModel => ({ directory, chosenBy: 'MODEL_PATH', isDemonstration: false })
  const isElsewhere = /^[a-z][a-z0-9+.-]+:\/\//i.test(path)
  const isImported = isElsewhere || (existsSync(path) && !existsSync(join(path, 'manifest.json')))
  if (!isImported) return chosen(findModel(path))
  if (name === undefined || version === undefined) {
    throw new ModelError(`MODEL_PATH ${redacted(path)}: must be imported first, and needs a name and a version`, {
      hint: `Set MODEL_VERSION and MODEL_CLASS (in a file MODEL_CONFIG.NAME), or ${commandFor(path, isElsewhere, 'NAME', 'VERSION')}`,
    })
  }
  const place = placeOf(path, isElsewhere)
  const stored = modelStore().find(name, version)
  if (stored) {
    if (await isFrom(stored.folder, path, place)) return chosen(findModel(`${name}@${version}`))
    throw new ModelError(`MODEL_PATH ${redacted(path)}: ${name}@${version} in the store was made of something else`, {
      hint: `Name another MODEL_VERSION, or make room for it: lcclf model remove ${name}@${version}.`,
    })
  }
  const { mayPull, ...how } = options
  if (isElsewhere && !mayPull) {
    throw new ModelError(`MODEL_PATH ${redacted(path)}: not in the store, and LCCLF_PULL=never forbids to fetch it`, {
      hint: `Once, where it may be fetched: ${commandFor(path, isElsewhere, name, version)}`,
    })
  }
  how.progress.say(`importing MODEL_PATH as ${name}@${version}, once`)
  return chosen((await pullFrom({ ...place, name, version, classifierName: name }, how)).folder)
}

function commandFor(path: string, isElsewhere: boolean, name: string, version: string): string {
  const asked = isElsewhere ? `pull ${redacted(placeOf(path, true).address)}` : `import ${path}`
  return `lcclf model ${asked} --name ${name} --version ${version}`
}

/** The folder or archive that is read, and the file in it that is the whole model. */
interface ModelPlace {
  readonly address: string
  readonly file: string | undefined
}

function placeOf(path: string, isElsewhere: boolean): ModelPlace {
  const isWhole = isElsewhere ? /\/$|\.(?:tar\.gz|tgz)$/.test(path) : statSync(path).isDirectory()
  if (isWhole || /\.(?:tar\.gz|tgz)$/.test(path)) return { address: path, file: undefined }
  if (/[?#]/.test(path) && isElsewhere) {
    throw new ModelError(`MODEL_PATH ${redacted(path)}: an address with ? or # is not followed`, {
      hint: 'Fetch the file, and name it here.',
    })
  }
  return isElsewhere
    ? { address: path.slice(0, path.lastIndexOf('/') + 1), file: path.slice(path.lastIndexOf('/') + 1) }
    : { address: dirname(path), file: basename(path) }
}

/** Whether a bundle of the store was made of what the path names. One that somebody imported says at least what of. */
async function isFrom(folder: string, path: string, { address, file }: ModelPlace): Promise<boolean> {
  const record = readPulledRecord(folder)
  const isHere = existsSync(path)
  if (record) {
    const reader = await openReader(address, { allowHttp: true, environment: process.env })
    reader.close()
    const isSame =
      record.address === reader.address && (file === undefined || record.files.some((one) => one.file === file))
    if (!isSame) return false
  }
  if (file === undefined || !isHere) return true
  const { origin } = (await readManifest(folder)).manifest
  const { size } = statSync(path)
  if (!origin.some((one) => one.size === size)) return false
  const sum = await sha256OfFile(path)
  return origin.some(({ sha256 }) => sha256 === sum)
}

/** What the settings say of the model and is not so; the model is right, and the results carry its name. */
export function differences(
  { name, version }: StepModel,
  model: { readonly version: string; readonly classifierVersion: string; readonly taxonomy: Taxonomy },
): string[] {
  const { classifierName } = model.taxonomy.levels[0]!
  const isOther = version !== undefined && version !== model.version && version !== model.classifierVersion
  return [
    ...(name === undefined || name === classifierName
      ? []
      : [`results are called ${classifierName}, after the model, and not ${name} as the settings say`]),
    ...(isOther ? [`results have version ${model.version}, the model's, and not ${version} as the settings say`] : []),
  ]
}
