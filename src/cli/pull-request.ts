// What `lcclf model pull` is asked for: an address, a known model, the pinned one, or nothing in particular.
import { existsSync } from 'node:fs'
import { UsageError } from '../errors.ts'
import { readPin, type ModelPin } from '../store/model-pin.ts'
import { readKnownModels, type KnownModel, type KnownModels } from '../store/known-models.ts'
import { splitReference } from './model-reference.ts'

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
 * Without a source: the model that lcclf.lock pins, else the default of the known models.
 *
 * @param environment LCCLF_KNOWN_MODELS names another list of known models than the package's own
 * @throws UsageError for a source that is no address and not known
 */
export function resolvePull(
  { source, name, version }: PullTarget,
  environment: Readonly<Record<string, string | undefined>>,
): PullRequest {
  const pin = readPin(process.cwd())
  const models = readKnownModels(environment['LCCLF_KNOWN_MODELS'] || undefined)
  if (source !== undefined && (/^[a-z][a-z0-9+.-]+:/i.test(source) || existsSync(source))) {
    return { address: source, name, version, known: undefined, others: [], pin }
  }
  if (source === undefined && pin && pin.address !== null) {
    return { address: pin.address, name: pin.name, version: pin.version, known: undefined, others: [], pin }
  }
  const reference = source ?? (pin ? `${pin.name}@${pin.version}` : undefined)
  const known = findKnown(models, reference)
  if (!known) throw notKnown(reference, models)
  const others = models.models.filter((other) => other !== known)
  return { address: known.url, name: name ?? known.name, version: version ?? known.version, known, others, pin }
}

function findKnown({ models, byDefault }: KnownModels, reference: string | undefined): KnownModel | undefined {
  if (reference === undefined) return byDefault
  const [name, version] = splitReference(reference)
  return models.filter((model) => model.name === name && (version ?? model.version) === model.version).at(-1)
}

function notKnown(reference: string | undefined, { models }: KnownModels): UsageError {
  return new UsageError(`${reference ?? 'the default model'}: is no address, and no known model`, {
    hint: `Expected https://…, s3://…, a folder or a .tar.gz, or one of ${listOf(models)}.`,
  })
}

/** Known models in a sentence. */
export function listOf(models: readonly KnownModel[]): string {
  return models.map(({ name, version }) => `${name}@${version}`).join(', ')
}
