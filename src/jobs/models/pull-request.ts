// What `lcclf model pull` is asked for: an address, a known model, the pinned one, or nothing in particular.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../errors.ts'
import { type KnownModel, type KnownModels, readKnownModels } from '../../model/store/known-models.ts'
import { type ModelPin, pinFile, readPin } from '../../model/store/model-pin.ts'
import { byVersion, type StoredModel } from '../../model/store/model-store.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { splitReference } from '../../model/store/model-reference.ts'
import type { Sha256Sums } from './sha256-sums.ts'
import type { InterruptWatch } from '../../terminal/interrupt.ts'
import type { TransferProgress } from '../../terminal/progress.ts'

/** What to pull. */
export interface PullRequest {
  readonly address: string
  readonly name: string | undefined
  readonly version: string | undefined
  /** the entry of the list of known models, where it is one */
  readonly known: KnownModel | undefined
  /** the others on that list, for when it is gone */
  readonly others: readonly KnownModel[]
  readonly pin: ModelPin | undefined
}

/** What of the command line decides it. */
export interface PullTarget {
  readonly source: string | undefined
  readonly name: string | undefined
  readonly version: string | undefined
}

/**
 * Without a source: the model that lcclf.lock pins, else the default of the known models, or the one of them that has the
 * name and version. Name and version choose among known models; what lies at an address they only call.
 *
 * @param environment LCCLF_KNOWN_MODELS names another list of known models than the package's own
 * @throws UsageError for a source that is no address and not known, for a name or version that contradicts it or the pin
 */
export function resolvePull(
  target: PullTarget,
  environment: Readonly<Record<string, string | undefined>>,
): PullRequest {
  const { source, name, version } = target
  const pin = readPin(process.cwd())
  const list = readKnownModels(environment['LCCLF_KNOWN_MODELS'] || undefined)
  if (source !== undefined && (/^[a-z][a-z0-9+.-]+:/i.test(source) || existsSync(source))) {
    return { address: source, name, version, known: undefined, others: [], pin }
  }
  if (source === undefined && pin) return pinnedRequest(pin, target, list)
  const known = source === undefined ? knownByFlags(list, target) : knownByReference(list, source, target)
  if (!known) throw notKnown(target, list)
  return knownRequest(known, list, pin)
}

function knownRequest(known: KnownModel, { models }: KnownModels, pin: ModelPin | undefined): PullRequest {
  const { url: address, name, version } = known
  return { address, name, version, known, others: models.filter((other) => other !== known), pin }
}

function pinnedRequest(pin: ModelPin, target: PullTarget, list: KnownModels): PullRequest {
  const { name, version, address } = pin
  const file = join(process.cwd(), pinFile)
  if ((target.name ?? name) !== name || (target.version ?? version) !== version) {
    throw new UsageError(`${file} pins ${name}@${version}, not ${flagsOf(target)}`, {
      hint: `Without an address the pinned model is pulled. Another: its address, or one of ${listOf(list.models)}. To change the pin: lcclf model lock REF.`,
    })
  }
  if (address !== null) return { address, name, version, known: undefined, others: [], pin }
  const known = highest(list.models, name, version)
  if (known) return knownRequest(known, list, pin)
  throw new UsageError(`${file} pins ${name}@${version}, says no address, and no known model is called so`, {
    hint: `Give its address: lcclf model pull ADDRESS --name ${name} --version ${version}.`,
  })
}

function knownByReference({ models }: KnownModels, source: string, flags: PullTarget): KnownModel | undefined {
  const [name, version] = splitReference(source)
  if ((flags.name ?? name) !== name || (version && flags.version && flags.version !== version)) {
    throw new UsageError(`${redactedText(source)} and ${flagsOf(flags)} are not the same model`, {
      hint: `${knownAre(models)} What is to have another name is pulled by its address.`,
    })
  }
  return highest(models, name, version ?? flags.version)
}

/** The default, unless it is not what was asked for; a version alone is first looked for under the default's name. */
function knownByFlags({ models, byDefault }: KnownModels, { name, version }: PullTarget): KnownModel | undefined {
  const isDefault = [undefined, byDefault?.name].includes(name) && [undefined, byDefault?.version].includes(version)
  if (isDefault) return byDefault
  if (name !== undefined) return highest(models, name, version)
  const names = new Set(models.filter((model) => model.version === version).map((model) => model.name))
  const meant = names.size === 1 ? [...names][0] : byDefault?.name
  return meant === undefined ? undefined : highest(models, meant, version)
}

function highest(models: readonly KnownModel[], name: string, version: string | undefined): KnownModel | undefined {
  return models
    .filter((model) => model.name === name && (version ?? model.version) === model.version)
    .sort((a, b) => byVersion(a.version, b.version))
    .at(-1)
}

function notKnown(target: PullTarget, { models }: KnownModels): UsageError {
  const flags = flagsOf(target)
  const asked = [target.source === undefined ? [] : redactedText(target.source), flags === '' ? [] : flags].flat()
  const what = asked.length === 0 ? 'the default model' : asked.join(' ')
  return new UsageError(`${what}: is no address, and no known model`, {
    hint: `Expected https://…, s3://…, a folder or a .tar.gz. ${knownAre(models)}`,
  })
}

function flagsOf({ name, version }: PullTarget): string {
  const flags = [name === undefined ? [] : `--name ${name}`, version === undefined ? [] : `--version ${version}`]
  return flags.flat().join(' ')
}

function knownAre(models: readonly KnownModel[]): string {
  return `Known models are ${listOf(models)}.`
}

/** Known models in a sentence. */
export function listOf(models: readonly KnownModel[]): string {
  return models.map(({ name, version }) => `${name}@${version}`).join(', ')
}

/** What was typed. */
export interface PullFlags {
  readonly source: string | undefined
  readonly name?: string | undefined
  readonly version?: string | undefined
  readonly sha256?: string | undefined
  readonly allowHttp: boolean
  readonly acceptSwapped: boolean
  readonly overwrite: boolean
  readonly quiet: boolean
  readonly json: boolean
}

/** Everything a pull needs to know. */
export interface PullWork {
  readonly request: PullRequest
  readonly sums: Sha256Sums | undefined
  readonly flags: PullFlags
  readonly progress: TransferProgress
  readonly interrupts: InterruptWatch
  say(line: string): void
}

/** What is in the store in the end. */
export interface PullOutcome extends StoredModel {
  readonly sha256: string
  readonly address: string
  readonly status: 'is now in' | 'is replaced in' | 'is already in'
}
