// What `lcclf model pull` is asked for: an address, a known model, the pinned one or the default, and its checksums.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError, whyUnreadable } from '../../errors.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { type KnownModel, readKnownModels } from '../../model/store/model-lists.ts'
import { type ModelPin, pinFile, readPin, splitReference } from '../../model/store/model-reference.ts'
import { highestOf, listOf } from '../../model/store/model-store.ts'

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

/** The part of the command line that decides it. */
export interface PullTarget {
  readonly source?: string | undefined
  readonly name?: string | undefined
  readonly version?: string | undefined
}

type KnownModels = ReturnType<typeof readKnownModels>

/**
 * Without a source: the model that lcclf.lock pins, else the default of the known models, or the one of them that has the
 * name and version. Name and version choose among known models; for an address they only name what is there.
 *
 * @param environment LCCLF_KNOWN_MODELS names another list of known models than the package's own
 * @throws UsageError for a source that is neither an address nor known, for a name or version that contradicts it or the
 *   pin
 */
export function resolvePull(
  target: PullTarget,
  environment: Readonly<Record<string, string | undefined>>,
): PullRequest {
  const { source, name, version } = target
  const pin = readPin()
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
      hint: `Without an address the pinned model is pulled. For another, give its address, or one of ${listOf(list.models)}. To change the pin: lcclf model lock REF.`,
    })
  }
  if (address !== null) return { address, name, version, known: undefined, others: [], pin }
  const known = highestOf(list.models, name, version)
  if (known) return knownRequest(known, list, pin)
  throw new UsageError(`${file} pins ${name}@${version} without an address, and no known model has that name`, {
    hint: `Give its address: lcclf model pull ADDRESS --name ${name} --version ${version}.`,
  })
}

function knownByReference({ models }: KnownModels, source: string, flags: PullTarget): KnownModel | undefined {
  const [name, version] = splitReference(source)
  if ((flags.name ?? name) !== name || (version && flags.version && flags.version !== version)) {
    throw new UsageError(`${redactedText(source)} and ${flagsOf(flags)} are not the same model`, {
      hint: `Known models are ${listOf(models)}. To store one under another name, pull it by its address.`,
    })
  }
  return highestOf(models, name, version ?? flags.version)
}

/** The default, unless something else was asked for; a version alone is first looked for under the default's name. */
function knownByFlags({ models, byDefault }: KnownModels, { name, version }: PullTarget): KnownModel | undefined {
  const isDefault = [undefined, byDefault?.name].includes(name) && [undefined, byDefault?.version].includes(version)
  if (isDefault) return byDefault
  if (name !== undefined) return highestOf(models, name, version)
  const names = new Set(models.filter((model) => model.version === version).map((model) => model.name))
  const meant = names.size === 1 ? [...names][0] : byDefault?.name
  return meant === undefined ? undefined : highestOf(models, meant, version)
}

function notKnown(target: PullTarget, { models }: KnownModels): UsageError {
  const source = target.source === undefined ? '' : redactedText(target.source)
  const what = [source, flagsOf(target)].filter((part) => part !== '').join(' ') || 'the default model'
  return new UsageError(`${what}: neither an address nor a known model`, {
    hint: `Expected https://…, s3://…, a folder or a .tar.gz. Known models are ${listOf(models)}.`,
  })
}

function flagsOf({ name, version }: PullTarget): string {
  const flags = [name === undefined ? [] : `--name ${name}`, version === undefined ? [] : `--version ${version}`]
  return flags.flat().join(' ')
}

/** File name → sha256 in lower case. */
export type Sha256Sums = ReadonlyMap<string, string>

/**
 * Reads a SHA256SUMS file, as sha256sum writes it. Folders before a name are dropped, because an address has its own.
 *
 * @throws UsageError for an invalid line, or a file named twice with different sums
 */
export function readSha256Sums(path: string): Sha256Sums {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`--sha256 ${path}: cannot be read (${whyUnreadable(cause)})`, { cause })
  }
  const sums = new Map<string, string>()
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return
    const [, sum, name] = /^([0-9a-fA-F]{64}) [ *](.+)$/.exec(line) ?? []
    const file = name?.split(/[/\\]/).at(-1)
    if (sum === undefined || file === undefined || (sums.get(file) ?? sum.toLowerCase()) !== sum.toLowerCase()) {
      throw new UsageError(`--sha256 ${path}: line ${index + 1} is not "sha256  name"`, {
        hint: 'Expected the output of sha256sum, each file once.',
      })
    }
    sums.set(file, sum.toLowerCase())
  })
  if (sums.size === 0) throw new UsageError(`--sha256 ${path}: names no file`)
  return sums
}
